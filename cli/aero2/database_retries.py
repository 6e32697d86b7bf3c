"""Tries a step of a migration again that ran into other work of the database."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

ATTEMPTS: Final = 30
"""How often a step is tried again that ran into a lock or into another runner's change of a role."""
BUSY: Final = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
"""Errors of a step that may succeed later: a statement of a service held a lock that it needs."""


async def try_again(
    step: Callable[[], Awaitable[None]],
    *errors: type[Exception],
    waiting: Callable[[], None] = lambda: None,
) -> None:
    """Repeats a step that fails with one of the errors, ATTEMPTS times at most, after a pause that is
    different each time. Calls `waiting` before each pause."""
    for attempt in range(ATTEMPTS):
        try:
            await step()
            return
        except errors:
            if attempt + 1 == ATTEMPTS:
                raise
            waiting()
            await asyncio.sleep((0.2 + attempt / 20) * (0.5 + secrets.randbelow(100) / 100))
