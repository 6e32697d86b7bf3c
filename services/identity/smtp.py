"""The conversation with an SMTP server, step by step: connect, TLS, sign in, hand over a message."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from common.contracts.mail_sender import SenderStep
from common.outgoing_http import Unreachable
from identity.outgoing_mail import OutgoingMail

TIMEOUT: Final = 15.0
"""Seconds for each step of the conversation."""
CONNECT_WITHIN: Final = 5.0
"""Seconds to resolve the host of an application's own server, and to connect to it."""
PORTS: Final = {"none": 25, "starttls": 587, "tls": 465}
FAULTS: Final = (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError)
"""A server that is away, does not speak SMTP, or sends what nobody can read."""
UNAUTHENTICATED: Final = (530, 535)
"""Replies to MAIL FROM that mean: sign in first (RFC 4954 section 6)."""

Resolve = Callable[[str, int], Awaitable[str]]
"""Returns the address to connect to. Raises Unreachable."""


class BadSmtpUrl(ValueError):
    """Not of the form smtp://user:password@host:port?tls=none|starttls|tls."""


class Undeliverable(Exception):
    """The server refused this message for good (a 5xx reply): trying again is no use."""


class TryLater(Exception):
    """The server is away, slow or refused for now."""


class SenderFailed(TryLater):
    """The server takes no mail of this sender now, whatever the message is. `step` failed."""

    def __init__(self, step: SenderStep, reason: str = "") -> None:
        super().__init__(reason or step)
        self.step: SenderStep = step


@dataclass(frozen=True)
class Smtp:
    """A mail server. `tls` is `starttls` unless the URL names another value. Mail is never sent
    without encryption by default. `resolve` checks the address of a server that an application chose;
    the operator's own server has none. `name` is the name that we greet the server with."""

    host: str
    port: int
    tls: Literal["none", "starttls", "tls"]
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    verify: bool = True
    resolve: Resolve | None = None
    name: str | None = None

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

    async def open(self, passed: list[SenderStep]) -> aiosmtplib.SMTP:
        """Connects and signs in. Adds each step that succeeded to `passed`. Raises SenderFailed."""
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=None if self.resolve else self.port,
            use_tls=self.tls == "tls",
            start_tls=False,
            validate_certs=self.verify,
            local_hostname=self.name,
            timeout=TIMEOUT,
        )
        try:
            with step("connect"):
                await self._connect(client)
            passed.append("connect")
            if self.tls == "starttls":
                with step("tls"):
                    await client.starttls()
            if self.tls != "none":
                passed.append("tls")
            if self.user is not None:
                with step("sign_in"):
                    await client.login(self.user, self.password or "")
                passed.append("sign_in")
        except BaseException:
            client.close()
            raise
        return client

    def following(self, passed: list[SenderStep]) -> SenderStep:
        """Returns the step after those that passed: the one that took too long."""
        if "connect" not in passed:
            return "connect"
        if self.tls != "none" and "tls" not in passed:
            return "tls"
        if self.user is not None and "sign_in" not in passed:
            return "sign_in"
        return "message"

    async def _connect(self, client: aiosmtplib.SMTP) -> None:
        """Connects to the address that was checked, and to no other."""
        if self.resolve is None:
            await client.connect()
            return
        async with asyncio.timeout(CONNECT_WITHIN):
            address = await self.resolve(self.host, self.port)
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(connection, (address, self.port))
                await client.connect(sock=connection)
            except BaseException:
                connection.close()
                raise


@contextmanager
def step(name: SenderStep) -> Iterator[None]:
    """Raises SenderFailed in place of what the library raises. The server's words stay out of it."""
    try:
        yield
    except Unreachable:
        raise SenderFailed(name) from None
    except aiosmtplib.SMTPAuthenticationError as error:
        reason = f"the server refused our credentials ({error.code})"
        raise SenderFailed(name, reason) from None
    except FAULTS as error:
        is_tls = isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError)
        raise SenderFailed("tls" if is_tls else name, type(error).__name__) from None


async def hand_over(client: aiosmtplib.SMTP, message: OutgoingMail) -> None:
    """Sends a message over a connection. Raises Undeliverable, TryLater, SenderFailed."""
    try:
        options = ["SMTPUTF8", "BODY=8BITMIME"] if message.is_international else []
        await client.sendmail(
            message.sender, message.recipient, message.content, mail_options=options
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        codes = [refused.code for refused in error.recipients]
        if all(500 <= code < 600 for code in codes):
            raise Undeliverable(f"recipient refused ({codes[0]})") from None
        raise TryLater(f"recipient refused for now ({codes[0]})") from None
    except aiosmtplib.SMTPSenderRefused as error:
        refused_at: SenderStep = "sign_in" if error.code in UNAUTHENTICATED else "sender"
        raise SenderFailed(refused_at, f"sender refused ({error.code})") from None
    except aiosmtplib.SMTPResponseException as error:
        if 500 <= error.code < 600:
            raise Undeliverable(f"refused ({error.code})") from None
        raise TryLater(f"refused for now ({error.code})") from None
    except aiosmtplib.SMTPNotSupported as error:
        raise Undeliverable(f"the server cannot take this address ({error})") from None
    except FAULTS as error:
        raise SenderFailed("message", type(error).__name__) from None


async def leave(client: aiosmtplib.SMTP) -> None:
    """Ends a connection. The server's answer does not matter any more."""
    try:
        await client.quit(timeout=1.0)
    except FAULTS:
        pass
    finally:
        client.close()
