"""Activity is batched by type and application, and kept while the bus is down."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import nats.errors
import orjson
from tests.kit.nats_server import PATIENCE

from common.audit import Activity
from common.events.sessions import LoginFailed
from common.events.tokens import ClientTokenIssued
from common.ids import new_id
from common.periodic import stop
from common.testing import context


@dataclass
class Stream:
    """Accepts messages, except on subjects that are marked as down."""

    taken: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    away: set[str] = field(default_factory=set)

    async def publish(self, subject: str, body: bytes, headers: dict[str, str]) -> None:
        if subject in self.away:
            raise nats.errors.ConnectionClosedError
        self.taken.append((subject, body, headers))


def issued(client: str) -> ClientTokenIssued:
    return ClientTokenIssued(client_id=client, scopes=[])


async def test_one_message_holds_all_of_a_type() -> None:
    """A thousand tokens of one application are two messages, with a line for each token, in order."""
    stream, ctx = Stream(), context(new_id())
    activity = Activity(stream, "oidc")  # type: ignore[arg-type]
    for number in range(1000):
        activity.note(ctx, issued(f"c{number}"))

    await activity.flush()

    lines = [line for _, body, _ in stream.taken for line in body.split(b"\n")]
    told = [orjson.loads(line)["event_data"]["client_id"] for line in lines]
    assert (2, [f"c{number}" for number in range(1000)]) == (len(stream.taken), told)


async def test_what_the_bus_did_not_take_is_sent_later() -> None:
    """If a message cannot be published, its activity is kept, whichever group it was."""
    stream, one, two = Stream(), context(new_id()), context(new_id())
    activity = Activity(stream, "oidc")  # type: ignore[arg-type]
    activity.note(one, issued("a"))
    activity.note(two, issued("b"))
    activity.note(one, LoginFailed(method="password", reason="x"))
    stream.away = {f"audit.oidc.{two.app_id}.client_token_issued"}
    await activity.flush()
    assert len(stream.taken) == 1

    stream.away = set()
    await activity.flush()

    assert {
        f"audit.oidc.{one.app_id}.client_token_issued",
        f"audit.oidc.{two.app_id}.client_token_issued",
        f"audit.oidc.{one.app_id}.login_failed",
    } == {subject for subject, _, _ in stream.taken}
    assert len(stream.taken) == 3


async def test_it_wakes_on_the_first_note_only() -> None:
    """An idle service does no work. New activity is sent, also while the process ends."""
    stream, ctx, looks = Stream(), context(new_id()), 0

    class Counting(Activity):
        async def flush(self) -> None:
            nonlocal looks
            looks += 1
            await super().flush()

    activity = Counting(stream, "oidc", every=0.001)  # type: ignore[arg-type]
    task = asyncio.create_task(activity.run())
    await asyncio.sleep(0.1)
    assert looks == 0

    activity.note(ctx, issued("one"))
    async with asyncio.timeout(PATIENCE):
        while not stream.taken:
            await asyncio.sleep(0.005)
    await asyncio.sleep(0.05)
    assert looks == 1

    activity.note(ctx, issued("two"))
    await stop([task])
    assert len(stream.taken) == 2


async def test_it_tries_again_without_another_note() -> None:
    """Failed messages are sent again without new activity."""
    stream, ctx = Stream(), context(new_id())
    activity = Activity(stream, "oidc", every=0.001)  # type: ignore[arg-type]
    stream.away.add(f"audit.oidc.{ctx.app_id}.{issued('one').type}")
    task = asyncio.create_task(activity.run())
    activity.note(ctx, issued("one"))
    await asyncio.sleep(0.02)
    stream.away.clear()
    async with asyncio.timeout(PATIENCE):
        while not stream.taken:
            await asyncio.sleep(0.005)
    await stop([task])
