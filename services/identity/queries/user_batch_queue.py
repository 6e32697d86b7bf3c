"""The parts of batches that are due, read as aero2_sweep."""

from __future__ import annotations

from dataclasses import dataclass

from common.db import Db, maybe, run


@dataclass(frozen=True)
class DuePart:
    app_id: str
    batch_id: str
    first: int
    attempts: int


async def claim(db: Db) -> DuePart | None:
    """Takes the part that has been due for longest. No other worker takes it for two minutes."""
    return await maybe(
        db,
        DuePart,
        """
        -- any-tenant: the part that is due, whatever its application
        UPDATE user_batch_parts SET due_at = now() + interval '2 minutes', attempts = attempts + 1
        WHERE (app_id, batch_id, first) IN (
            SELECT app_id, batch_id, first FROM user_batch_parts WHERE due_at <= now()
            ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
        )
        RETURNING app_id, batch_id, first, attempts
        """,
    )


async def postpone(db: Db, *, part: DuePart, seconds: float) -> None:
    """Makes a part due again in so many seconds, unless it was done or cancelled meanwhile."""
    await run(
        db,
        """
        UPDATE user_batch_parts SET due_at = now() + make_interval(secs => $4)
        WHERE app_id = $1 AND batch_id = $2 AND first = $3 AND due_at IS NOT NULL
        """,
        part.app_id,
        part.batch_id,
        part.first,
        seconds,
    )
