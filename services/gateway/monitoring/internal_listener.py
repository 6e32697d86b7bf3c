"""The internal listener: metrics, and what a TLS front asks. It has a port of its own.

The public port knows none of these paths, so no header can open them. Peers outside
`AERO2_INTERNAL_NETWORKS` get 404.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from common import logs
from common.context import new_trace
from common.problems import NotFound, Problem
from gateway.http import response as answers
from gateway.http.proxies import within
from gateway.http.request import GatewayRequest

if TYPE_CHECKING:
    from gateway.app import Hot, Receive, Scope, Send
    from gateway.state import Gateway

log = logs.get(__name__)


@dataclass
class Internal:
    """An ASGI application: `routes` by method and path."""

    gateway: Gateway
    routes: dict[tuple[str, str], Hot]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = self._visit(scope, receive)
        try:
            answer = await self._handler(visit)(visit)
        except Problem as problem:
            answer = answers.problem(problem, visit)
        except Exception:
            log.exception("unhandled", path=visit.path, trace=visit.trace)
            answer = answers.problem(Problem(), visit)
        length = (b"content-length", str(len(answer.body)).encode())
        headers = [*answer.headers, length]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else answer.body
        await send({"type": "http.response.body", "body": body})

    def _handler(self, visit: GatewayRequest) -> Hot:
        """Raises NotFound for an unknown path and for a peer from elsewhere."""
        peer = visit.ip or ""
        method = "GET" if visit.method == "HEAD" else visit.method
        handler = self.routes.get((method, visit.path))
        if handler is None or not within(peer, tuple(self.gateway.settings.internal_networks)):
            raise NotFound
        return handler

    def _visit(self, scope: dict[str, Any], receive: Receive) -> GatewayRequest:
        return GatewayRequest(
            scope=scope,
            receive=receive,
            headers=dict(scope["headers"]),
            gateway=self.gateway,
            method=scope["method"],
            path=scope["path"],
            host=self.gateway.settings.domain,
            ip=scope["client"][0] if scope.get("client") else None,
            trace=new_trace(),
            started=time.perf_counter(),
        )
