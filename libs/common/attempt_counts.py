"""Statements on rate_limits."""

from __future__ import annotations

from typing import Final

from common.db import Db, run, value

COUNTED: Final = """counted AS (
        INSERT INTO rate_limits AS r (app_id, key, window_start, hits, expires_at)
        SELECT $1::uuid, w.key, now(), 1, now() + make_interval(secs => w.seconds)
        FROM unnest($2::text[], $3::int[]) AS w (key, seconds)
        ON CONFLICT (app_id, key) DO UPDATE SET
            hits = CASE WHEN r.expires_at <= now() THEN 1 ELSE r.hits + 1 END,
            window_start = CASE WHEN r.expires_at <= now() THEN now() ELSE r.window_start END,
            expires_at = CASE WHEN r.expires_at <= now() THEN excluded.expires_at
                              ELSE r.expires_at END
        RETURNING r.key, r.hits, ceil(extract(epoch FROM r.expires_at - now()))::int AS left
    ), exceeded AS (
        SELECT max(c.left) AS wait FROM counted c
        JOIN unnest($2::text[], $4::int[]) AS w (key, most) ON w.key = c.key
        WHERE c.hits > w.most
    )"""
"""Counts an attempt for the application `$1` against the keys `$2`, which allow `$4` in windows of `$3`
seconds. `exceeded` has one row: the seconds to `wait` until the last of the exceeded windows ends, or
NULL."""
HIT: Final = f"WITH {COUNTED} SELECT wait FROM exceeded"


async def hit(
    db: Db, *, app_id: str, keys: list[str], seconds: list[int], most: list[int]
) -> int | None:
    """Counts one more attempt in each window. Returns the seconds to wait, or None if no window has more
    than it allows."""
    wait: int | None = await value(db, HIT, app_id, keys, seconds, most)
    return wait


async def refund(db: Db, *, app_id: str, key: str) -> None:
    """Takes back one attempt."""
    await run(
        db,
        "UPDATE rate_limits SET hits = hits - 1 WHERE app_id = $1 AND key = $2 AND hits > 0",
        app_id,
        key,
    )
