"""The internal listener: metrics, and what a TLS front asks. It has a port of its own.

The public port serves none of these paths, so no header can open them. Peers outside
`AERO2_INTERNAL_NETWORKS` get 404.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from common import logs
from common.context import new_trace
from common.problems import NotFound, Problem
from gateway.http.asgi import Receive, Scope, Send
from gateway.http.body import LimitedBody
from gateway.http.proxies import within
from gateway.http.request import GatewayRequest, RequestState, read_method
from gateway.http.response import GatewayResponse, problem_response
from gateway.routing import Handler, RouteTable
from gateway.state import Gateway

log = logs.get(__name__)


@dataclass
class InternalListener:
    """An ASGI application with the routes of HostKind.INTERNAL."""

    gateway: Gateway
    table: RouteTable

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = self._request(scope, receive)
        response = await self._respond(request)
        length = (b"content-length", str(len(response.body)).encode())
        headers = [*response.headers, length]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        body = b"" if request.method == "HEAD" else response.body
        await send({"type": "http.response.body", "body": body})

    async def _respond(self, request: GatewayRequest) -> GatewayResponse:
        try:
            return await self._handler(request)(self.gateway, request)
        except Problem as problem:
            return problem_response(problem, request)
        except Exception:
            log.exception("unhandled", path=request.path, trace=request.trace)
            return problem_response(Problem(), request)

    def _handler(self, request: GatewayRequest) -> Handler:
        """Raises NotFound for an unknown path and for a peer from another network."""
        route = self.table.find(read_method(request.method), request.path)
        networks = tuple(self.gateway.settings.internal_networks)
        if route is None or not within(request.ip or "", networks):
            raise NotFound
        return route.handler

    def _request(self, scope: Scope, receive: Receive) -> GatewayRequest:
        settings = self.gateway.settings
        return GatewayRequest(
            scope=scope,
            headers=dict(scope["headers"]),
            body=LimitedBody(receive, settings.max_body),
            scheme=settings.scheme,
            host=settings.domain,
            ip=scope["client"][0] if scope.get("client") else None,
            trace=new_trace(),
            started=time.perf_counter(),
            state=RequestState(),
        )
