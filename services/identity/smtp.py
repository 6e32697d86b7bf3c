"""Handing one message to the SMTP server."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Final, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

TIMEOUT: Final = 15.0
"""Seconds for each step of the conversation."""
PORTS: Final = {"none": 25, "starttls": 587, "tls": 465}


class BadSmtpUrl(ValueError):
    """Not of the form smtp://user:password@host:port?tls=none|starttls|tls."""


class Undeliverable(Exception):
    """The server refused this message for good (a 5xx reply): trying again is no use."""


class TryLater(Exception):
    """The server is away, slow or refused for now."""


@dataclass(frozen=True)
class Smtp:
    """The mail server. `tls` is `starttls` unless the URL names another value. Mail is never sent
    without encryption by default."""

    host: str
    port: int
    tls: Literal["none", "starttls", "tls"]
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    verify: bool = True

    @staticmethod
    def parse(url: str) -> Smtp:
        """Raises BadSmtpUrl. `smtps://` is `tls=tls`; `verify=off` accepts any certificate."""
        try:
            parts = urlsplit(url)
            options = parse_qs(parts.query, strict_parsing=bool(parts.query))
            port = parts.port
        except ValueError as error:
            raise BadSmtpUrl(str(error)) from None
        default = "tls" if parts.scheme == "smtps" else "starttls"
        tls = options.get("tls", [default])[0]
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise BadSmtpUrl("smtp://user:password@host:port?tls=none|starttls|tls is needed")
        if tls not in ("none", "starttls", "tls"):
            raise BadSmtpUrl("tls is none, starttls or tls")
        return Smtp(
            parts.hostname,
            port or PORTS[tls],
            tls,  # type: ignore[arg-type]  # checked above
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
            options.get("verify", ["on"])[0] != "off",
        )

    async def send(self, message: EmailMessage) -> None:
        """Raises Undeliverable or TryLater."""
        try:
            await aiosmtplib.send(
                message,
                hostname=self.host,
                port=self.port,
                username=self.user,
                password=self.password,
                use_tls=self.tls == "tls",
                start_tls=self.tls == "starttls",
                validate_certs=self.verify,
                timeout=TIMEOUT,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [refused.code for refused in error.recipients]
            if all(500 <= code < 600 for code in codes):
                raise Undeliverable(f"recipient refused ({codes[0]})") from None
            raise TryLater(f"recipient refused for now ({codes[0]})") from None
        except aiosmtplib.SMTPAuthenticationError as error:
            raise TryLater(f"the server refused our credentials ({error.code})") from None
        except aiosmtplib.SMTPResponseException as error:
            if 500 <= error.code < 600:
                raise Undeliverable(f"refused ({error.code})") from None
            raise TryLater(f"refused for now ({error.code})") from None
        except aiosmtplib.SMTPNotSupported as error:
            raise Undeliverable(f"the server cannot take this address ({error})") from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise TryLater(type(error).__name__) from None
