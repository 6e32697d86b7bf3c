"""Statements on user_batches."""

from __future__ import annotations

from typing import Final

from common.contracts.user_batches import UserBatch
from common.db import Db, many, maybe, one, run, value

BATCH_COLUMNS: Final = """id, act, state, role_id, total, done, succeeded, unchanged, failed,
               created_at, finished_at"""
"""The columns of `UserBatch`."""


async def insert(
    db: Db, *, app_id: str, id: str, act: str, role_id: str | None, caller: dict[str, object]
) -> UserBatch:
    """Creates a batch that takes rows, and returns it."""
    return await one(
        db,
        UserBatch,
        f"""
        INSERT INTO user_batches (app_id, id, act, role_id, caller, state)
        VALUES ($1, $2, $3, $4, $5, 'open') RETURNING {BATCH_COLUMNS}
        """,
        app_id,
        id,
        act,
        role_id,
        caller,
    )


async def active_count(db: Db, *, app_id: str) -> int:
    """Returns how many batches are running or have taken rows a short time ago."""
    count: int = await value(
        db,
        """
        SELECT count(*) FROM user_batches
        WHERE app_id = $1 AND created_at > now() - interval '6 hours'
          AND (state = 'running' OR state = 'open' AND created_at > now() - interval '10 minutes')
        """,
        app_id,
    )
    return count


async def get(db: Db, *, app_id: str, id: str) -> UserBatch | None:
    """Returns a batch."""
    return await maybe(
        db,
        UserBatch,
        f"""
        SELECT {BATCH_COLUMNS}
        FROM user_batches WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
    )


async def lock(db: Db, *, app_id: str, id: str) -> UserBatch | None:
    """Returns a batch and keeps it from other transactions. Call it before you change the batch or
    its parts."""
    return await maybe(
        db,
        UserBatch,
        f"""
        SELECT {BATCH_COLUMNS}
        FROM user_batches WHERE app_id = $1 AND id = $2 FOR UPDATE
        """,
        app_id,
        id,
    )


async def newest(db: Db, *, app_id: str, limit: int) -> list[UserBatch]:
    """Returns the newest batches."""
    return await many(
        db,
        UserBatch,
        f"""
        SELECT {BATCH_COLUMNS}
        FROM user_batches WHERE app_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2
        """,
        app_id,
        limit,
    )


async def set_total(db: Db, *, app_id: str, id: str, total: int) -> None:
    """Sets how many rows a batch has."""
    await run(
        db,
        "UPDATE user_batches SET total = $3 WHERE app_id = $1 AND id = $2",
        app_id,
        id,
        total,
    )


async def start(db: Db, *, app_id: str, id: str) -> None:
    """Begins the work on a batch that has all its rows. Its first part is due."""
    await run(
        db,
        """
        WITH started AS (
            UPDATE user_batches SET state = 'running'
            WHERE app_id = $1 AND id = $2 AND state = 'open' RETURNING id
        )
        UPDATE user_batch_parts SET due_at = now()
        WHERE app_id = $1 AND batch_id = $2 AND first = 0 AND EXISTS (SELECT FROM started)
        """,
        app_id,
        id,
    )


async def count_part(
    db: Db, *, app_id: str, id: str, succeeded: int, unchanged: int, failed: int
) -> UserBatch | None:
    """Adds the counts of a part. The batch is done with its last row. Returns the batch, or None if
    it is not running any more."""
    return await maybe(
        db,
        UserBatch,
        f"""
        UPDATE user_batches SET
            done = done + $3 + $4 + $5,
            succeeded = succeeded + $3, unchanged = unchanged + $4, failed = failed + $5,
            state = CASE WHEN done + $3 + $4 + $5 >= total THEN 'done' ELSE state END,
            finished_at = CASE WHEN done + $3 + $4 + $5 >= total THEN now() END
        WHERE app_id = $1 AND id = $2 AND state = 'running'
        RETURNING {BATCH_COLUMNS}
        """,
        app_id,
        id,
        succeeded,
        unchanged,
        failed,
    )


async def end(db: Db, *, app_id: str, id: str, state: str) -> UserBatch | None:
    """Ends a batch before its last row, and deletes the rows that are not done. Returns the batch, or
    None if it had ended."""
    return await maybe(
        db,
        UserBatch,
        f"""
        WITH ended AS (
            UPDATE user_batches SET state = $3, finished_at = now()
            WHERE app_id = $1 AND id = $2 AND state IN ('open', 'running')
            RETURNING {BATCH_COLUMNS}
        ), emptied AS (
            UPDATE user_batch_parts SET input = NULL, due_at = NULL
            WHERE app_id = $1 AND batch_id = $2 AND EXISTS (SELECT FROM ended)
        )
        SELECT {BATCH_COLUMNS} FROM ended
        """,
        app_id,
        id,
        state,
    )


async def is_live_session(db: Db, *, app_id: str, id: str) -> bool:
    """Returns whether a session and its user may still act. The idle limit does not count: the
    person started the work and need not watch it."""
    return bool(
        await value(
            db,
            """
            SELECT EXISTS (
                SELECT FROM user_sessions s JOIN users u ON u.app_id = $1 AND u.id = s.user_id
                WHERE s.app_id = $1 AND s.id = $2 AND s.revoked_at IS NULL AND s.expires_at > now()
                  AND NOT u.disabled)
            """,
            app_id,
            id,
        )
    )
