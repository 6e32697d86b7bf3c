"""Statements on sign_in_guards: wrong passwords by address, known or not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from common.db import Db, defer, one, run, value

RESERVED: Final = """ON CONFLICT (app_id, address_hash) DO UPDATE SET
                pending = CASE WHEN g.pending_until > now() THEN g.pending ELSE 0 END + 1,
                pending_until = excluded.pending_until,
                expires_at = excluded.expires_at
            WHERE (g.locked_until IS NULL OR g.locked_until <= now())
              AND g.failed_attempts + CASE WHEN g.pending_until > now() THEN g.pending ELSE 0 END
                < greatest(5, g.failed_attempts + 1)
            RETURNING true"""
"""The end of a statement that counts a try as pending before it is made, so that many at once stay within
the limit. It returns no row if the address is locked. `fail` and `release` end the reservation. Without
either it lapses, so an outage never counts as a wrong password."""


@dataclass(frozen=True)
class Failed:
    failures: int
    seconds: int


async def locked_for(db: Db, *, app_id: str, address_hashes: list[str]) -> int:
    """Returns the seconds until this address may try again, or 0."""
    left: int | None = await value(
        db,
        """
        SELECT max(least(ceil(extract(epoch FROM
            CASE WHEN locked_until > now() THEN locked_until ELSE pending_until END - now()
        )), 86400))::int
        FROM sign_in_guards
        WHERE app_id = $1 AND address_hash = ANY($2::text[])
          AND (locked_until > now() OR pending_until > now())
        """,
        app_id,
        address_hashes,
    )
    return left or 0


async def locked_until(db: Db, *, app_id: str, address_hashes: list[str]) -> datetime | None:
    """Returns the end of the lockout of this address, or None if it is not locked."""
    end: datetime | None = await value(
        db,
        """
        SELECT max(locked_until) FROM sign_in_guards
        WHERE app_id = $1 AND address_hash = ANY($2::text[]) AND locked_until > now()
        """,
        app_id,
        address_hashes,
    )
    return end


async def release(db: Db, *, app_id: str, address_hash: str) -> None:
    """Ends a pending try that reached no verdict, or the right one."""
    await run(
        db,
        """
        UPDATE sign_in_guards SET pending = greatest(pending - 1, 0)
        WHERE app_id = $1 AND address_hash = $2
        """,
        app_id,
        address_hash,
    )


async def fail(db: Db, *, app_id: str, address_hash: str) -> Failed:
    """Turns a pending try into a failed one. From the fifth on the address is locked, each time for
    longer, and after a hundred until a new password is chosen (NIST SP 800-63B-4 section 3.2.2)."""
    return await one(
        db,
        Failed,
        """
        INSERT INTO sign_in_guards AS g
            (app_id, address_hash, failed_attempts, last_failed_at, expires_at)
        VALUES ($1, $2, 1, now(), now() + interval '90 days')
        ON CONFLICT (app_id, address_hash) DO UPDATE SET
            failed_attempts = g.failed_attempts + 1,
            pending = greatest(g.pending - 1, 0),
            last_failed_at = now(),
            expires_at = now() + interval '90 days',
            locked_until = CASE
                WHEN g.failed_attempts + 1 >= 100 THEN now() + interval '36500 days'
                WHEN g.failed_attempts + 1 >= 50 THEN now() + interval '24 hours'
                WHEN g.failed_attempts + 1 >= 20 THEN now() + interval '1 hour'
                WHEN g.failed_attempts + 1 >= 10 THEN now() + interval '15 minutes'
                WHEN g.failed_attempts + 1 >= 5 THEN now() + interval '5 minutes'
            END
        RETURNING failed_attempts AS failures,
            -- least() ignores NULL, so it is never asked about an address that is not locked.
            CASE WHEN locked_until IS NULL THEN 0
                ELSE least(extract(epoch FROM locked_until - now()), 86400)
            END::int AS seconds
        """,
        app_id,
        address_hash,
    )


DELETE: Final = "DELETE FROM sign_in_guards WHERE app_id = $1 AND address_hash = ANY($2::text[])"


async def forget(db: Db, *, app_id: str, address_hashes: list[str]) -> None:
    """Deletes the count of an address, with the next statement of the transaction."""
    await defer(db, DELETE, app_id, address_hashes)


async def delete(db: Db, *, app_id: str, address_hashes: list[str]) -> bool:
    """Deletes the count of an address. Returns False if nothing was counted."""
    return await run(db, DELETE, app_id, address_hashes) > 0
