"""Activity is batched by application, and kept while the bus is down."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import nats.errors
import orjson
from tests.kit.nats_server import PATIENCE

from common.audit import LARGEST, Activity
from common.events.sessions import LoginFailed
from common.events.tokens import ClientTokenIssued, TokenRefreshed
from common.ids import new_id
from common.periodic import stop
from common.testing import context


@dataclass
class Stream:
    """Accepts messages, except on subjects that are marked as down."""

    taken: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    away: set[str] = field(default_factory=set)
    breaks_after: int | None = None

    async def publish(self, subject: str, body: bytes, headers: dict[str, str]) -> None:
        if subject in self.away or len(self.taken) == self.breaks_after:
            raise nats.errors.ConnectionClosedError
        self.taken.append((subject, body, headers))


def refreshed(client: str) -> TokenRefreshed:
    return TokenRefreshed(client_id=client)


def issued(client: str) -> ClientTokenIssued:
    return ClientTokenIssued(client_id=client, scopes=[])


async def test_one_message_holds_all_of_an_application() -> None:
    """A thousand events of one application are two messages, with a line for each event, in order,
    whatever their types."""
    stream, ctx = Stream(), context(new_id())
    activity = Activity(stream, "oidc")  # type: ignore[arg-type]
    for number in range(1000):
        activity.note(ctx, issued(f"c{number}") if number % 2 else refreshed(f"c{number}"))

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
    stream.away = {f"audit.oidc.{two.app_id}.activity"}
    await activity.flush()
    assert len(stream.taken) == 1

    stream.away = set()
    await activity.flush()

    assert [(subject, body.count(b"\n") + 1) for subject, body, _ in stream.taken] == [
        (f"audit.oidc.{one.app_id}.activity", 2),
        (f"audit.oidc.{two.app_id}.activity", 1),
    ]


async def test_bytes_bound_a_message() -> None:
    """Long events are more messages, each far below what the bus takes. Nothing is lost, also if the bus
    goes away in between. An event that is larger than the bound is alone."""
    stream, ctx = Stream(), context(new_id(), agent="\u20ac" * 500)
    activity = Activity(stream, "oidc")  # type: ignore[arg-type]
    clients = [f"{n:03}" + "x" * 3000 for n in range(200)] + ["y" * LARGEST, "z"]
    for client in clients:
        activity.note(ctx, issued(client))
    stream.breaks_after = 2
    await activity.flush()
    assert len(stream.taken) == 2
    stream.breaks_after = None
    await activity.flush()

    bodies = [body for _, body, _ in stream.taken]
    lines = [orjson.loads(line) for body in bodies for line in body.split(b"\n")]
    assert [line["event_data"]["client_id"] for line in lines] == clients
    assert all(len(body) <= LARGEST or b"\n" not in body for body in bodies)


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
    stream.away.add(f"audit.oidc.{ctx.app_id}.activity")
    task = asyncio.create_task(activity.run())
    activity.note(ctx, issued("one"))
    await asyncio.sleep(0.02)
    stream.away.clear()
    async with asyncio.timeout(PATIENCE):
        while not stream.taken:
            await asyncio.sleep(0.005)
    await stop([task])
