"""The newest mails that were caught, in memory."""

from __future__ import annotations

import html
import re
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from typing import Any, Final
from uuid import uuid4

from aiosmtpd.smtp import SMTP, Envelope, Session

from common.address_keys import address_key

MAX_MAILS: Final = 500
"""The oldest mails go first."""
MAX_BYTES: Final = 32 * 1024 * 1024
"""Bytes of all mails together."""
LINK: Final = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]")


@dataclass(frozen=True)
class CaughtMail:
    """A mail as it came. `to` are the addresses of the envelope, not those of the header. It is parsed
    when somebody first looks at it, since most mails are never looked at. A malformed mail is shown as far
    as it can be read."""

    id: str
    sender: str
    to: list[str]
    received_at: str
    content: bytes = field(repr=False)

    @property
    def subject(self) -> str:
        return _header(self._message, "subject")

    @cached_property
    def text(self) -> str:
        return _part(self._message, "plain")

    @cached_property
    def html(self) -> str:
        return _part(self._message, "html")

    @property
    def headers(self) -> dict[str, str]:
        return {name: _header(self._message, name) for name in self._message}

    @property
    def size(self) -> int:
        return len(self.content)

    @cached_property
    def _message(self) -> EmailMessage:
        message = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message

    @property
    def links(self) -> list[str]:
        """Every link, in order, once."""
        return list(dict.fromkeys(LINK.findall(f"{self.text}\n{html.unescape(self.html)}")))

    def listed(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "from": self.sender,
            "to": self.to,
            "subject": self.subject,
            "received_at": self.received_at,
        }

    def whole(self) -> dict[str, Any]:
        parts = {"text": self.text, "html": self.html, "links": self.links}
        return self.listed() | parts | {"headers": self.headers}


@dataclass
class Mailbox:
    """The newest mails, within KEPT and MOST."""

    mails: deque[CaughtMail] = field(default_factory=deque)
    size: int = 0

    def put(self, mail: CaughtMail) -> None:
        self.mails.append(mail)
        self.size += mail.size
        while len(self.mails) > MAX_MAILS or self.size > MAX_BYTES:
            self.size -= self.mails.popleft().size

    def newest(self, to: str | None = None) -> list[CaughtMail]:
        address = address_key(to) if to else ""
        return [
            mail
            for mail in reversed(self.mails)
            if not address or address in (address_key(one) for one in mail.to)
        ]

    def find(self, id: str) -> CaughtMail | None:
        return next((mail for mail in self.mails if mail.id == id), None)

    def empty(self) -> None:
        self.mails.clear()
        self.size = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        self.put(caught(content, sender=envelope.mail_from or "", to=envelope.rcpt_tos))
        return "250 caught"


def caught(content: bytes, *, sender: str, to: list[str]) -> CaughtMail:
    """Returns a mail that has just come."""
    received_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return CaughtMail(uuid4().hex, sender, list(to), received_at, content)


def _header(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name, ""))
    except (ValueError, LookupError, AttributeError, TypeError, IndexError):
        return "(unreadable)"


def _part(message: EmailMessage, kind: str) -> str:
    try:
        part = message.get_body((kind,))
        return str(part.get_content()) if part is not None else ""
    except (ValueError, LookupError, AttributeError, TypeError, IndexError):
        return "(unreadable)"
