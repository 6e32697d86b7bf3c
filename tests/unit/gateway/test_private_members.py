"""The private members of uvicorn and FastAPI that the gateway uses still exist.

A failure names the member that a new version of the package has changed.
"""

from __future__ import annotations

import inspect

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from gateway.api.fastapi_private import matched_path


@pytest.mark.parametrize(
    ("member", "parameters"),
    [
        ("__init__", ["config", "server_state", "app_state", "_loop"]),
        ("_start_asgi_task", ["cycle", "app"]),
        ("send_400_response", ["msg"]),
        ("on_message_begin", []),
        ("on_headers_complete", []),
        ("on_message_complete", []),
        ("on_response_complete", []),
        ("shutdown", []),
        ("pause_writing", []),
        ("resume_writing", []),
    ],
)
def test_the_protocol_of_uvicorn_has(member: str, parameters: list[str]) -> None:
    """gateway/http/uvicorn_private.py and slow_clients.py override or call it."""
    signature = inspect.signature(getattr(HttpToolsProtocol, member))

    assert list(signature.parameters) == ["self", *parameters]


def test_a_connection_of_uvicorn_has_its_state() -> None:
    """slow_clients.py reads these attributes of a connection and of a request."""
    source = inspect.getsource(HttpToolsProtocol)
    for name in (
        "client",
        "connections",
        "cycle",
        "flow.resume_reading()",
        "headers",
        "parser",
        "pipeline.pop()",
        "server_state.total_requests",
        "timeout_keep_alive",
        "transport",
        "url",
    ):
        assert f"self.{name}" in source, f"HttpToolsProtocol has no attribute {name}"
    source = inspect.getsource(RequestResponseCycle)
    for name in ("response_complete", "more_body", "disconnected", "message_event", "keep_alive"):
        assert f"self.{name}" in source, f"RequestResponseCycle has no attribute {name}"


def test_a_request_of_uvicorn_is_answered_by_these_attributes() -> None:
    """response_writer.py sends a whole response as `send` would."""
    source = inspect.getsource(RequestResponseCycle.send)
    for name in (
        "default_headers",
        "disconnected",
        "flow.write_paused",
        "flow.drain()",
        "keep_alive",
        "message_event.set()",
        "on_response()",
        "response_complete",
        "response_started",
        'scope["method"]',
        "transport.write(",
        "transport.close()",
        "waiting_for_100_continue",
    ):
        assert f"self.{name}" in source, f"RequestResponseCycle.send does not use {name}"
    assert STATUS_LINE[204] == b"HTTP/1.1 204 No Content\r\n"


def test_an_application_gets_the_bound_send_of_its_request() -> None:
    """response_writer.py finds the request by it."""
    source = inspect.getsource(RequestResponseCycle.run_asgi)

    assert "self.scope, self.receive, self.send" in source


def test_a_server_of_uvicorn_has_its_state() -> None:
    """gateway/server.py drains the listeners itself."""
    server = uvicorn.Server(uvicorn.Config(FastAPI()))
    for name in ("servers", "server_state", "lifespan", "capture_signals", "shutdown", "main_loop"):
        present = hasattr(server, name) or f"self.{name}" in inspect.getsource(uvicorn.Server)
        assert present, f"uvicorn.Server has no attribute {name}"


async def test_fastapi_keeps_the_whole_path_beside_the_route() -> None:
    """Metrics are labelled by it. The router's own path lacks the prefix."""
    router, app, scopes = APIRouter(), FastAPI(), list[Scope]()

    @router.get("/users/{id}")
    async def get(id: str) -> str:
        return id

    app.include_router(router, prefix="/api")

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await app(scope, receive, send)

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=watched), base_url="http://x"
    ) as http:
        assert (await http.get("/api/users/1")).json() == "1"

    assert matched_path(dict(scopes[0])) == "/api/users/{id}"


def test_a_route_of_fastapi_has_what_openapi_and_unknown_fields_read() -> None:
    """gateway/api reads these attributes of a route."""
    source = inspect.getsource(APIRoute)
    for name in ("dependant", "body_field", "response_model", "get_route_handler"):
        assert name in source, f"APIRoute has no attribute {name}"
