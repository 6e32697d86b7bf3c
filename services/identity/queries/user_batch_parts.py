"""Statements on user_batch_parts: rows of batches that are done together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from common.db import Db, maybe, run, value


async def add(db: Db, *, app_id: str, batch_id: str, first: int, size: int, input: str) -> None:
    """Stores rows of a batch, sealed."""
    await run(
        db,
        """
        INSERT INTO user_batch_parts (app_id, batch_id, first, size, input)
        VALUES ($1, $2, $3, $4, $5)
        """,
        app_id,
        batch_id,
        first,
        size,
        input,
    )


@dataclass(frozen=True)
class BatchPart:
    """Rows of a batch that are done together, and who started the batch."""

    first: int
    size: int
    input: str = field(repr=False)
    caller: dict[str, Any]
    stale: bool


async def get(db: Db, *, app_id: str, batch_id: str, first: int) -> BatchPart | None:
    """Returns a part that is not done, of a batch that is running. `stale`: the batch was started too
    long ago."""
    return await maybe(
        db,
        BatchPart,
        """
        SELECT p.first, p.size, p.input, b.caller, b.created_at < now() - interval '6 hours' AS stale
        FROM user_batch_parts p JOIN user_batches b ON b.app_id = $1 AND b.id = p.batch_id
        WHERE p.app_id = $1 AND p.batch_id = $2 AND p.first = $3 AND p.input IS NOT NULL
          AND b.state = 'running'
        """,
        app_id,
        batch_id,
        first,
    )


async def finish(
    db: Db, *, app_id: str, batch_id: str, first: int, results: str, failed: int
) -> bool:
    """Stores the results of a part, deletes its rows, and makes the next part due. Returns False if
    the part was done before."""
    finished = await value(
        db,
        """
        WITH finished AS (
            UPDATE user_batch_parts SET input = NULL, results = $4, failed = $5, due_at = NULL
            WHERE app_id = $1 AND batch_id = $2 AND first = $3 AND input IS NOT NULL
            RETURNING first, size
        ), next AS (
            UPDATE user_batch_parts p SET due_at = now() FROM finished f
            WHERE p.app_id = $1 AND p.batch_id = $2 AND p.first = f.first + f.size
        )
        SELECT true FROM finished
        """,
        app_id,
        batch_id,
        first,
        results,
        failed,
    )
    return bool(finished)


@dataclass(frozen=True)
class PartResults:
    """The sealed results of a part."""

    first: int
    size: int
    results: str = field(repr=False)


async def results_from(
    db: Db, *, app_id: str, batch_id: str, row: int, failed: bool
) -> PartResults | None:
    """Returns the results of the first part that begins at this row or later. `failed`: only of parts
    with rows that failed."""
    return await maybe(
        db,
        PartResults,
        """
        SELECT first, size, results FROM user_batch_parts
        WHERE app_id = $1 AND batch_id = $2 AND first >= $3 AND results IS NOT NULL
          AND (failed > 0 OR NOT $4::boolean)
        ORDER BY first LIMIT 1
        """,
        app_id,
        batch_id,
        row,
        failed,
    )
