"""One HTTP request, as every handler of the gateway gets it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from common import logs
from common.context import ANONYMOUS, Caller, Context
from common.contracts.identity_providers import PublicProvider
from common.contracts.protection import Protection
from common.contracts.sessions import Session
from common.contracts.tenants import Tenant
from common.homes import MAIN
from gateway.http.body import LimitedBody
from gateway.http.cookies import parse_cookies, set_cookie

if TYPE_CHECKING:
    from common.span_recorder import RecordedSpan

TIME_LIMIT: Final = 10.0
"""Seconds that a request may take in all. Each contract has a shorter limit of its own."""
MAX_AGENT: Final = 300
"""Characters of a user agent that are kept."""


@dataclass(slots=True)
class RequestState:
    """The facts that the gateway adds to a request while it works on it. The request itself is
    immutable. Everything that changes is in this one object.
    """

    log_facts: dict[str, Any] = field(default_factory=dict)
    """Added to the request's log line."""
    set_cookies: tuple[bytes, ...] = ()
    """Set-Cookie values of the response."""
    cookies: dict[str, str] | None = None
    """The cookies of the request, after they are parsed."""
    new_cookies: dict[str, str] | None = None
    """Values that the response sets, by name; None if it sets none. Later code of the same request
    reads these."""
    protection: Protection | None = None
    """The challenge that the forms of the response contain for anonymous visitors."""
    providers: tuple[PublicProvider, ...] = ()
    """The identity providers for which the page of the response has buttons."""
    sign_in_by_address: bool = False
    """Whether an address may lead to the identity provider of an organization."""
    form_page: str | None = None
    """Where a GET shows the page of the posted form again, with what it carried."""
    impersonated_session: Session | None = None
    """The session of this browser, if somebody acts as its user. Every page then says so."""
    span: RecordedSpan | None = None
    """The span of the request, if its trace is recorded."""
    admission: object = None
    """An Admission (gateway/admission), which this package does not know."""


@dataclass(frozen=True, init=False)
class GatewayRequest:
    """Facts about one request. They do not change after the host is resolved. `host` is canonical:
    lower case, without trailing dot, with a port only if it is not the scheme's default. `scheme` is
    that of the deployment's public address. `tenant` is None until the host is resolved. `started`
    is a time of `time.perf_counter`.
    """

    method: str
    path: str
    raw_path: bytes | None
    query: bytes
    headers: dict[bytes, bytes]
    body: LimitedBody
    scheme: str
    host: str
    ip: str | None
    trace: str
    started: float
    state: RequestState
    tenant: Tenant | None

    def __init__(
        self,
        *,
        scope: dict[str, Any],
        headers: dict[bytes, bytes],
        body: LimitedBody,
        scheme: str,
        host: str,
        ip: str | None,
        trace: str,
        started: float,
        state: RequestState,
        tenant: Tenant | None = None,
    ) -> None:
        # The generated __init__ of a frozen dataclass takes ten times as long.
        self.__dict__.update(
            method=scope["method"],
            path=scope["path"],
            raw_path=scope.get("raw_path"),
            query=scope["query_string"],
            headers=headers,
            body=body,
            scheme=scheme,
            host=host,
            ip=ip,
            trace=trace,
            started=started,
            state=state,
            tenant=tenant,
        )

    def resolve(self, host: str, tenant: Tenant | None) -> None:
        """Completes the request with its host and, if the host has one, its application. Only the
        gateway calls this, before any handler gets the request: a copy would cost as much again."""
        attributes = self.__dict__
        attributes["host"], attributes["tenant"] = host, tenant

    @property
    def app(self) -> Tenant:
        """The application of the host."""
        assert self.tenant is not None, "only handlers of HostKind.ANY run without an application"
        return self.tenant

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}"

    @property
    def secure(self) -> bool:
        """Whether cookies are marked Secure."""
        return self.scheme == "https"

    @property
    def trace_id(self) -> str:
        """32 hex digits of the trace: the reference that people quote."""
        return self.trace[3:35]

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that the browser sent."""
        if self.state.cookies is None:
            header = self.headers.get(b"cookie", b"")
            self.state.cookies = parse_cookies(header.decode("latin-1"))
        return self.state.cookies

    def cookie(self, name: str) -> str | None:
        """Returns the cookie as the browser will have it after this response."""
        new = self.state.new_cookies
        return new[name] if new and name in new else self.cookies.get(name)

    def set_cookie(self, name: str, value: str, max_age: int | None) -> None:
        """Adds a cookie to the response. `max_age` is in seconds; None: until the browser is closed;
        0: delete it."""
        header = set_cookie(name, value, secure=self.secure, max_age=max_age)
        self.state.new_cookies = {**(self.state.new_cookies or {}), name: value}
        self.state.set_cookies = (*self.state.set_cookies, header)

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def media_type(self) -> str:
        """The type of the body, lower case, without parameters; empty if the header is missing."""
        return (self.header(b"content-type") or "").partition(";")[0].strip().lower()

    def context(
        self, caller: Caller = ANONYMOUS, app_id: str | None = None, home: str = MAIN
    ) -> Context:
        """Returns the Context for calls to services. `app_id`, with its `home`, defaults to the host's
        application."""
        agent = self.headers.get(b"user-agent")
        return Context(
            app_id=app_id or self.app.app_id,
            caller=caller,
            deadline=time.monotonic() + TIME_LIMIT,
            trace=self.trace,
            origin=self.origin,
            ip=self.ip,
            agent=agent.decode("latin-1")[:MAX_AGENT] if agent else None,
            home=home if app_id else self.app.home,
        )


def read_method(method: str) -> str:
    """Returns GET for HEAD: it is answered in the same way, without the body (RFC 9110 section
    9.3.2)."""
    return "GET" if method == "HEAD" else method


def linked_trace(header: bytes) -> str | None:
    """Returns a caller's traceparent (W3C Trace Context level 1, section 3.2), or None
    if it is malformed. The request has a trace of its own: anybody may send the id of another one."""
    if len(header) == logs.TRACEPARENT:
        parts = header.decode("latin-1").split("-")
        well_formed = [len(part) for part in parts] == [2, 32, 16, 2] and all(
            set(part) <= set("0123456789abcdef") for part in parts
        )
        if well_formed and parts[0] != "ff" and int(parts[1], 16) and int(parts[2], 16):
            return "-".join(parts)
    return None
