"""The hash pool has a bounded queue and serves applications in turn."""

from __future__ import annotations

import asyncio
import threading

import pytest

from common import metrics
from common.hash_pool import FairPool
from common.problems import Busy


async def test_one_attacked_application_cannot_starve_twenty_quiet_ones() -> None:
    """Each of twenty applications waits for at most one more job of the flooded one."""
    pool, gate, order = FairPool(threads=1, per_app=64), threading.Event(), list[str]()

    def work(app: str) -> None:
        gate.wait()
        order.append(app)

    def one(app: str) -> asyncio.Task[None]:
        return asyncio.create_task(pool.run(app, lambda: work(app)))

    tasks = [one("attacked") for _ in range(64)]
    await asyncio.sleep(0)
    tasks += [one(f"quiet{number}") for number in range(20)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*tasks)
    pool.close()

    last_quiet = max(place for place, app in enumerate(order) if app != "attacked")
    assert last_quiet <= 1 + 20 + 1  # the job that ran already, and one more of the flood


async def test_a_full_share_is_refused_at_once() -> None:
    """An application is refused above its share, and everyone when the queue is full."""
    refused, waited = metrics.HASH_REFUSED._value.get(), metrics.HASH_WAIT._sum.get()
    pool, gate = FairPool(threads=1, per_app=2, total=3), threading.Event()
    tasks = [asyncio.create_task(pool.run("a", gate.wait)) for _ in range(3)]
    await asyncio.sleep(0)

    with pytest.raises(Busy):
        await pool.run("a", gate.wait)
    tasks.append(asyncio.create_task(pool.run("b", gate.wait)))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await pool.run("c", gate.wait)

    gate.set()
    await asyncio.gather(*tasks)
    pool.close()
    assert metrics.HASH_REFUSED._value.get() == refused + 2
    assert metrics.HASH_WAIT._sum.get() > waited


async def test_errors_and_cancelled_waiters() -> None:
    """An error reaches its caller. A caller that was cancelled while waiting causes no work."""
    pool, gate, ran = FairPool(threads=1), threading.Event(), list[str]()

    def fail() -> None:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        await pool.run("a", fail)
    blocking = asyncio.create_task(pool.run("a", gate.wait))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(pool.run("a", lambda: ran.append("waiting")))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)
    gate.set()
    await blocking
    await pool.run("a", lambda: ran.append("next"))
    pool.close()

    assert ran == ["next"]


async def test_one_application_never_holds_every_worker() -> None:
    """Blocking jobs of one application leave a thread to the others."""
    pool, gate = FairPool(threads=2), threading.Event()
    blocking = [asyncio.create_task(pool.run("a", gate.wait)) for _ in range(2)]
    await asyncio.sleep(0)

    assert await pool.run("b", lambda: "served") == "served"
    assert not any(task.done() for task in blocking)

    gate.set()
    assert await asyncio.gather(*blocking) == [True, True]
    pool.close()


@pytest.mark.fault("F25")
async def test_tries_of_a_herd_that_have_expired_are_not_hashed() -> None:
    """Hundreds come at once and give up at their deadline. Only what had begun is hashed, and the next one
    who comes is served at once."""
    pool, gate = FairPool(threads=2, per_app=300, total=600), threading.Event()
    begun: list[str] = []

    def work(name: str) -> None:
        begun.append(name)
        gate.wait()

    async def one(name: str) -> None:
        async with asyncio.timeout(0.05):
            await pool.run(name.partition(" ")[0], lambda: work(name))

    herd = [one(f"{app} {number}") for app in ("a", "b") for number in range(250)]
    ends = await asyncio.gather(*herd, return_exceptions=True)
    assert all(isinstance(end, TimeoutError) for end in ends)
    gate.set()
    await pool.run("a", lambda: work("a late"))
    pool.close()

    assert len(begun) == 3, "two that had begun, and the late one"
