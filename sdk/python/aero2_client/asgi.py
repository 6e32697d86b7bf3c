"""A guard around an ASGI application: FastAPI, Starlette, the `mcp` package and others."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from aero2_client.resource import ProtectedResource, Refused

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
OPEN_HEADERS = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=300"}


class BearerGuard:
    """Lets a request through only with an access token for the resource.

    It serves the metadata of the resource, for the host of the resource only. The checked token is
    `scope["state"]["access_token"]`, in Starlette and FastAPI `request.state.access_token`. Paths in
    `public` need no token.
    """

    def __init__(
        self, app: Application, resource: ProtectedResource, *, public: Iterable[str] = ()
    ) -> None:
        """Wraps an application."""
        self._app, self._resource, self._public = app, resource, frozenset(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers the request, or gives it to the application."""
        if scope["type"] == "lifespan" or scope.get("path") in self._public:
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._close(scope, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["method"] in ("GET", "HEAD") and scope["path"] == self._resource.metadata_path:
            await self._send_metadata(headers.get(b"host", ""), send)
            return
        if is_preflight(scope, headers):  # has no credentials; the application answers for its CORS
            await self._app(scope, receive, send)
            return
        try:
            token = await self._resource.authorize(headers.get(b"authorization"))
        except Refused as refused:
            await _answer(send, refused.status, refused.body, refused.headers)
            return
        scope.setdefault("state", {})["access_token"] = token
        await self._app(scope, receive, send)

    async def _send_metadata(self, host: str, send: Send) -> None:
        """Another host would be another resource (RFC 9728 section 3.3)."""
        if host.lower() != self._resource.host:
            body = {"error": "not_found", "error_description": "another host has this resource"}
            await _answer(send, 404, body, {})
            return
        await _answer(send, 200, self._resource.metadata(), OPEN_HEADERS)

    async def _close(self, scope: Scope, send: Send) -> None:
        """Refuses a WebSocket: browsers cannot send its token in a header."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})


def is_preflight(scope: Scope, headers: dict[bytes, str]) -> bool:
    """Returns whether this is a CORS preflight request (Fetch standard, section 3.3.2)."""
    return scope["method"] == "OPTIONS" and b"access-control-request-method" in headers


async def _answer(send: Send, status: int, body: object, headers: dict[str, str]) -> None:
    content = json.dumps(body).encode()
    fields = {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": content})
