"""The outermost layer: which application, from whom, and the headers every answer carries.

It resolves the host, keeps bodies small, answers the hot endpoints itself, hands the rest to the
API of this kind of host, turns problems into answers and writes one log line per request.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from prometheus_client import Histogram

from common import logs, metrics
from common.contracts.tenants import Tenant
from common.problems import BadRequest, Problem, TooLarge
from gateway.admission.flood_limits import costly
from gateway.auth.caller import named_by_key
from gateway.auth.tenant import canonical, resolve
from gateway.http import cors
from gateway.http import response as answers
from gateway.http.proxies import client_ip
from gateway.http.request import GatewayRequest, trace_of
from gateway.http.response import Answer, Headers, MethodNotAllowed
from gateway.state import Gateway

log = logs.get(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Hot = Callable[[GatewayRequest], Awaitable[Answer]]
"""An endpoint that the edge answers itself."""
Refuse = Callable[[Problem, GatewayRequest], Answer]

API_POLICY: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
RESOURCE_METADATA: Final = "/.well-known/oauth-protected-resource"
CHUNKED: Final = b"transfer-encoding"
ACTS_ON_READ: Final = ("/oauth2/authorize", "/oauth2/authorize/resume", "/oauth2/logout")
ENDLESS: Final = "/audit/stream"
MAX_HEADERS: Final = 32_768
"""Bytes of names and values together."""


@dataclass(frozen=True)
class Route:
    """A hot endpoint: its handler and how it renders problems."""

    handler: Hot
    refuse: Refuse


@dataclass
class GatewayApp:
    """The ASGI application. `any_host` answers on any host;
    `hot` by method and path; `pages` too, of which the apps know the other methods; `prefixes` by the start of the path; `apps` all else;
    `refuse` renders what goes wrong before any of them is found."""

    gateway: Gateway
    application: Asgi
    dashboard: Asgi
    any_host: dict[tuple[str, str], Hot]
    hot: dict[tuple[str, str], Route]
    pages: dict[tuple[str, str], Route]
    prefixes: dict[str, Route]
    refuse: Refuse
    start: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]
    common_headers: Headers = field(init=False)
    _known: frozenset[str] = frozenset()
    _methods: dict[str, str] = field(default_factory=dict)
    """By path of a hot endpoint: those it answers to."""
    _timers: dict[tuple[str, int], Histogram] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.common_headers = [
            (b"x-content-type-options", b"nosniff"),
            (b"x-frame-options", b"DENY"),
            (b"referrer-policy", b"no-referrer"),
            (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=()"),
            (b"cross-origin-opener-policy", b"same-origin"),
        ]
        if self.gateway.settings.secure:
            self.common_headers.append(
                (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:  # "http": an offer of websockets is declined before it comes here
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = self._visit(scope, receive)
        sent = ResponseSender(self, visit, send)
        refuse = self.refuse
        try:
            route = self.any_host.get((_read_method(visit), visit.path))
            if route is not None:
                await sent.answer(await route(visit))
                return
            visit.tenant = await self._tenant(visit)
            if b"origin" in visit.headers:
                await cors.recognise(visit)
            found = self._found(visit)
            if (answer := cors.preflight(visit) or _unwatched(visit)) is not None:
                await sent.answer(answer)
            elif found is not None:
                refuse = found.refuse
                visit.receive = await self._admitted(visit)
                await sent.answer(await found.handler(visit))
            elif visit.path in self._methods:
                raise MethodNotAllowed(allow=self._methods[visit.path])
            else:
                scope["visit"] = visit
                visit.receive = await self._admitted(visit)
                app = self.dashboard if visit.app.is_dashboard else self.application
                if visit.method == "HEAD":
                    scope = visit.scope = {**scope, "method": "GET"}
                await app(scope, visit.receive, sent)
        except Problem as error:
            await sent.refuse(refuse, error)
        except Exception:
            log.exception("unhandled", path=visit.path, trace=visit.trace)
            await sent.refuse(refuse, Problem())
        finally:
            self.gateway.lanes.end(visit)
            self._log(visit, sent.status)

    def _visit(self, scope: Scope, receive: Receive) -> GatewayRequest:
        headers = dict(scope["headers"])
        peer = scope["client"][0] if scope.get("client") else None
        trusted = self.gateway.settings.trusted_proxies
        forwarded = headers.get(b"x-forwarded-for")
        ip = client_ip(peer, forwarded and forwarded.decode("latin-1"), tuple(trusted))
        return GatewayRequest(
            scope=scope,
            receive=receive,
            headers=headers,
            gateway=self.gateway,
            method=scope["method"],
            path=scope["path"],
            host="",
            ip=ip,
            trace=trace_of(headers.get(b"traceparent")),
            started=time.perf_counter(),
        )

    async def _tenant(self, visit: GatewayRequest) -> Tenant:
        raw: Headers = visit.scope["headers"]
        size = hosts = 0
        for name, value in raw:
            size += len(name) + len(value)
            hosts += name == b"host"
        if size > MAX_HEADERS:
            raise TooLarge("the headers are too large")
        if hosts != 1:
            raise BadRequest("send exactly one Host header")
        host = visit.headers[b"host"].decode("latin-1")
        visit.host = canonical(host, self.gateway.settings.scheme)
        if visit.host == f"api.{self.gateway.settings.domain}":
            tenant = await named_by_key(visit)
            visit.host = tenant.host
            return tenant
        return await resolve(visit)

    async def _admitted(self, visit: GatewayRequest) -> LimitedBody:
        """The body, where there may be one more of these. A place among those worked on is taken
        once all of it is there: who sends slowly takes up none."""
        body = LimitedBody(visit.receive, self._limit(visit))
        if costly(visit.path):
            self.gateway.limits.admit(visit)
            if visit.headers.get(b"content-length", b"0") != b"0" or CHUNKED in visit.headers:
                body.begins = visit
            else:
                await self.gateway.lanes.begin(visit)
        return body

    def _found(self, visit: GatewayRequest) -> Route | None:
        named = _read_method(visit), visit.path
        if (found := self.hot.get(named) or self.pages.get(named)) is not None:
            return found
        for prefix, route in self.prefixes.items():
            if visit.path.startswith(prefix) and _read_method(visit) == "GET":
                return route
        return None

    def _limit(self, visit: GatewayRequest) -> int:
        limit = self.gateway.settings.max_body
        length = visit.headers.get(b"content-length", b"0")
        if not length.isdigit():
            raise BadRequest("Content-Length is not a number")
        if int(length) > limit:
            raise TooLarge(f"the body can have at most {limit} bytes")
        return limit

    def _log(self, visit: GatewayRequest, status: int) -> None:
        took = time.perf_counter() - visit.started
        path = _pattern(visit.scope) or visit.path
        timer = self._timers.get((path, status))
        if timer is None:
            timer = metrics.HTTP.labels(path if path in self._known else "other", str(status))
            if path in self._known:
                self._timers[path, status] = timer
        timer.observe(took)
        logs.lines.write(
            {
                "event": "http",
                "method": visit.method,
                "path": visit.path[:200],
                "status": status,
                "ms": round(took * 1000, 2),
                "app_id": visit.tenant.app_id if visit.tenant else None,
                "ip": visit.ip,
                "trace": visit.trace,
                **visit.facts,
            },
            level="error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "info",
        )

    def register_metric_paths(self, paths: frozenset[str]) -> None:
        """The paths that may label a metric: never what a stranger typed."""
        self._known = paths | {path for _, path in (*self.hot, *self.any_host)}
        for method, path in sorted(self.hot):
            known = self._methods.get(path)
            self._methods[path] = method if known is None else f"{known}, {method}"


def _read_method(visit: GatewayRequest) -> str:
    """RFC 9110 section 9.3.2: HEAD is answered as GET, without the body."""
    return "GET" if visit.method == "HEAD" else visit.method


def _unwatched(visit: GatewayRequest) -> Answer | None:
    """The answer to HEAD and to a prefetch of what acts when it is read: nobody looks at it, so
    nothing is done."""
    if visit.path.endswith(ENDLESS) and visit.method == "HEAD":
        return Answer(200, b"", [(b"content-type", b"text/event-stream")])
    if visit.path not in ACTS_ON_READ:
        return None
    if visit.method == "HEAD":
        return Answer(200, b"", [(b"content-type", b"text/html; charset=utf-8")])
    purpose = visit.headers.get(b"sec-purpose", visit.headers.get(b"purpose", b""))
    return Answer(503) if visit.method == "GET" and b"prefetch" in purpose.lower() else None


def _pattern(scope: Scope) -> str | None:
    """The path of the route that answers, with names for what varies: the API's routers are included
    under a prefix, which FastAPI keeps beside the route."""
    included = scope.get("fastapi", {}).get("effective_route_context")
    return getattr(included or scope.get("route"), "path", None)


@dataclass
class LimitedBody:
    """A body that ends in TooLarge when more comes than was announced or allowed."""

    receive: Receive
    limit: int
    begins: GatewayRequest | None = None
    """What is worked on from the end of the body on."""
    seen: int = 0

    async def __call__(self) -> dict[str, Any]:
        message = await self.receive()
        if message["type"] == "http.request":
            self.seen += len(message.get("body", b""))
            if self.seen > self.limit:
                raise TooLarge(f"the body can have at most {self.limit} bytes")
            if self.begins is not None and not message.get("more_body"):
                visit, self.begins = self.begins, None
                await visit.gateway.lanes.begin(visit)
        return message


@dataclass
class ResponseSender:
    """Sends, adding what every answer carries, and remembers the status."""

    edge: GatewayApp
    visit: GatewayRequest
    send: Send
    status: int = 0

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body" and self.visit.method == "HEAD":
            message = {**message, "body": b""}
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            message["headers"] = self._complete(self._challenged(headers))
        await self.send(message)

    async def answer(self, answer: Answer) -> None:
        self.status = answer.status
        headers = self._complete(self._challenged(answer.headers))
        headers.append((b"content-length", str(len(answer.body)).encode()))
        body = b"" if self.visit.method == "HEAD" else answer.body
        await self.send(
            {"type": "http.response.start", "status": answer.status, "headers": headers}
        )
        await self.send({"type": "http.response.body", "body": body})

    async def refuse(self, refuse: Refuse, error: Problem) -> None:
        if error.status >= 500:
            self.visit.facts["problem"] = error.code
            self.visit.facts["detail"] = error.detail
        if self.status == 0:
            await self.answer(self._refusal(refuse, error))
        # else: the answer has begun; uvicorn closes the connection, and the log says why

    def _refusal(self, refuse: Refuse, error: Problem) -> Answer:
        """A refusal that fails itself, a page that cannot be drawn, becomes a plain problem."""
        try:
            return refuse(error, self.visit)
        except Exception:
            log.exception("refusal failed", path=self.visit.path, trace=self.visit.trace)
            return answers.problem(Problem(), self.visit)

    def _challenged(self, headers: Headers) -> Headers:
        """RFC 9728 section 5.1: who is asked for a token is told where tokens come from."""
        if self.status != 401 or self.visit.tenant is None:
            return headers
        where = f'resource_metadata="{self.visit.origin}{RESOURCE_METADATA}"'.encode()
        return [
            (name, value + (b", " if b"=" in value else b" ") + where)
            if name == b"www-authenticate" and value.startswith(b"Bearer")
            else (name, value)
            for name, value in headers
        ]

    def _complete(self, headers: Headers) -> Headers:
        visit, gateway = self.visit, self.edge.gateway
        gateway.limits.finish(visit, self.status)
        gateway.lanes.end(visit)
        found = [*headers, *self.edge.common_headers, *cors.headers(visit)]
        if not any(name == b"cache-control" for name, _ in headers):
            found.append(answers.NO_STORE)  # it may depend on a credential (RFC 9111, 5.2.2.5)
        if not any(name == b"content-security-policy" for name, _ in headers):
            found.append(API_POLICY)
        if visit.quota is not None:
            found.extend(gateway.limits.headers(visit, self.status))
        if visit.cookies_out:
            found.extend((b"set-cookie", cookie) for cookie in visit.cookies_out)
        return found
