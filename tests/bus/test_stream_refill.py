"""`aero2 stream refill`: a stream that was lost gets the events of the log again, and each of them once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg
import orjson
import pytest
from tests.kit.nats_server import until
from tests.kit.outbox_post import Post

from common import audit
from common.events.sessions import Logout
from common.ids import DASHBOARD, new_id
from common.outbox import ensure_stream
from common.testing import context
from tenancy.stream_refill import Refilled, StreamRefill

HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)
OTHER = "01900000-0000-7000-8000-0000000000aa"


@pytest.fixture
async def other(post: Post, database: dict[str, str]) -> str:
    """Another application."""
    owner = await asyncpg.connect(database["owner"])
    await owner.execute(
        "INSERT INTO applications (id, slug, name) VALUES ($1, 'other', 'Other')", OTHER
    )
    await owner.close()
    return OTHER


async def refill(post: Post, since: datetime = HOUR_AGO) -> dict[str, Refilled]:
    tools = StreamRefill(post.tenancy, post.relay_db, post.js)
    return {done.app_id: done async for done in tools.run(since)}


async def lose_stream(post: Post) -> None:
    """The stream is gone with all that it had, and a relay has created it again."""
    await post.js.delete_stream(audit.STREAM)
    await ensure_stream(post.js)


async def test_a_lost_stream_is_filled_from_the_log(post: Post, other: str) -> None:
    """What was acknowledged and lost is on the new stream once, application by application in its order, and a
    second run finds nothing to do."""
    async with post.relay() as relay:
        for number in range(5):
            await post.record(*(f"{number}.{each}" for each in range(30)))
        await post.record("theirs", app_id=other)
        relay.wake()
        await until(post.none_waiting)
        before = await post.streamed()
        await lose_stream(post)
        assert await post.streamed() == []

        done = await refill(post)
        relay.wake()
        await until(post.none_waiting)
        again = await refill(post)

    assert done == {DASHBOARD: Refilled(DASHBOARD, 150, 150), other: Refilled(other, 1, 1)}
    assert again == {DASHBOARD: Refilled(DASHBOARD, 150, 0), other: Refilled(other, 1, 0)}
    assert sorted(await post.streamed()) == sorted(before)
    assert await post.streamed(other) == ["theirs"]
    names = await post.streamed(DASHBOARD)
    assert names == sorted(names, key=lambda name: tuple(map(int, name.split("."))))


async def test_only_what_is_missing_is_queued(post: Post) -> None:
    """An event that waits in the outbox, or that the new stream has already, is not queued a second time."""
    async with post.relay() as relay:
        await post.record("lost")
        relay.wake()
        await until(post.none_waiting)
        await lose_stream(post)
        await post.record("there")
        relay.wake()
        await until(post.none_waiting)
    await post.record("waits")

    done = await refill(post)
    assert done[DASHBOARD] == Refilled(DASHBOARD, 3, 1)
    assert await post.waiting() == 2
    assert (await refill(post))[DASHBOARD].missing == 0

    async with post.relay():
        await until(post.none_waiting)
    assert sorted(await post.streamed()) == ["lost", "there", "waits"]


async def test_an_event_comes_back_as_it_was(post: Post) -> None:
    """The line on the stream has the same members as the first time, under the subject of tenancy, which
    vouches for the log."""
    async with post.relay() as relay:
        await post.record("one")
        relay.wake()
        await until(post.none_waiting)
        (first,) = await post.messages()
        await lose_stream(post)
        await refill(post)
        relay.wake()
        await until(post.none_waiting)
        (second,) = await post.messages()

    assert orjson.loads(second.data or b"") == orjson.loads(first.data or b"")
    assert second.subject == f"audit.tenancy.{DASHBOARD}.batch"


async def test_older_events_stay_where_they_are(post: Post) -> None:
    """Nothing is queued that is older than asked, and the search for the first message reads few of them."""
    async with post.relay() as relay:
        for number in range(40):
            await post.record(str(number), app_id=DASHBOARD)
            relay.wake()
            await until(post.none_waiting)
        since = datetime.now(UTC)
        await post.record("new")
        relay.wake()
        await until(post.none_waiting)
    reads: list[int] = []
    read = post.js.get_msg

    async def counted(*args: object, **options: object) -> object:
        reads.append(1)
        return await read(*args, **options)  # type: ignore[arg-type]

    post.js.get_msg = counted  # type: ignore[method-assign, assignment]

    done = await refill(post, since)

    assert done == {DASHBOARD: Refilled(DASHBOARD, 1, 0)}
    assert len(reads) <= 9


async def test_activity_is_not_in_the_log(post: Post) -> None:
    """What was on the stream only is lost with it, and the counts do not hide that."""
    ctx = context(DASHBOARD)
    activity = audit.Activity(post.nc, "tenancy")
    activity.note(ctx, Logout(session_id=new_id()))
    await activity.flush()
    await lose_stream(post)

    assert await refill(post) == {}
