"""Statements on rate_limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common.db import Db, many, run

COUNT_HITS: Final = """INSERT INTO rate_limits AS r (app_id, key, window_start, hits, expires_at)
        SELECT $1::uuid, w.key, now(), 1, now() + make_interval(secs => w.seconds)
        FROM unnest($2::text[], $3::int[]) AS w (key, seconds)
        ON CONFLICT (app_id, key) DO UPDATE SET
            hits = CASE WHEN r.expires_at <= now() THEN 1 ELSE r.hits + 1 END,
            window_start = CASE WHEN r.expires_at <= now() THEN now() ELSE r.window_start END,
            expires_at = CASE WHEN r.expires_at <= now() THEN excluded.expires_at
                              ELSE r.expires_at END
        RETURNING r.key, r.hits, ceil(extract(epoch FROM r.expires_at - now()))::int AS left"""
"""Counts an attempt for the application `$1` against the keys `$2` with windows of `$3` seconds."""


@dataclass(frozen=True)
class Hit:
    key: str
    hits: int
    left: int


async def hit(db: Db, *, app_id: str, keys: list[str], seconds: list[int]) -> list[Hit]:
    """Counts one more attempt in each window. `left` is how many seconds the window still lasts."""
    return await many(
        db,
        Hit,
        COUNT_HITS,
        app_id,
        keys,
        seconds,
    )


async def refund(db: Db, *, app_id: str, key: str) -> None:
    """Takes back one attempt."""
    await run(
        db,
        "UPDATE rate_limits SET hits = hits - 1 WHERE app_id = $1 AND key = $2 AND hits > 0",
        app_id,
        key,
    )
