"""signing_keys: states are next, active, retiring and retired, in this order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from common.db import Db, many, run


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A signing key. `now` is the database's time, to compare the others with."""

    kid: str
    alg: str
    public_jwk: dict[str, str]
    private_sealed: str | None
    state: str
    activated_at: datetime | None
    not_before: datetime
    retire_at: datetime | None
    created_at: datetime
    now: datetime


COLUMNS: Final = """
    kid, alg, public_jwk, private_sealed, state, activated_at, not_before, retire_at, created_at,
    now() AS now"""
PUBLISHED: Final = f"""
    SELECT {COLUMNS} FROM signing_keys WHERE app_id = $1 AND state <> 'retired'
    ORDER BY alg, created_at, kid
    """
LOCK: Final = f"""
    SELECT {COLUMNS} FROM signing_keys WHERE app_id = $1 AND state <> 'retired'
    ORDER BY kid FOR UPDATE
    """


async def list_published(db: Db, *, app_id: str) -> list[KeyRow]:
    """Lists the keys whose public part is published: all but the retired ones."""
    return await many(db, KeyRow, PUBLISHED, app_id)


async def lock_published(db: Db, *, app_id: str) -> list[KeyRow]:
    """Lists and locks the published keys, so that only one replica rotates them."""
    return await many(db, KeyRow, LOCK, app_id)


async def insert(
    db: Db,
    *,
    app_id: str,
    kid: str,
    alg: str,
    public_jwk: dict[str, str],
    private_sealed: str,
    state: str,
    not_before: datetime | None = None,
) -> bool:
    """Stores a key. Returns False if another replica stored one first."""
    return (
        await run(
            db,
            """
        INSERT INTO signing_keys (app_id, kid, alg, public_jwk, private_sealed, state, not_before,
                                  activated_at)
        VALUES ($1, $2, $3, $4, $5, $6, coalesce($7, now()),
                CASE WHEN $6 = 'active' THEN now() END)
        ON CONFLICT DO NOTHING
        """,
            app_id,
            kid,
            alg,
            public_jwk,
            private_sealed,
            state,
            not_before,
        )
        == 1
    )


async def activate_next(db: Db, *, app_id: str, alg: str, keep: float) -> None:
    """Lets the next key sign. The one before it only verifies, for `keep` more seconds.

    These are two statements, because an index allows one active key for each algorithm.
    """
    await run(
        db,
        """
        UPDATE signing_keys SET state = 'retiring', retire_at = now() + make_interval(secs => $3)
        WHERE app_id = $1 AND alg = $2 AND state = 'active'
        """,
        app_id,
        alg,
        keep,
    )
    await run(
        db,
        """
        UPDATE signing_keys SET state = 'active', activated_at = now()
        WHERE app_id = $1 AND alg = $2 AND state = 'next'
        """,
        app_id,
        alg,
    )


async def retire_expired(db: Db, *, app_id: str) -> int:
    """Retires keys whose time to verify is over, and deletes their private parts.

    Returns how many there were.
    """
    return await run(
        db,
        """
        UPDATE signing_keys SET state = 'retired', private_sealed = NULL
        WHERE app_id = $1 AND state = 'retiring' AND retire_at <= now()
        """,
        app_id,
    )
