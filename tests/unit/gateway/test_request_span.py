"""The span of a request, and what requests cost without tracing."""

from __future__ import annotations

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode
from tests.kit.people import People
from tests.kit.spans import Spans, calls_of_tracing, recorded

from common.contracts.tenants import Tenant

THEIRS = "4ba94d6b8eaf052ccf1809c98d6b2053"


async def test_a_request_calls_nothing_of_tracing_while_it_is_off(
    http: httpx.AsyncClient, people: People
) -> None:
    """A request with a cookie, a request of a stranger with a traceparent, and an unknown path."""
    with calls_of_tracing() as calls:
        await http.get("/login")
        await http.get("/api/auth/session", headers={"traceparent": f"00-{THEIRS}-{'1' * 16}-01"})
        await http.get("/api/nothing")

    assert calls == []


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    return recorded(monkeypatch)


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


async def test_a_span_has_the_template_and_no_path(
    http: httpx.AsyncClient, app: Tenant, spans: Spans
) -> None:
    """A path, a query or a header may hold what only its reader should know. The span has none of
    them, and not the address of the client."""
    await http.get("/api/users/secret-1?token=secret-2", headers={"cookie": "a=secret-3"})
    (span,) = await spans.ended()

    assert (span.name, span.kind, span.parent) == ("GET /api/users/{id}", SpanKind.SERVER, None)
    assert attributes(span) == {
        "http.request.method": "GET",
        "http.route": "/api/users/{id}",
        "http.response.status_code": 401,
        "url.scheme": "http",
        "server.address": "demo.localhost",
        "aero2.app_id": app.app_id,
    }
    assert span.status.status_code is StatusCode.UNSET
    assert "secret" not in span.to_json()


async def test_a_stranger_chooses_neither_name_nor_method(
    http: httpx.AsyncClient, app: Tenant, spans: Spans
) -> None:
    """Unknown paths and methods have one name, so a scanner makes no new ones."""
    await http.get("/api/nothing/chosen")
    await http.request("CHOSEN", "/login")
    await http.get("/chosen", headers={"host": "chosen.example.com"})
    ended = await spans.ended()

    assert {span.name for span in ended} == {"HTTP"}
    assert [attributes(span)["http.request.method"] for span in ended] == ["GET", "_OTHER", "GET"]
    sent = "".join(span.to_json() for span in ended)
    assert "chosen" not in sent.lower()


@pytest.mark.parametrize("flag", ["00", "01"])
async def test_a_strangers_trace_changes_nothing_but_a_link(
    http: httpx.AsyncClient, app: Tenant, monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    """Neither its flag nor its id decides whether a request is recorded, or in which trace. Its state is
    not kept, however long."""
    headers = {"traceparent": f"00-{THEIRS}-{'1' * 16}-{flag}", "tracestate": "a=" + "b" * 600}
    none = recorded(monkeypatch, ratio=0)
    await http.get("/login", headers=headers)
    assert await none.ended() == []
    every = recorded(monkeypatch, ratio=1)
    await http.get("/login", headers=headers)
    (span,) = await every.ended()

    assert span.context is not None
    assert (span.parent, f"{span.context.trace_id:032x}" == THEIRS) == (None, False)
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [THEIRS]
    assert "bbb" not in span.to_json()


async def test_probes_have_no_span(http: httpx.AsyncClient, app: Tenant, spans: Spans) -> None:
    """A load balancer asks every few seconds."""
    await http.get("/health/live")

    assert await spans.ended() == []


async def test_a_fault_of_ours_is_an_error(
    http: httpx.AsyncClient, app: Tenant, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the code of the problem, and without the text of the exception."""

    async def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("gateway.app.GatewayApp._dispatch", broken)
    await http.get("/login")
    (span,) = await spans.ended()

    assert span.status.status_code is StatusCode.ERROR
    assert attributes(span)["error.type"] == "internal"
    assert "secret" not in span.to_json()
