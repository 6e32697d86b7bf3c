"""Sends the response of one request, with the headers that every response has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from common import logs
from common.problems import Problem
from gateway.admission.admission import Admission
from gateway.error_styles import RENDERERS
from gateway.http import cors
from gateway.http.asgi import Send
from gateway.http.request import GatewayRequest
from gateway.http.response import (
    NO_SCRIPTS,
    NO_STORE,
    RESOURCE_METADATA,
    GatewayResponse,
    Headers,
    problem_response,
)
from gateway.http.response_writer import (
    CONTENT_LENGTH,
    NO_CONTENT,
    FieldBlock,
    ResponseWriter,
)
from gateway.http.streaming import send_pieces
from gateway.routing import ErrorStyle
from gateway.state import Gateway

log = logs.get(__name__)

ALWAYS: Final[Headers] = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
ALWAYS_ON_HTTPS: Final[Headers] = [
    *ALWAYS,
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
]
BLOCK: Final = FieldBlock(ALWAYS)
BLOCK_ON_HTTPS: Final = FieldBlock(ALWAYS_ON_HTTPS)


@dataclass(slots=True)
class ResponseSender:
    """An ASGI `send` that completes the headers and keeps the status, which is 0 until the response
    starts."""

    gateway: Gateway
    request: GatewayRequest
    admission: Admission
    send: Send
    errors: ErrorStyle = ErrorStyle.PAGE
    client_origin: bool = False
    """Whether the Origin is one of the application's OAuth clients."""
    status: int = 0

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body" and self.request.method == "HEAD":
            message = {**message, "body": b""}
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = self._all_headers(list(message.get("headers", ())))
        await self.send(message)

    async def respond(self, response: GatewayResponse) -> None:
        """Sends a whole response, or its pieces until the client leaves."""
        self.status = response.status
        if response.pieces is not None and self.request.method != "HEAD":
            headers = self._all_headers(response.headers)
            start = {"type": "http.response.start", "status": self.status, "headers": headers}
            await self.send(start)
            await send_pieces(self.request.body, self.send, response.pieces)
            return
        if isinstance(self.send, ResponseWriter):
            headers = self._complete(response.headers)
            block = BLOCK_ON_HTTPS if self.request.secure else BLOCK
            await self.send.respond(response.status, headers, response.body, block)
            return
        headers = self._all_headers(response.headers)
        if response.status != NO_CONTENT:
            headers.append((CONTENT_LENGTH, b"%d" % len(response.body)))
        body = b"" if self.request.method == "HEAD" else response.body
        await self.send(
            {"type": "http.response.start", "status": response.status, "headers": headers}
        )
        await self.send({"type": "http.response.body", "body": body})

    async def refuse(self, error: Problem) -> None:
        """Sends the problem in the style of the route. If a response has started, uvicorn closes the
        connection, and the log has the reason."""
        self.request.state.log_facts["outcome"] = error.code
        if error.status >= 500:
            self.request.state.log_facts["detail"] = error.detail
        if self.status == 0:
            await self.respond(self._render(error))

    def _render(self, error: Problem) -> GatewayResponse:
        """Returns a bare problem document if rendering fails, such as a page that cannot be drawn."""
        try:
            return RENDERERS[self.errors](self.gateway, self.request, error)
        except Exception:
            log.exception(
                "rendering a problem failed", path=self.request.path, trace=self.request.trace
            )
            return problem_response(Problem(), self.request)

    def _all_headers(self, headers: Headers) -> Headers:
        return [*self._complete(headers), *(ALWAYS_ON_HTTPS if self.request.secure else ALWAYS)]

    def _complete(self, headers: Headers) -> Headers:
        """Returns the headers of the response without those of every response."""
        request, admission = self.request, self.admission
        admission.finish(self.status)
        if self.status == 401:
            headers = self._with_metadata(headers)
        names = [name for name, _ in headers]
        complete = [*headers, *cors.headers(request, client_origin=self.client_origin)]
        if b"cache-control" not in names:
            complete.append(NO_STORE)  # it may depend on a credential (RFC 9111 section 5.2.2.5)
        if b"content-security-policy" not in names:
            complete.append(NO_SCRIPTS)
        if admission.quota is not None:
            complete.extend(admission.headers(request.path, self.status))
        if request.state.set_cookies:
            complete.extend((b"set-cookie", cookie) for cookie in request.state.set_cookies)
        return complete

    def _with_metadata(self, headers: Headers) -> Headers:
        """Adds to a challenge for tokens where tokens come from (RFC 9728 section 5.1)."""
        if self.request.tenant is None:
            return headers
        where = f'resource_metadata="{self.request.origin}{RESOURCE_METADATA}"'.encode()
        return [
            (name, value + (b", " if b"=" in value else b" ") + where)
            if name == b"www-authenticate" and value.startswith((b"Bearer", b"DPoP"))
            else (name, value)
            for name, value in headers
        ]
