"""Values of a StaleCache outlive a failure, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count

import pytest

from common import stale_cache
from common.problems import Busy, NotFound, TooLate
from common.stale_cache import StaleCache

KEY = ("a", "document")
TTL, STALE = 60, 600


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def cache(clock: Clock) -> StaleCache[str]:
    """A cache with one value."""
    made: StaleCache[str] = StaleCache("test", 10, TTL, stale=STALE, clock=clock)
    assert await fetch(made, returns("old")) == "old"
    return made


def returns(value: str) -> Callable[[], Awaitable[str]]:
    async def load() -> str:
        return value

    return load


def raises(error: Exception) -> Callable[[], Awaitable[str]]:
    async def load() -> str:
        raise error

    return load


async def fetch(cache: StaleCache[str], load: Callable[[], Awaitable[str]]) -> str:
    return await cache.fetch(KEY, load, lambda _: [("key", "any")])


async def test_a_value_is_loaded_again_after_its_time(cache: StaleCache[str], clock: Clock) -> None:
    assert await fetch(cache, returns("new")) == "old"
    clock.now = TTL + 1

    assert cache.get(KEY) is None
    assert await fetch(cache, returns("new")) == "new"
    assert cache.get(KEY) == "new"


@pytest.mark.parametrize("error", [Busy(), TooLate()])
async def test_a_failure_leaves_the_old_value(
    cache: StaleCache[str], clock: Clock, error: Exception
) -> None:
    """Until the value is too old. Then the failure is told."""
    clock.now = TTL + STALE - 1
    assert await fetch(cache, raises(error)) == "old"
    clock.now = TTL + STALE + 1

    with pytest.raises(type(error)):
        await fetch(cache, raises(error))


async def test_a_refusal_is_no_failure(cache: StaleCache[str], clock: Clock) -> None:
    """An application that was deleted is gone, whatever was known of it."""
    clock.now = TTL + 1

    with pytest.raises(NotFound):
        await fetch(cache, raises(NotFound()))


async def test_what_was_dropped_does_not_come_back(cache: StaleCache[str], clock: Clock) -> None:
    clock.now = TTL + 1
    cache.drop("a", "key", "any")

    with pytest.raises(Busy):
        await fetch(cache, raises(Busy()))


async def test_what_is_dropped_during_a_load_is_not_returned(
    cache: StaleCache[str], clock: Clock
) -> None:
    clock.now = TTL + 1

    async def load() -> str:
        cache.drop("a", "key", "any")
        raise Busy

    with pytest.raises(Busy):
        await fetch(cache, load)


async def test_a_load_that_hangs_holds_nobody_up(
    cache: StaleCache[str], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One load runs. Everybody gets the old value meanwhile, and the new one as soon as it comes."""
    monkeypatch.setattr(stale_cache, "PATIENCE", 0.01)
    clock.now = TTL + 1
    loads, answer = count(), asyncio.Event()

    async def load() -> str:
        next(loads)
        await answer.wait()
        return "new"

    assert await asyncio.gather(*(fetch(cache, load) for _ in range(50))) == ["old"] * 50
    assert next(loads) == 1
    answer.set()
    while cache.get(KEY) is None:
        await asyncio.sleep(0)
    assert await fetch(cache, load) == "new"


async def test_the_first_load_is_waited_for(clock: Clock) -> None:
    """Without an old value, all callers wait for one load, and get its error."""
    made: StaleCache[str] = StaleCache("test", 10, TTL, stale=STALE, clock=clock)
    loads = count()

    async def load() -> str:
        next(loads)
        await asyncio.sleep(0)
        raise Busy

    outcomes = await asyncio.gather(*(fetch(made, load) for _ in range(3)), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [Busy] * 3
    assert next(loads) == 1


async def test_a_caller_that_gives_up_does_not_end_the_load(clock: Clock) -> None:
    made: StaleCache[str] = StaleCache("test", 10, TTL, stale=STALE, clock=clock)
    answer = asyncio.Event()

    async def load() -> str:
        await answer.wait()
        return "value"

    callers = [asyncio.create_task(fetch(made, load)) for _ in range(2)]
    await asyncio.sleep(0)
    callers[0].cancel()
    answer.set()

    assert await callers[1] == "value"
