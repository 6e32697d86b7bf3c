"""One HTTP request, as everything in the gateway sees it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any, Final

from common.context import ANONYMOUS, Caller, Context, new_trace
from common.problems import BadRequest

if TYPE_CHECKING:
    from common.contracts.tenants import Tenant
    from gateway.admission.fair_queue import FairQueue
    from gateway.admission.flood_limits import Charge, PresentedCredential
    from gateway.state import Gateway

WITHIN: Final = 10.0
"""Seconds a request may take in all; each contract's own limit is shorter."""
AGENT: Final = 300
"""Characters of a user agent that are kept."""


@dataclass(slots=True)
class GatewayRequest:
    """`host` is canonical: lower case, no trailing dot, port only where not the scheme's default."""

    scope: dict[str, Any]
    receive: Any
    headers: dict[bytes, bytes]
    gateway: Gateway
    method: str
    path: str
    host: str
    ip: str | None
    trace: str
    started: float
    tenant: Tenant | None = None
    caller: Caller | None = None
    client_origin: bool = False
    """Whether the Origin is one of this application's OAuth clients."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the handler adds to the log line."""
    cookies_out: list[bytes] = field(default_factory=list)
    claim: PresentedCredential | None = None
    """The credential that came along, until it is accepted; it is charged otherwise."""
    quota: Charge | None = None
    """The limit that this request counts against."""
    lane: FairQueue | None = None
    """Where it takes up a place."""
    _cookies: dict[str, str] | None = None

    @property
    def app(self) -> Tenant:
        assert self.tenant is not None, "the edge resolves the tenant before any handler"
        return self.tenant

    @property
    def origin(self) -> str:
        return f"{self.gateway.settings.scheme}://{self.host}"

    @property
    def cookies(self) -> dict[str, str]:
        if self._cookies is None:
            self._cookies = parse_cookies(self.headers.get(b"cookie", b"").decode("latin-1"))
        return self._cookies

    def ended(self, token: str) -> tuple[str, str, str]:
        """Where a session that holds no more is remembered."""
        return self.app.app_id, "ended", token

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def context(self, caller: Caller = ANONYMOUS, app_id: str | None = None) -> Context:
        agent = self.headers.get(b"user-agent")
        return Context(
            app_id=app_id or self.app.app_id,
            caller=caller,
            deadline=time.time() + WITHIN,
            trace=self.trace,
            origin=self.origin,
            ip=self.ip,
            agent=agent.decode("latin-1")[:AGENT] if agent else None,
        )

    async def body(self) -> bytes:
        """The whole body; the edge has bounded its size. Raises BadRequest where it broke off: half
        a form is another one (RFC 9112 section 8)."""
        chunks: list[bytes] = []
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise BadRequest("the connection ended before the whole body arrived")
            chunks.append(message.get("body", b""))
            if not message.get("more_body"):
                return b"".join(chunks)


def parse_cookies(header: str) -> dict[str, str]:
    """A malformed Cookie header is no cookies at all; of two alike the first counts."""
    found: dict[str, str] = {}
    for part in header.split(";"):
        name, equals, value = part.strip().partition("=")
        if equals and name and name not in found:
            found[name] = value.strip().strip('"')
    return found


def set_cookie(
    name: str, value: str, *, secure: bool, max_age: int | None, http_only: bool = True
) -> bytes:
    """A Set-Cookie value: host-only, Path=/, SameSite=Lax (RFC 6265bis section 4.1)."""
    try:
        cookie = SimpleCookie({name: value})
    except CookieError:
        raise ValueError("not a cookie name") from None
    morsel = cookie[name]
    morsel["path"] = "/"
    morsel["samesite"] = "Lax"
    morsel["secure"] = secure
    morsel["httponly"] = http_only
    if max_age is not None:
        morsel["max-age"] = max_age
    return morsel.OutputString().encode()


def trace_of(header: bytes | None) -> str:
    """The caller's traceparent (W3C Trace Context) where it is well-formed, else a new one."""
    if header is not None and len(header) == 55:
        text = header.decode("latin-1")
        parts = text.split("-")
        well_formed = [len(part) for part in parts] == [2, 32, 16, 2] and all(
            set(part) <= set("0123456789abcdef") for part in parts
        )
        if well_formed and parts[0] != "ff" and int(parts[1], 16) and int(parts[2], 16):
            return text
    return new_trace()
