"""The bus between processes, on a real nats-server, and the bus inside a process: what holds for a
caller holds for both."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from nats.aio.msg import Msg
from prometheus_client import REGISTRY
from tests.bus.conftest import Serve
from tests.bus.probe import Answer, Guarded, Keep, Listed, NameTaken, Read, Slow, Write
from tests.kit.nats_server import PATIENCE, start, until

from common import logs
from common.bus import SYSTEM_SUBJECT, NatsBus
from common.bus_server import BusServer
from common.caller import KINDS, Kind
from common.context import (
    EVERYTHING,
    HEADER,
    RETURN_OVERHEAD,
    SYSTEM_CALLER,
    Caller,
    Context,
)
from common.db import committed, inside_transaction
from common.in_process_bus import InProcessBus, SharedProcess
from common.nats_client import NatsClient
from common.problems import (
    BadRequest,
    Busy,
    Conflict,
    Forbidden,
    Invalid,
    Problem,
    TooLate,
    Unauthenticated,
    Unavailable,
)
from common.testing import LocalBus, context

APP = "01900000-0000-7000-8000-00000000000a"
SECRET = "hunter2-and-some-more"


@pytest.fixture(params=["over NATS", "in memory"])
def bus(request: pytest.FixtureRequest, near: NatsClient, process: SharedProcess) -> NatsBus:
    """Both ways to the same handlers."""
    return NatsBus(near) if request.param == "over NATS" else InProcessBus(near, process)


async def ask(nc: NatsClient, subject: str, body: bytes, header: str | None) -> Msg:
    """Sends a message without the bus, as any NATS client could."""
    headers = {} if header is None else {HEADER: header}
    return await nc.request(subject, body, timeout=3, headers=headers)


async def test_handlers_of_one_contract_run_side_by_side(bus: NatsBus, serve: Serve) -> None:
    """Eight requests of one contract are handled at the same time."""
    meeting = asyncio.Barrier(8)

    async def read(_: Any, ctx: Context, request: Read) -> Answer:
        await meeting.wait()  # returns only when all eight are here
        return Answer(text=request.name)

    await serve({Read: read})
    asked = [bus.call(context(APP), Read(name=str(n))) for n in range(8)]

    assert [a.text for a in await asyncio.gather(*asked)] == [str(n) for n in range(8)]


async def test_no_more_handlers_run_than_allowed(bus: NatsBus, serve: Serve) -> None:
    """`concurrency` limits the handlers that run. The other requests wait and are all answered."""
    running, most = 0, 0

    async def read(_: Any, ctx: Context, request: Read) -> Answer:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        return Answer()

    await serve({Read: read}, concurrency=2, queue=100)
    await asyncio.gather(*(bus.call(context(APP), Read()) for _ in range(20)))

    assert most == 2


async def test_a_full_queue_answers_busy_at_once(bus: NatsBus, serve: Serve) -> None:
    """A request that finds the queue full is refused at once, while the first one still runs."""
    go, begun = asyncio.Event(), asyncio.Event()

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        begun.set()
        await go.wait()
        return Answer(text=request.name)

    await serve({Write: write}, concurrency=1, queue=1)
    first = asyncio.create_task(bus.call(context(APP), Write(name="first")))
    await begun.wait()
    second = asyncio.create_task(bus.call(context(APP), Write(name="second")))
    await asyncio.sleep(0.05)

    with pytest.raises(Busy) as refused:
        await bus.call(context(APP), Write(name="third"))

    assert refused.value.extra["retry_after"] == 1
    assert not first.done()
    go.set()
    assert (await first).text == "first"
    assert (await second).text == "second"


async def test_each_hop_has_less_time_than_the_one_before(bus: NatsBus, serve: Serve) -> None:
    """At every hop RETURN_OVERHEAD is left to the caller, so that the callee can report its timeout."""

    async def read(_: Any, ctx: Context, request: Read) -> Answer:
        return Answer(number=ctx.remaining())

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        left = ctx.remaining()
        below = await bus.call(ctx, Read())
        assert below.number <= left - RETURN_OVERHEAD
        return Answer(number=left)

    await serve({Read: read, Write: write})
    ctx = context(APP, within=1.0)

    assert (await bus.call(ctx, Write())).number <= 1.0 - RETURN_OVERHEAD


async def test_work_that_cannot_finish_is_not_begun(bus: NatsBus, serve: Serve) -> None:
    """A handler does not start if only 60 ms are left."""
    begun = []

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        begun.append(request)
        return Answer()

    await serve({Write: write})
    with pytest.raises(TooLate):
        await bus.call(context(APP, within=0.06), Write())
    with pytest.raises(TooLate):
        await bus.call(context(APP, within=-1), Write())

    assert begun == []


async def test_a_callee_reports_its_own_timeout(bus: NatsBus, serve: Serve) -> None:
    """A handler that runs out of time is cancelled, and the problem arrives before the caller's
    deadline."""
    stopped = asyncio.Event()

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        try:
            await asyncio.sleep(30)
        finally:
            stopped.set()
        return Answer()

    await serve({Write: write})
    with pytest.raises(TooLate, match="took too long"):
        await bus.call(context(APP, within=1.0), Write())

    assert stopped.is_set()


async def test_what_waited_too_long_is_not_begun(bus: NatsBus, serve: Serve) -> None:
    """A write that used up its time in the queue is refused: its caller no longer waits."""
    begun = []

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        begun.append(request.name)
        await asyncio.sleep(0.4)
        return Answer()

    server = await serve({Write: write}, concurrency=1)
    first = asyncio.create_task(bus.call(context(APP), Write(name="first")))
    await until(lambda: begun)
    with pytest.raises(TooLate):
        await bus.call(context(APP, within=0.15), Write(name="second"))
    await first
    await until(lambda: not server._running)

    assert begun == ["first"]


async def test_problems_cross_whole(bus: NatsBus, serve: Serve) -> None:
    """The class, detail and other members of a problem arrive as they were raised."""

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        raise NameTaken("ada is taken", name="ada", tries=3)

    await serve({Write: write})
    with pytest.raises(NameTaken) as caught:
        await bus.call(context(APP), Write())

    assert caught.value.detail == "ada is taken"
    assert caught.value.extra == {"name": "ada", "tries": 3}


async def test_a_code_of_a_newer_peer_keeps_its_kind(bus: NatsBus, serve: Serve) -> None:
    """An unknown code becomes the class of its status, so that `except` for the class still works."""

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        newer = Conflict("from the future")
        newer.to_wire = lambda: {"status": 409, "code": "from_2030", "detail": "x"}  # type: ignore[method-assign]
        raise newer

    await serve({Write: write})
    with pytest.raises(Conflict):
        await bus.call(context(APP), Write())


async def test_an_unknown_error_crosses_bare(
    bus: NatsBus, near: NatsClient, serve: Serve, capfd: pytest.CaptureFixture[str]
) -> None:
    """The text of an unexpected exception stays in the service: it is not in the reply or its
    headers."""

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        raise RuntimeError(f"dsn=postgres://aero2:{SECRET}@db")

    await serve({Write: write})
    with pytest.raises(Problem) as caught:
        await bus.call(context(APP), Write())
    raw = await ask(near, Write.subject, b"{}", context(APP).encode())

    assert type(caught.value) is Problem
    assert orjson.loads(raw.data) == Problem().to_wire()
    assert SECRET not in str(raw.headers)
    assert "RuntimeError" not in str(raw.headers) + raw.data.decode()


async def test_a_reply_that_is_too_large_is_an_error_and_no_hang(
    bus: NatsBus, serve: Serve
) -> None:
    """A reply above the server's limit becomes `internal`, and the connection stays usable."""

    async def read(_: Any, ctx: Context, request: Read) -> Answer:
        return Answer(text="x" * (2 * 1024 * 1024 if request.name == "big" else 1))

    await serve({Read: read})
    with pytest.raises(Problem) as caught:
        await bus.call(context(APP), Read(name="big"))

    assert type(caught.value) is Problem
    assert (await bus.call(context(APP), Read())).text == "x"


async def test_a_request_that_is_too_large_is_invalid(bus: NatsBus, serve: Serve) -> None:
    """The calling side refuses a request above the limit."""
    await serve({})
    with pytest.raises(Invalid):
        await bus.call(context(APP), Write.model_construct(name="x" * 2_000_000))


POISON: dict[str, tuple[bytes, str | None, type[Problem]]] = {
    "no context": (b"{}", None, BadRequest),
    "an empty context": (b"{}", "", BadRequest),
    "a context that is not JSON": (b"{}", "}{", BadRequest),
    "a context that is a list": (b"{}", "[]", BadRequest),
    "a context without application": (b"{}", '{"d":1,"t":""}', BadRequest),
    "an application that is no id": (b"{}", '{"a":"x","d":99999999999,"t":""}', BadRequest),
    "an application that is a number": (b"{}", '{"a":5,"d":99999999999,"t":""}', BadRequest),
    "a deadline that is text": (b"{}", f'{{"a":"{APP}","d":"soon","t":""}}', BadRequest),
    "a deadline that is null": (b"{}", f'{{"a":"{APP}","d":null,"t":""}}', BadRequest),
    "a time limit that is text": (b"{}", f'{{"a":"{APP}","d":1,"l":"long","t":""}}', BadRequest),
    "a time limit that is a list": (b"{}", f'{{"a":"{APP}","d":1,"l":[],"t":""}}', BadRequest),
    "a trace that is a list": (b"{}", f'{{"a":"{APP}","d":99999999999,"t":[]}}', BadRequest),
    "a caller that is text": (
        b"{}",
        f'{{"a":"{APP}","d":99999999999,"t":"","c":"me"}}',
        BadRequest,
    ),
    "a caller of no kind": (
        b"{}",
        f'{{"a":"{APP}","d":99999999999,"t":"","c":{{"k":"root","i":null}}}}',
        BadRequest,
    ),
    "permissions that are a number": (
        b"{}",
        f'{{"a":"{APP}","d":99999999999,"t":"","c":{{"k":"user","i":"x","p":5}}}}',
        BadRequest,
    ),
    "permissions in one text": (
        b"{}",
        f'{{"a":"{APP}","d":99999999999,"t":"","c":{{"k":"user","i":"x","p":"*"}}}}',
        BadRequest,
    ),
    "a body that is not JSON": (b"{" + SECRET.encode(), "good", Invalid),
    "a body that is not UTF-8": (b'{"name":"\xff\xfe"}', "good", Invalid),
    "a body that is a list": (b"[]", "good", Invalid),
    "a field of the wrong type": (b'{"count":"' + SECRET.encode() + b'"}', "good", Invalid),
    "a field that is too long": (b'{"name":"' + SECRET.encode() * 9 + b'"}', "good", Invalid),
    "a NUL character": (b'{"name":"a\\u0000b"}', "good", Invalid),
    "a NUL character after a backslash": (b'{"name":"a\\\\\\u0000b"}', "good", Invalid),
    "a NUL byte": (b'{"name":"a\0b"}', "good", Invalid),
    "almost a megabyte": (b'{"name":"' + b"x" * 1_000_000 + b'"}', "good", Invalid),
    "ten thousand brackets": (b"[" * 10_000, "good", Invalid),
}


@pytest.mark.parametrize("case", POISON)
async def test_poison_is_answered_and_forgotten(
    case: str, near: NatsClient, bus: NatsBus, serve: Serve, capfd: pytest.CaptureFixture[str]
) -> None:
    """A message that cannot be decoded gets a problem without its content. The next message is
    served."""
    body, header, problem = POISON[case]
    begun = []

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        begun.append(request)
        return Answer(text="still here")

    await serve({Write: write})
    header = context(APP).encode() if header == "good" else header
    msg = await ask(near, Write.subject, body, header)
    wire = orjson.loads(msg.data)

    assert type(Problem.from_wire(wire)) is problem, wire
    assert SECRET not in msg.data.decode()
    assert begun == []
    assert SECRET not in "".join(capfd.readouterr())
    assert (await bus.call(context(APP), Write())).text == "still here"


async def test_a_text_that_only_looks_like_a_nul_is_a_text(
    near: NatsClient, bus: NatsBus, serve: Serve
) -> None:
    """A backslash, a `u` and four zeros are valid characters of a `state` or a password."""

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        return Answer(text=request.name)

    await serve({Write: write})

    assert (await bus.call(context(APP), Write(name="a\\u0000"))).text == "a\\u0000"


async def test_a_message_without_reply_subject_is_no_harm(
    near: NatsClient, bus: NatsBus, serve: Serve
) -> None:
    """A message without a reply subject gets no answer, and the next request is served."""

    async def read(_: Any, ctx: Context, request: Read) -> Answer:
        return Answer(text="ok")

    await serve({Read: read})
    await near.publish(Read.subject, b"{}")
    await near.publish(Read.subject, b"{}", headers={HEADER: context(APP).encode()})

    assert (await bus.call(context(APP), Read())).text == "ok"


@pytest.mark.parametrize("name", ["a\0b", "half a pair \ud83d", "x" * 101], ids=str.__len__)
async def test_a_text_that_is_not_valid_never_reaches_a_handler(
    name: str, bus: NatsBus, serve: Serve
) -> None:
    """NUL, half a surrogate pair and a text that is too long are refused, even if the caller did not
    validate its request."""
    begun = []

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        begun.append(request)
        return Answer()

    await serve({Write: write})
    with pytest.raises(Invalid):
        await bus.call(context(APP), Write.model_construct(name=name, _fields_set={"name"}))

    assert begun == []


async def test_caller_and_handler_share_no_object(bus: NatsBus, serve: Serve) -> None:
    """What the handler changes in its request, or later in its reply, the caller does not see."""
    kept: list[Listed] = []

    async def keep(_: Any, ctx: Context, request: Keep) -> Listed:
        request.names.append("of the handler")
        kept.append(Listed(names=request.names))
        return kept[0]

    await serve({Keep: keep})
    request = Keep(names=["of the caller"])
    reply = await bus.call(context(APP), request)
    kept[0].names.append("after the reply")

    assert request.names == ["of the caller"]
    assert reply.names == ["of the caller", "of the handler"]


async def test_a_handler_sees_no_variable_of_its_caller(bus: NatsBus, serve: Serve) -> None:
    """Context variables of the caller, such as that it has committed, do not reach the handler, and
    those of the handler do not come back."""
    seen: list[tuple[bool, str]] = []

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        seen.append((inside_transaction.get(), logs.trace.get()))
        committed.set(False)
        logs.trace.set("of the handler")
        return Answer()

    await serve({Write: write})
    tokens = inside_transaction.set(True), committed.set(True), logs.trace.set("of the caller")
    ctx = context(APP)
    try:
        await bus.call(ctx, Write())
        after = committed.get(), logs.trace.get()
    finally:
        inside_transaction.reset(tokens[0])
        committed.reset(tokens[1])
        logs.trace.reset(tokens[2])

    assert seen == [(False, ctx.trace)]
    assert after == (True, "of the caller")


async def test_a_caller_that_gives_up_does_not_stop_the_work(bus: NatsBus, serve: Serve) -> None:
    """The handler ends its work after its caller was cancelled."""
    begun, go, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        begun.set()
        await go.wait()
        done.set()
        return Answer()

    await serve({Write: write})
    caller = asyncio.create_task(bus.call(context(APP), Write()))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go.set()

    await asyncio.wait_for(done.wait(), PATIENCE)


async def test_each_answer_is_counted_and_logged(
    bus: NatsBus, near: NatsClient, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call adds one to the metric of its subject and outcome, and to the figures of the service,
    and writes one log line."""
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(logs.lines, "write", lambda fields, **_: lines.append(fields))

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        raise NameTaken

    def counted() -> float:
        labels = {"subject": Write.subject, "outcome": NameTaken.code}
        return REGISTRY.get_sample_value("aero2_contract_seconds_count", labels) or 0

    await serve({Write: write})
    before, ctx = counted(), context(APP)
    with pytest.raises(NameTaken):
        await bus.call(ctx, Write())
    figures = orjson.loads((await near.request("$SRV.STATS.probe", timeout=2)).data)

    assert counted() - before == 1
    assert figures["endpoints"][0]["num_requests"] == 1
    assert [(line["contract"], line["outcome"], line["trace"]) for line in lines] == [
        (Write.subject, NameTaken.code, ctx.trace)
    ]


async def test_needs_is_enforced_where_it_is_served(bus: NatsBus, serve: Serve) -> None:
    """The serving process checks the right before the handler, even if the gateway did not."""

    async def guarded(_: Any, ctx: Context, request: Guarded) -> Answer:
        return Answer(text=ctx.caller.kind)

    await serve({Guarded: guarded})
    holder = Caller("user", APP, frozenset({"things:write"}))

    with pytest.raises(Unauthenticated):
        await bus.call(context(APP), Guarded())
    with pytest.raises(Forbidden):
        await bus.call(context(APP, Caller("user", APP, frozenset({"things:read"}))), Guarded())
    assert (await bus.call(context(APP, holder), Guarded())).text == "user"


async def test_a_read_is_tried_once_more(bus: NatsBus, serve: Serve) -> None:
    """A read that was refused by a full replica is sent once more."""
    asked: list[str] = []

    async def read(_: Any, ctx: Context, request: Read) -> Answer:
        asked.append(request.name)
        if request.name == "never" or len(asked) == 1:
            raise Busy
        return Answer(text="second time")

    await serve({Read: read})

    assert (await bus.call(context(APP), Read(name="once"))).text == "second time"
    assert asked == ["once", "once"]
    with pytest.raises(Busy):
        await bus.call(context(APP), Read(name="never"))
    assert asked == ["once", "once", "never", "never"]


async def test_a_write_is_never_tried_again(bus: NatsBus, serve: Serve) -> None:
    """A write is sent once, even if the service says that it did nothing."""
    asked = []

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        asked.append(request.name)
        raise Unavailable("not now")

    await serve({Write: write})
    with pytest.raises(Unavailable):
        await bus.call(context(APP), Write(name="once"))

    assert asked == ["once"]


async def test_nobody_there_is_unavailable_at_once(bus: NatsBus) -> None:
    """Without a responder the call fails at once with 503 and Retry-After."""
    started = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        await bus.call(context(APP, within=Slow.within), Slow())

    assert caught.value.extra["retry_after"] == 1
    assert time.monotonic() - started < Slow.within / 2


async def test_replicas_share_the_work(near: NatsClient, serve: Serve) -> None:
    """One replica of the queue group answers each request, and every replica gets some."""
    served: list[str] = []

    def named(name: str) -> Any:
        async def write(_: Any, ctx: Context, request: Write) -> Answer:
            served.append(name)
            return Answer(text=name)

        return write

    await serve({Write: named("one")})
    await serve({Write: named("two")})
    bus = NatsBus(near)
    await asyncio.gather(*(bus.call(context(APP), Write()) for _ in range(40)))

    assert len(served) == 40
    assert set(served) == {"one", "two"}


async def test_drain_finishes_what_was_taken(bus: NatsBus, serve: Serve) -> None:
    """Draining answers running and queued requests. Later requests find no responder."""
    go = asyncio.Event()
    begun = 0

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        nonlocal begun
        begun += 1
        await go.wait()
        return Answer(text=request.name)

    server = await serve({Write: write}, concurrency=3)
    taken = [asyncio.create_task(bus.call(context(APP), Write(name=str(n)))) for n in range(6)]
    await until(lambda: len(server._running) == 6)
    draining = asyncio.create_task(server.drain(within=5))
    await until(lambda: all(e._subscription._closed for e in server.service._endpoints))
    with pytest.raises(Unavailable):
        await bus.call(context(APP), Write(name="too late"))
    assert begun == 3
    go.set()
    await draining

    assert sorted(a.text for a in await asyncio.gather(*taken)) == [str(n) for n in range(6)]


async def test_drain_gives_up_on_what_hangs_and_says_so(bus: NatsBus, serve: Serve) -> None:
    """After its time limit draining cancels the rest. Every caller gets a problem, queued ones too."""
    begun = []

    async def write(_: Any, ctx: Context, request: Write) -> Answer:
        begun.append(request.name)
        await asyncio.Event().wait()
        return Answer()

    server = await serve({Write: write}, concurrency=1)
    taken = [asyncio.create_task(bus.call(context(APP), Write(name=str(n)))) for n in range(3)]
    await until(lambda: len(server._running) == 3)
    await server.drain(within=0.05)
    answers = await asyncio.gather(*taken, return_exceptions=True)

    assert [type(a) for a in answers] == [Unavailable] * 3
    assert len(begun) == 1


@pytest.mark.parametrize("in_memory", [False, True])
async def test_a_lost_server_fails_cleanly_and_comes_back(
    tmp_path_factory: pytest.TempPathFactory, in_memory: bool
) -> None:
    """While NATS is away a call fails at once. Afterwards the same objects work again."""
    own = start(tmp_path_factory.mktemp("lost"))
    near, far = await own.connect(), await own.connect()
    try:
        process = SharedProcess()
        bus = InProcessBus(near, process) if in_memory else NatsBus(near)

        async def read(_: Any, ctx: Context, request: Read) -> Answer:
            return Answer(text="here")

        serving = await BusServer.start(far, "probe", "0.1.0", None)
        await serving.add(Read, read)
        await serving.add(Slow, read)
        process.add(serving)
        await far.flush()
        assert (await bus.call(context(APP), Read())).text == "here"
        own.stop()
        await until(lambda: not near.is_connected)
        started = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            await bus.call(context(APP, within=Slow.within), Slow())
        assert time.monotonic() - started < Slow.within / 2
        assert caught.value.extra["retry_after"] == 1
        own.launch()
        await until(lambda: near.is_connected and far.is_connected)
        await far.flush()

        assert (await bus.call(context(APP), Read())).text == "here"
    finally:
        await near.close()
        await far.close()
        own.stop()


async def test_an_error_of_a_stranger_is_a_bare_problem(near: NatsClient, far: NatsClient) -> None:
    """The error reply of another nats.micro service becomes a Problem without details."""

    async def strange(msg: Msg) -> None:
        await msg.respond_msg(b"oops") if hasattr(msg, "respond_msg") else await far.publish(
            msg.reply,
            b"oops",
            headers={"Nats-Service-Error-Code": "500", "Nats-Service-Error": "x"},
        )

    await far.subscribe("probe.thing.write", cb=strange)
    await far.flush()
    with pytest.raises(Problem) as caught:
        await NatsBus(near).call(context(APP), Write())

    assert type(caught.value) is Problem


async def test_replies_go_to_an_inbox_of_our_own(near: NatsClient, far: NatsClient) -> None:
    """Each user has an inbox prefix. With the usual `_INBOX` every user could read all replies."""
    replies = []

    async def spy(msg: Msg) -> None:
        replies.append(msg.reply)
        await far.publish(msg.reply, b"{}")

    await far.subscribe(Write.subject, cb=spy)
    await far.flush()
    await NatsBus(near).call(context(APP), Write())

    assert replies[0].startswith("_INBOX_near.")


async def test_discovery_prints_who_may_what(near: NatsClient, serve: Serve) -> None:
    """`$SRV.INFO` (NATS ADR-32) lists each contract with the right that it needs."""

    async def guarded(_: Any, ctx: Context, request: Guarded) -> Answer:
        return Answer()

    await serve({Guarded: guarded})
    info = orjson.loads((await near.request("$SRV.INFO.probe", timeout=2)).data)

    assert info["endpoints"] == [
        {
            "name": "probe-thing-guarded",
            "subject": "probe.thing.guarded",
            "queue_group": "probe",
            "metadata": {"needs": "things:write", "reply": "Answer"},
        },
        {
            "name": "system-probe-thing-guarded",
            "subject": "system.probe.thing.guarded",
            "queue_group": "probe",
            "metadata": {"needs": "@system", "reply": "Answer"},
        },
    ]


async def served_on(nc: NatsClient, subject: str, caller: Caller) -> str:
    """Returns what the bus server answers: the code of a problem, or `ok`."""
    answer = await ask(nc, subject, b"{}", context(APP, caller).encode())
    return str(orjson.loads(answer.data).get("code", "ok"))


async def in_memory(_: NatsClient, subject: str, caller: Caller) -> str:
    """Returns what the bus of the service tests answers."""
    bus = LocalBus()
    bus.serve(None, {Read: nothing})
    try:
        await bus.deliver(subject, context(APP, caller), Read())
    except Problem as problem:
        return problem.code
    return "ok"


async def nothing(_: Any, ctx: Context, request: Read) -> Answer:
    return Answer()


@pytest.mark.parametrize("ask_on", [served_on, in_memory])
@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_each_kind_of_caller_has_its_subject(
    kind: Kind, ask_on: Callable[..., Awaitable[str]], near: NatsClient, serve: Serve
) -> None:
    """The system's subject accepts only calls of the system, and the other subject accepts no call
    of the system."""
    await serve({Read: nothing})
    caller = Caller(kind, None, EVERYTHING)
    subjects = {False: Read.subject, True: SYSTEM_SUBJECT + Read.subject}

    for is_system, subject in subjects.items():
        expected = "ok" if is_system == (kind == "system") else "forbidden"
        assert await ask_on(near, subject, caller) == expected, subject


async def test_the_bus_chooses_the_subject(bus: NatsBus, serve: Serve) -> None:
    """The caller passes a contract and a context. The bus chooses the subject."""
    await serve({Read: nothing})
    for caller in (Caller(), SYSTEM_CALLER):
        assert await bus.call(context(APP, caller), Read()) == Answer()
