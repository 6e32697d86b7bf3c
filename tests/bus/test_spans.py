"""Spans of calls, statements and the relay, on a real nats-server and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode
from tests.bus.conftest import Serve
from tests.bus.probe import Answer, NameTaken, Read, Write
from tests.kit.outbox_post import Post
from tests.kit.spans import Spans, calls_of_tracing, id_of, parent_of, recorded

from common import audit, db, logs
from common.bus import NatsBus
from common.context import Context, new_trace, traced
from common.events.sessions import Logout
from common.ids import DASHBOARD
from common.in_process_bus import InProcessBus, SharedProcess
from common.leased_connection import LeasedConnection
from common.nats_client import NatsClient
from common.testing import context
from common.traced_bus import TracedBus, TracedInProcessBus, bus_of

APP = "01900000-0000-7000-8000-00000000000a"


@pytest.fixture
async def tenancy(database: dict[str, str]) -> AsyncIterator[db.Database]:
    found = await db.Database.connect(database["tenancy"], name="test", size=2)
    yield found
    await found.close()


@pytest.fixture(params=["over NATS", "in memory"])
def shared(request: pytest.FixtureRequest, process: SharedProcess) -> SharedProcess | None:
    return None if request.param == "over NATS" else process


async def ask_database(tenancy: db.Database, ctx: Context) -> Answer:
    """A handler that reads, and writes with its COMMIT."""
    async with tenancy.reader(ctx) as reader:
        await db.value(reader, "SELECT $1::uuid", ctx.app_id)
    async with tenancy.transaction(ctx) as tx:
        await db.value(tx, "-- a note\nSELECT $1::text", "hunter2")
        await db.defer(tx, "SELECT $1::text", "hunter2")
    return Answer(text=ctx.trace)


async def test_a_call_costs_nothing_while_tracing_is_off(
    near: NatsClient, serve: Serve, shared: SharedProcess | None, tenancy: db.Database
) -> None:
    """A call with its statements calls no function of tracing and makes no span: neither the caller, the
    service nor the database. Both have the plain classes."""

    async def read(_: Any, ctx: Context, request: Read) -> Answer:
        async with tenancy.reader(ctx) as reader:
            assert type(reader.connection) is LeasedConnection  # type: ignore[union-attr]
        return await ask_database(tenancy, ctx)

    await serve({Read: read})
    bus = bus_of(near, shared)
    await bus.call(context(APP), Read())
    with calls_of_tracing() as calls:
        await bus.call(context(APP), Read())
        with traced("round"):
            pass

    assert calls == []
    assert type(bus) in (NatsBus, InProcessBus)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    return recorded(monkeypatch)


async def test_a_call_is_a_span_on_both_sides_and_its_statements_are_below(
    spans: Spans,
    near: NatsClient,
    serve: Serve,
    shared: SharedProcess | None,
    tenancy: db.Database,
) -> None:
    """A statement is named by its function. Neither its text nor its parameters are sent."""

    async def read(_: Any, ctx: Context, request: Read) -> Answer:
        return await ask_database(tenancy, ctx)

    await serve({Read: read})
    bus = bus_of(near, shared)
    with traced("round"):
        ctx = context(APP)
        answer = await bus.call(Context(APP, ctx.caller, ctx.deadline, logs.trace.get()), Read())
    ended = await spans.ended()
    by_name = {(span.name, span.kind): span for span in ended}
    root = by_name["round", SpanKind.INTERNAL]
    call, served = by_name[Read.subject, SpanKind.CLIENT], by_name[Read.subject, SpanKind.SERVER]
    statements = [span for span in ended if span.attributes and "db.system.name" in span.attributes]

    assert type(bus) in (TracedBus, TracedInProcessBus)
    assert (parent_of(root), parent_of(call), parent_of(served)) == (0, id_of(root), id_of(call))
    assert answer.text[36:52] == f"{id_of(served):016x}"
    function = f"{__name__}.ask_database"
    assert [span.name for span in statements] == [function, function, "COMMIT"]
    assert {parent_of(span) for span in statements} == {id_of(served)}
    assert [dict(span.attributes or {})["db.operation.name"] for span in statements] == [
        "SELECT",
        "SELECT",
        "COMMIT",
    ]
    assert dict(statements[2].attributes or {})["db.operation.batch.size"] == 2
    sent = "".join(span.to_json() for span in ended)
    assert not [secret for secret in ("hunter2", "a note", "::uuid", APP) if secret in sent]


async def test_a_refusal_is_an_error_of_the_caller_alone(
    spans: Spans, near: NatsClient, serve: Serve, shared: SharedProcess | None
) -> None:
    """RPC conventions: a server's span fails for its own faults only."""

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        raise NameTaken

    await serve({Write: write})
    with traced("round"):
        with pytest.raises(NameTaken):
            await bus_of(near, shared).call(context(APP).with_trace(logs.trace.get()), Write())
    ended = {span.kind: span for span in await spans.ended()}

    served, call = ended[SpanKind.SERVER], ended[SpanKind.CLIENT]
    assert served.status.status_code is StatusCode.UNSET
    assert call.status.status_code is StatusCode.ERROR
    for span in (served, call):
        assert dict(span.attributes or {})["rpc.response.status_code"] == NameTaken.code


async def test_a_trace_that_is_not_recorded_makes_no_span_anywhere(
    spans: Spans,
    near: NatsClient,
    serve: Serve,
    shared: SharedProcess | None,
    tenancy: db.Database,
) -> None:
    """The root decides. The trace itself goes on, for log lines and records."""

    async def read(_: Any, ctx: Context, request: Read) -> Answer:
        return await ask_database(tenancy, ctx)

    await serve({Read: read})
    trace = new_trace()
    answer = await bus_of(near, shared).call(context(APP).with_trace(trace), Read())

    assert answer.text == trace
    assert trace.endswith("-00")
    assert await spans.ended() == []


async def test_the_ratio_decides_at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a ratio of 0 a round has a trace that is not recorded."""
    spans = recorded(monkeypatch, ratio=0)
    with traced("round"):
        assert logs.trace.get().endswith("-00")

    assert await spans.ended() == []


async def test_the_way_to_the_stream_is_in_the_trace_of_each_writer(
    monkeypatch: pytest.MonkeyPatch, post: Post
) -> None:
    """A batch has events of several requests. Each whose trace is recorded gets a span below the one that
    wrote the event; the others get none."""
    spans = recorded(monkeypatch)
    recorded_traces = []
    for _ in range(2):
        with traced("writer"):
            recorded_traces.append(logs.trace.get())
    async with post.tenancy.transaction(context(DASHBOARD)) as tx:
        for trace in (*recorded_traces, recorded_traces[0], new_trace()):
            ctx = context(DASHBOARD).with_trace(trace)
            await audit.record(tx, ctx, Logout(session_id="s"))
    await post.queue(b'"no object"', b"no JSON")
    await post.new_relay()._round()
    producers = [span for span in await spans.ended() if span.kind is SpanKind.PRODUCER]

    assert sorted(f"{parent_of(span):016x}" for span in producers) == sorted(
        trace[36:52] for trace in recorded_traces
    )
    assert {span.name for span in producers} == {"publish AUDIT"}
