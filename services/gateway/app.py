"""The ASGI application: it finds the application of the host and the route, admits the request, sends
the response, and writes one log line. FastAPI serves the JSON API; the routes of the table are called
directly."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from pydantic import ValidationError

from common import logs, tracing
from common.context import new_trace
from common.problems import BadRequest, Problem, TooLarge
from gateway.admission.admission import Admission
from gateway.admission.flood_limits import costly
from gateway.api.fastapi_private import matched_path
from gateway.auth.cache import session_has_ended
from gateway.auth.caller import tenant_of_key
from gateway.auth.client_origins import is_client_origin
from gateway.auth.tenant import canonical, resolve_host
from gateway.http import cors
from gateway.http.asgi import AsgiApp, Receive, Scope, Send
from gateway.http.body import LimitedBody, check_length
from gateway.http.contract_errors import problem_of
from gateway.http.proxies import client_ip
from gateway.http.request import GatewayRequest, RequestState, linked_trace, read_method
from gateway.http.request_span import begin_http_span, end_http_span
from gateway.http.response import MethodNotAllowed
from gateway.http.unseen_responses import unseen_response
from gateway.request_metrics import RequestMetrics
from gateway.response_sender import ResponseSender
from gateway.routing import HostKind, Route, RouteTable
from gateway.served_requests import SERVER_ERROR
from gateway.settings import Network
from gateway.state import Gateway

log = logs.get(__name__)

ANY_HOST, DASHBOARD_HOST = HostKind.ANY, HostKind.DASHBOARD
CHUNKED: Final = b"transfer-encoding"
MAX_HEADERS: Final = 32_768
"""Bytes of names and values together."""


@dataclass
class GatewayApp:
    """The ASGI application. FastAPI serves `application` on the hosts of applications, and `dashboard`
    on the Dashboard's."""

    gateway: Gateway
    table: RouteTable
    application: AsgiApp
    dashboard: AsgiApp
    metrics: RequestMetrics
    start: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]
    _max_body: int = field(init=False)
    _scheme: str = field(init=False)
    _api_host: str = field(init=False)
    _trusted_proxies: tuple[Network, ...] = field(init=False)

    def __post_init__(self) -> None:
        settings = self.gateway.settings  # read once: every request needs these
        self._max_body = settings.max_body
        self._scheme, self._api_host = settings.scheme, f"api.{settings.domain}"
        self._trusted_proxies = tuple(settings.trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:  # "http": offers of websockets are declined before
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
        request = self._request(scope, receive)
        logs.trace.set(request.trace)
        admission = Admission(
            self.gateway.limits,
            ip=request.ip,
            forwarded=b"x-forwarded-for" in request.headers,
            log_facts=request.state.log_facts,
        )
        request.state.admission = admission
        sender = ResponseSender(self.gateway, request, admission, send)
        api_scope = {**scope, "method": "GET"} if request.method == "HEAD" else scope
        route = self.table.find(read_method(request.method), request.path)
        try:
            if route is not None and route.host is ANY_HOST:
                await sender.respond(await route.handler(self.gateway, request))
            else:
                await self._resolve_host(sender, scope)
                await self._dispatch(sender, route, api_scope)
        except Problem as error:
            await sender.refuse(error)
        except Exception as error:
            await sender.refuse(self._problem_of(request, error))
        finally:
            if admission.slot is not None:
                admission.end_work()
            self._log(sender, route.path if route else matched_path(api_scope))

    def _problem_of(self, request: GatewayRequest, error: Exception) -> Problem:
        """Returns the problem to show for an error that is not one. Logs a fault of the deployment."""
        if isinstance(error, ValidationError):
            with contextlib.suppress(ValidationError):
                return problem_of(error)
        log.error("unhandled", path=request.path, trace=request.trace, exc_info=error)
        return Problem()

    def _request(self, scope: Scope, receive: Receive) -> GatewayRequest:
        """Returns the request before its host is resolved."""
        headers = dict(scope["headers"])
        peer = scope["client"][0] if scope.get("client") else None
        forwarded = headers.get(b"x-forwarded-for")
        state = RequestState()
        link = linked_trace(headers[b"traceparent"]) if b"traceparent" in headers else None
        if link is not None:
            state.log_facts["link"] = link[3:35]
        if tracing.recorder is not None:
            state.span = begin_http_span(tracing.recorder, scope["method"], scope["path"], link)
        return GatewayRequest(
            scope=scope,
            headers=headers,
            body=LimitedBody(receive, self._max_body),
            scheme=self._scheme,
            host="",
            ip=client_ip(peer, forwarded and forwarded.decode("latin-1"), self._trusted_proxies),
            trace=new_trace() if state.span is None else state.span.traceparent,
            started=time.perf_counter(),
            state=state,
        )

    async def _resolve_host(self, sender: ResponseSender, scope: Scope) -> None:
        """Completes the request with its host and application. Raises UnknownHost, and others for
        headers that are not accepted."""
        request = sender.request
        size = hosts = 0
        for name, value in scope["headers"]:
            size += len(name) + len(value)
            hosts += name == b"host"
        if size > MAX_HEADERS:
            raise TooLarge("the headers are too large")
        if hosts != 1:
            raise BadRequest("send exactly one Host header")
        if b"dpop" in request.headers and sum(each[0] == b"dpop" for each in scope["headers"]) > 1:
            raise BadRequest("send one DPoP header")
        host = canonical(request.headers[b"host"].decode("latin-1"), self._scheme)
        if host == self._api_host:
            request.resolve(host, None)
            tenant = await tenant_of_key(self.gateway, request)
            host = tenant.host
        else:
            tenant = await resolve_host(self.gateway, sender.admission, host)
        request.resolve(host, tenant)
        sender.admission.app_id = tenant.app_id
        if b"origin" in request.headers:
            sender.client_origin = await is_client_origin(self.gateway, request)

    async def _dispatch(self, sender: ResponseSender, route: Route | None, scope: Scope) -> None:
        """Lets the route, or FastAPI, answer the request."""
        request = sender.request
        is_dashboard = request.app.is_dashboard
        if route is not None and route.host is DASHBOARD_HOST and not is_dashboard:
            route = None
        response = unseen_response(request)
        if request.method == "OPTIONS":
            response = cors.preflight(request, client_origin=sender.client_origin)
        if response is not None:
            await sender.respond(response)
        elif route is not None:
            sender.errors = route.errors
            await self._admit(request, sender.admission)
            await sender.respond(await route.handler(self.gateway, request))
        elif methods := self.table.methods_of(request.path, dashboard=is_dashboard):
            raise MethodNotAllowed(allow=methods)
        else:
            await self._admit(request, sender.admission)
            scope["gateway"], scope["gateway_request"] = self.gateway, request
            api = self.dashboard if is_dashboard else self.application
            await api(scope, request.body, sender)

    async def _admit(self, request: GatewayRequest, admission: Admission) -> None:
        """Charges the request and takes a slot for it. With a body, it takes the slot only when the
        whole body has arrived, so that slow clients hold none. Raises RateLimited, Busy, TooLarge."""
        length = request.headers.get(b"content-length", b"0")
        check_length(length, request.body.limit)
        if not costly(request.path):
            return
        admission.admit(request, self._session_token(request))
        queue = self.gateway.queues.queue_for(request.method, request.path)
        if length != b"0" or CHUNKED in request.headers:
            request.body.on_end = partial(admission.start_work, queue)
        else:
            await admission.start_work(queue)

    def _session_token(self, request: GatewayRequest) -> str | None:
        """Returns the session cookie, unless it was rejected a moment ago."""
        if b"cookie" not in request.headers:
            return None
        token = request.cookies.get(self.gateway.settings.session_cookie)
        return None if token and session_has_ended(self.gateway, request, token) else token

    def _log(self, sender: ResponseSender, template: str | None) -> None:
        request, status = sender.request, sender.status
        seconds = time.perf_counter() - request.started
        self.metrics.observe(request.method, template, status, seconds)
        if request.state.span is not None:
            end_http_span(request.state.span, request, template, status)
        self.gateway.served.add(status, seconds)
        logs.lines.write(
            {
                "event": "http",
                "method": request.method,
                "path": request.path[:200],
                "status": status,
                "outcome": "ok",
                "ms": round(seconds * 1000, 2),
                "app_id": request.tenant.app_id if request.tenant else None,
                "ip": request.ip,
                "trace": request.trace,
                **request.state.log_facts,
            },
            level="error" if status >= SERVER_ERROR else "info",
        )
