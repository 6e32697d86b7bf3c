"""A TimeLimit ends work as `asyncio.timeout` does."""

from __future__ import annotations

import asyncio

import pytest

from common.time_limit import TimeLimit


async def test_work_in_time_is_left_alone() -> None:
    """Work that ends in time returns. Its timer does not cancel what comes after."""
    with TimeLimit(0.01):
        pass
    await asyncio.sleep(0.03)


async def test_work_that_takes_too_long_is_cancelled() -> None:
    """The work sees a cancellation, its caller a TimeoutError, and the task is not cancelled after."""
    seen: list[str] = []
    with pytest.raises(TimeoutError):  # noqa: PT012
        with TimeLimit(0.01):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise
    task = asyncio.current_task()
    assert seen == ["cancelled"]
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    """A task that is cancelled while it works is cancelled, and is no TimeoutError."""

    async def work() -> None:
        with TimeLimit(5):
            await asyncio.sleep(10)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_both_cancellations_are_seen() -> None:
    """If the task is cancelled by somebody else after its time was over, CancelledError wins."""

    async def work() -> None:
        with TimeLimit(0.01):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                raise

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(work())


async def test_another_error_passes() -> None:
    """An error that the work raises because it was cancelled is not hidden."""
    with pytest.raises(ValueError, match="broken"):  # noqa: PT012
        with TimeLimit(0.01):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                raise ValueError("broken") from None
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_the_inner_of_two_limits_ends_alone() -> None:
    """A limit within another one ends only what is within."""
    with TimeLimit(5):
        with pytest.raises(TimeoutError), TimeLimit(0.01):
            await asyncio.sleep(10)
        await asyncio.sleep(0)
