"""Caches are bounded and timed, and an invalidation reaches only its own application."""

from __future__ import annotations

import asyncio

import pytest

from common.caches import Cache
from common.problems import Busy


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def cache(size: int = 100, ttl: float = 10) -> tuple[Cache[str], Clock]:
    clock = Clock()
    return Cache("test", size=size, ttl=ttl, clock=clock), clock


def test_nothing_lives_longer_than_its_time() -> None:
    """A value may expire earlier than the cache's limit, but not later."""
    made, clock = cache(ttl=10)
    made.put(("a", "x"), "1")
    made.put(("a", "y"), "2", ttl=3)
    made.put(("a", "z"), "3", ttl=99)

    clock.now = 5
    assert (made.get(("a", "x")), made.get(("a", "y"))) == ("1", None)
    clock.now = 11
    assert (made.get(("a", "x")), made.get(("a", "z"))) == (None, None)


def test_it_never_grows_beyond_its_size() -> None:
    """The oldest entry is removed first, together with its tags."""
    made, _ = cache(size=10)
    for number in range(1000):
        made.put(("a", str(number)), "v", [("user", str(number))])

    assert len(made) == 10
    assert len(made._tagged) == 10


def test_expired_entries_make_way_for_others() -> None:
    """Under a steady load a cache holds what is valid, and not what fits."""
    made, clock = cache(size=100_000, ttl=10)
    for number in range(20_000):
        clock.now = number / 100
        made.put(("a", str(number)), "v", [("user", str(number))], ttl=3 if number % 2 else None)

    assert len(made) <= 1002, "a thousand writes are younger than ten seconds"
    assert len(made._tagged) == len(made)
    clock.now += 11
    for number in range(600):
        made.put(("b", str(number)), "v")
    assert len(made) == 600


def test_a_drop_reaches_its_own_application_only() -> None:
    """The same ids in two applications are different entries."""
    made, _ = cache()
    made.put(("a", "x"), "1", [("user", "u")])
    made.put(("b", "x"), "2", [("user", "u")])

    made.drop("a", "user", "u")

    assert (made.get(("a", "x")), made.get(("b", "x"))) == (None, "2")


def test_a_drop_of_every_id() -> None:
    """`*` drops all entries of a noun, and no others."""
    made, _ = cache()
    made.put(("a", "x"), "1", [("rights", "u1")])
    made.put(("a", "y"), "2", [("rights", "u2")])
    made.put(("a", "z"), "3", [("session", "s")])

    made.drop("a", "rights", "*")

    assert [made.get(("a", name)) for name in "xyz"] == [None, None, "3"]


async def test_many_who_ask_at_once_load_once() -> None:
    """Many simultaneous callers cause one load."""
    made, _ = cache()
    asked = 0

    async def load() -> str:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        return "v"

    found = await asyncio.gather(*(made.fetch(("a", "x"), load) for _ in range(50)))

    assert (set(found), asked) == ({"v"}, 1)


async def test_a_drop_during_the_load_is_not_lost() -> None:
    """A value that was loaded before an invalidation is returned, but not stored."""
    made, _ = cache()

    async def load() -> str:
        made.drop("a", "user", "u")
        return "old"

    assert await made.fetch(("a", "x"), load, lambda _: [("user", "u")]) == "old"
    assert made.get(("a", "x")) is None


async def test_a_failure_is_not_kept() -> None:
    """Every waiting caller gets the error. The next caller loads again."""
    made, _ = cache()

    async def fail() -> str:
        await asyncio.sleep(0)
        raise Busy

    both = await asyncio.gather(
        made.fetch(("a", "x"), fail), made.fetch(("a", "x"), fail), return_exceptions=True
    )
    assert [type(each) for each in both] == [Busy, Busy]

    async def load() -> str:
        return "v"

    assert await made.fetch(("a", "x"), load) == "v"


async def test_a_caller_that_gives_up_does_not_cancel_the_others() -> None:
    """If the first caller is cancelled, those that waited load again."""
    made, _ = cache()
    gate = asyncio.Event()

    async def load() -> str:
        await gate.wait()
        return "v"

    first = asyncio.create_task(made.fetch(("a", "x"), load))
    await asyncio.sleep(0)
    second = asyncio.create_task(made.fetch(("a", "x"), load))
    await asyncio.sleep(0)
    first.cancel()
    gate.set()

    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == "v"
