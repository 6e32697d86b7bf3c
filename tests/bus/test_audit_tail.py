"""The live log of one application: every event once, in order, also after a break."""

from __future__ import annotations

import asyncio
import json
import os
import struct
import time
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace

import nats.errors
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import NoStreamResponseError
from tests.kit.nats_server import NatsServer, start, until

from common import audit
from common.crypto import Keys, b64url
from common.ids import new_id
from common.outbox import ensure_stream
from common.periodic import stop
from common.problems import BadRequest, Busy, Forbidden, Unavailable
from gateway import audit_tail
from gateway.audit_followers import FollowerSlots, Place
from gateway.audit_tail import Places, Tail

A = "01900000-0000-7000-8000-00000000000a"
B = "01900000-0000-7000-8000-00000000000b"
KEYS = Keys.parse("k1:" + b64encode(os.urandom(32)).decode())


@dataclass
class Stream:
    server: NatsServer
    nc: Client
    js: JetStreamContext
    places: Places = field(default_factory=lambda: Places(KEYS))
    slots: FollowerSlots = field(default_factory=FollowerSlots)

    async def log(self, app_id: str, *names: str) -> None:
        for name in names:
            body, headers = line(app_id, name), {"Nats-Msg-Id": f"{app_id} {name}"}
            for _ in range(5):  # tries again: a new server may lose the first message
                try:
                    await self.js.publish(f"audit.identity.{app_id}.batch", body, headers=headers)
                    break
                except (nats.errors.TimeoutError, NoStreamResponseError):
                    continue

    async def publish(self, service: str, app_id: str, lines: list[bytes]) -> None:
        """Publishes one message, as a relay does."""
        await self.js.publish(f"audit.{service}.{app_id}.batch", b"\n".join(lines))

    def tail(self, app_id: str = A, allowed: object = None) -> Tail:
        async def always() -> None: ...

        return Tail(self.nc, self.js, self.places, self.slots, app_id, allowed or always)  # type: ignore[arg-type]

    @asynccontextmanager
    async def following(
        self, app_id: str = A, last: str | None = None, allowed: object = None
    ) -> AsyncIterator[list[str]]:
        """Yields the list of chunks that a follower has received. The list grows."""
        tail = self.tail(app_id, allowed)
        got: list[str] = []
        ready = asyncio.Event()

        async def read() -> None:
            async for chunk in tail.events(await tail.start(last)):
                got.append(chunk.decode())
                ready.set()

        task = asyncio.create_task(read())
        started = asyncio.create_task(ready.wait())
        await asyncio.wait({task, started}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            started.cancel()
            await task  # raises the reason why it did not begin
        got.clear()
        try:
            yield got
        finally:
            await stop([task], timeout=0.1)


def line(app_id: str, name: str, event_type: str = "login") -> bytes:
    """Returns the line of an event with this name."""
    event = {"id": new_id(), "app_id": app_id, "event_type": event_type, "n": name}
    return json.dumps(event).encode()


def events(got: list[str]) -> list[dict[str, str]]:
    """Returns the events with id, type and name. An event without a place has no id."""
    parts = [part for part in "".join(got).split("\n\n") if "data: {" in part]
    fields = [dict(line.split(": ", 1) for line in part.split("\n")) for part in parts]
    return [each | {"n": json.loads(each["data"])["n"]} for each in fields]


def names(got: list[str]) -> list[str]:
    return [event["n"] for event in events(got)]


def place(chunk: str) -> str:
    return chunk.split("\n")[0].removeprefix("id: ")


@pytest.fixture
async def stream(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stream]:
    server = start(tmp_path_factory.mktemp("tail"))
    nc = await server.connect()
    js = nc.jetstream(timeout=10)
    await ensure_stream(js)
    yield Stream(server, nc, js)
    await nc.close()
    server.stop()


async def test_events_come_as_they_are_written(stream: Stream) -> None:
    """A follower gets only new events, in order, each with its type as name."""
    await stream.log(A, "before")
    async with stream.following() as got:
        await stream.log(A, "one", "two")
        await until(lambda: names(got) == ["one", "two"])
        await stream.log(A, "three")
        await until(lambda: names(got) == ["one", "two", "three"])

    assert got[0].split("\n")[1] == "event: login"


async def test_each_event_has_its_own_place(stream: Stream) -> None:
    """A message has several events, each with its own type and id. A follower that comes back with any
    of the ids gets the events after it, and none twice."""
    lines = [line(A, str(n), f"type_{n}") for n in range(25)]
    async with stream.following() as got:
        await stream.publish("oidc", A, lines[:20])
        await stream.publish("oidc", A, lines[20:])
        await until(lambda: len(names(got)) == 25)

    received = events(got)
    assert [event["event"] for event in received] == [f"type_{n}" for n in range(25)]
    assert len({event["id"] for event in received}) == 25
    for n in (0, 9, 10, 18, 19, 20, 23):
        async with stream.following(last=received[n]["id"]) as again:
            await until(lambda: len(names(again)) >= 24 - n)  # noqa: B023 - it runs at once
        assert names(again) == [str(later) for later in range(n + 1, 25)]


async def test_a_follower_that_was_cut_off_in_a_message(stream: Stream) -> None:
    """What one follower received up to the cut and another after it is the whole message, whenever the
    connection broke."""
    await stream.publish("oidc", A, [line(A, str(n)) for n in range(30)])
    newest = await stream.slots.newest.fetch(stream.js)
    start = replace(newest, seq=1)
    chunks = [chunk async for chunk in first(stream.tail().events(start), 4)]
    last = events([chunk.decode() for chunk in chunks])
    for cut in range(1, len(last) + 1):
        place = stream.places.read(A, last[cut - 1]["id"])
        rest = [chunk async for chunk in first(stream.tail().events(place), 4)]
        assert names([chunk.decode() for chunk in rest]) == [str(n) for n in range(cut, 30)]


async def first(
    source: AsyncGenerator[bytes, None], chunks: int, within: float = 0.3
) -> AsyncIterator[bytes]:
    """Yields the first chunks, as many as there are at once."""
    async with aclosing(source) as got:
        try:
            for _ in range(chunks):
                yield await asyncio.wait_for(anext(got), within)
        except TimeoutError:
            pass


async def test_messages_of_earlier_versions(stream: Stream) -> None:
    """A message with one event under its type, and activity of one type, are read like a batch. A place
    of an earlier version, which had no line, means the whole message."""
    async with stream.following() as got:
        await stream.js.publish(f"audit.oidc.{A}.login", line(A, "one"))
        old = [line(A, name, "token_refreshed") for name in ("two", "three")]
        await stream.js.publish(f"audit.oidc.{A}.token_refreshed", b"\n".join(old))
        await stream.publish("oidc", A, [line(A, "four")])
        await until(lambda: len(names(got)) == 4)
    newest = await stream.slots.newest.fetch(stream.js)
    plain = struct.pack(">QQ", newest.created, 2)
    cipher = AESSIV(KEYS.derive("audit tail"))
    async with stream.following(last=b64url(cipher.encrypt(plain, [A.encode()]))) as again:
        await until(lambda: names(again))

    assert [event["event"] for event in events(got)] == [
        "login", "token_refreshed", "token_refreshed", "login",
    ]  # fmt: skip
    assert names(got) == ["one", "two", "three", "four"]
    assert names(again) == ["four"]


@pytest.mark.fault("F20")
async def test_a_line_that_is_no_event_holds_up_nothing(stream: Stream) -> None:
    """Lines that are no JSON, lack a field, have a type that would break the format, or belong to
    another application are left out. The events around them come, each with its place."""
    bad = [
        b"", b"{", b"[]", b"7", b"{}", b"\xff", b'{"id": null, "event_type": 7}',
        line(B, "of another application"), line(A, "bad type", "x\ndata: forged"),
        line(A, "upper", "Login"), line(A, "cr").replace(b", ", b",\r"),
        line(A, "no id").replace(b'"id"', b'"di"'),
    ]  # fmt: skip
    good = [line(A, "one"), *bad, line(A, "two"), *bad]
    async with stream.following() as got:
        await stream.publish("oidc", A, good)
        await stream.publish("oidc", A, bad)
        await stream.publish("oidc", A, [line(A, "three")])
        await until(lambda: len(names(got)) == 3)
    received = events(got)
    async with stream.following(last=received[0]["id"]) as again:
        await until(lambda: len(names(again)) == 2)

    assert names(got) == ["one", "two", "three"]
    assert names(again) == ["two", "three"]


async def test_nothing_comes_after_the_right_ended(stream: Stream) -> None:
    """The right is looked at between the parts of a large message too."""
    rights = [True]

    async def allowed() -> None:
        if not rights[0]:
            raise Forbidden

    tail = stream.tail(A, allowed)
    await stream.publish("oidc", A, [line(A, str(n)) for n in range(100)])
    start = replace(await stream.slots.newest.fetch(stream.js), seq=1)
    got: list[str] = []
    async with aclosing(tail.events(start)) as source:
        async for chunk in source:
            got.append(chunk.decode())
            if names(got):
                rights[0] = False
                stream.slots.changed("token", "any")

    assert len(names(got)) == audit_tail.WRITTEN_AT_ONCE
    assert got[-1].startswith("event: end")


async def test_nothing_of_another_application(stream: Stream) -> None:
    """A follower gets no event of another application and cannot count them."""
    async with stream.following(A) as got:
        await stream.log(B, *map(str, range(20)))
        await stream.log(A, "mine")
        await until(lambda: names(got))

    assert names(got) == ["mine"]
    with pytest.raises(BadRequest):
        await stream.tail(B).start(place(got[0]))
    with pytest.raises(BadRequest):
        await stream.tail(A).start("21")


async def test_it_goes_on_where_it_was_broken_off(stream: Stream) -> None:
    """With Last-Event-ID a follower gets the events since that one, and none twice."""
    async with stream.following() as got:
        await stream.log(A, "one", "two")
        await until(lambda: names(got) == ["one", "two"])
    last = place(got[0])
    await stream.log(A, "meanwhile")
    async with stream.following(last=last) as again:
        await stream.log(A, "now")
        await until(lambda: len(names(again)) >= 2)
        await asyncio.sleep(0.1)

    assert names(again)[-2:] == ["meanwhile", "now"]
    assert "one" not in names(again)


async def test_it_survives_a_restart_of_nats(stream: Stream) -> None:
    """After a restart of NATS the same follower goes on, and misses no event."""
    async with stream.following() as got:
        await stream.log(A, "one")
        await until(lambda: names(got) == ["one"])
        stream.server.restart()
        await until(lambda: stream.nc.stats["reconnects"] == 1)
        await stream.log(A, "two")
        await until(lambda: names(got) == ["one", "two"])


async def test_a_new_stream_is_followed_from_its_beginning(stream: Stream) -> None:
    """A position in a deleted stream means nothing in its successor. The follower starts at the
    first event."""
    async with stream.following() as got:
        await stream.log(A, *map(str, range(5)))
        await until(lambda: len(names(got)) == 5)
    await stream.js.delete_stream(audit.STREAM)
    await ensure_stream(stream.js)
    await stream.log(A, "new")

    assert (await stream.tail().start(place(got[0]))).seq == 1
    assert (await stream.tail().start(place(got[-1]))).seq == 1


@pytest.mark.parametrize("logged", [3, 8])
async def test_a_follower_notices_that_the_stream_was_made_again(
    stream: Stream, monkeypatch: pytest.MonkeyPatch, logged: int
) -> None:
    """A follower misses no event of the new stream, whether it is shorter or longer than the old
    one. An event that comes twice has the same id."""
    monkeypatch.setattr(audit_tail, "LOOK", 0.2)
    fresh = [f"new {number}" for number in range(logged)]
    async with stream.following() as got:
        await stream.log(A, *map(str, range(5)))
        await until(lambda: len(names(got)) == 5)
        await stream.js.delete_stream(audit.STREAM)
        await ensure_stream(stream.js)
        await stream.log(A, *fresh)
        await until(lambda: names(got)[-logged:] == fresh)
        after = await stream.tail().start(place(got[-1]))

    assert after.seq == logged + 1


async def test_it_ends_with_the_right_to_follow(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The follower's right is checked again and again, and the response ends when it is gone."""
    monkeypatch.setattr(audit_tail, "ALIVE", 0.05)
    monkeypatch.setattr(audit_tail, "LOOK", 0.02)
    asked = 0

    async def allowed() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise Forbidden

    async with stream.following(allowed=allowed) as got:
        await until(lambda: got and got[-1].startswith("event: end"))

    assert asked == 3
    assert got.count(": still here\n\n") == 2


async def test_followers_are_counted(stream: Stream) -> None:
    """One follower too many is refused before the response begins. A follower that leaves frees its
    slot."""
    stream.slots.free = 1
    async with stream.following():
        with pytest.raises(Busy):
            await stream.tail().start(None)
        late = [event async for event in stream.tail().events(Place(0, 0))]
        assert late == [b"event: end\ndata: busy\n\n"]
    assert stream.slots.free == 1
    async with stream.following():
        assert stream.slots.free == 0


def test_one_application_leaves_room_for_the_others() -> None:
    """Followers of one application cannot take every slot: another application's follower is
    accepted."""
    slots = FollowerSlots(8)
    for _ in range(4):
        slots.take(A)
    with pytest.raises(Busy):
        slots.take(A)
    slots.take(B)

    for _ in range(4):
        slots.release(A)
    assert slots == FollowerSlots(7, Counter({B: 1}))


async def test_many_invalidations_are_few_checks(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages that concern every follower come as often as anybody revokes tokens. The first one is
    checked at once, and the others together. Until then the follower gets nothing."""
    monkeypatch.setattr(audit_tail, "CHECKED_EVERY", 0.5)
    checks: list[float] = []

    async def allowed() -> None:
        checks.append(time.monotonic())

    async with stream.following(allowed=allowed) as got:
        began = time.monotonic()
        while time.monotonic() - began < 1.2:
            stream.slots.changed("token", "any")
            await asyncio.sleep(0.01)
        await stream.log(A, "after")
        await until(lambda: names(got) == ["after"])

    assert 2 <= len(checks) <= 4
    assert checks[0] - began < 0.3


async def test_streams_end_when_the_gateway_stops(stream: Stream) -> None:
    """All streams come to an ordinary end, and no other begins. Their clients continue elsewhere, after
    the last event that they received."""
    tail, other = stream.tail(), stream.tail(B)
    started = asyncio.Event()

    async def read(following: Tail, app_id: str) -> list[bytes]:
        got: list[bytes] = []
        async for chunk in following.events(await following.start(None)):
            got.append(chunk)
            started.set()
        return got

    readers = [asyncio.create_task(read(tail, A)), asyncio.create_task(read(other, B))]
    await asyncio.wait_for(started.wait(), 10)
    await until(lambda: len(stream.slots.followers) == 2)

    stream.slots.end_all()

    assert all(await asyncio.gather(*readers))
    assert not stream.slots.followers
    with pytest.raises(Unavailable):
        await tail.start(None)
