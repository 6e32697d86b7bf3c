"""signing_keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common.db import Db, many, run


@dataclass(frozen=True, slots=True)
class KeyRow:
    kid: str
    alg: str
    public_jwk: dict[str, str]
    private_sealed: str | None
    state: str
    activated_at: datetime | None
    not_before: datetime
    retire_at: datetime | None
    now: datetime


async def published(db: Db, *, app_id: str) -> list[KeyRow]:
    return await many(
        db,
        KeyRow,
        """
        SELECT kid, alg, public_jwk, private_sealed, state, activated_at, not_before, retire_at,
               now() AS now
        FROM signing_keys WHERE app_id = $1 AND state <> 'retired'
        ORDER BY alg, created_at, kid
        """,
        app_id,
    )


async def lock(db: Db, *, app_id: str) -> list[KeyRow]:
    """The same rows, so that only one replica rotates them."""
    return await many(
        db,
        KeyRow,
        """
        SELECT kid, alg, public_jwk, private_sealed, state, activated_at, not_before, retire_at,
               now() AS now
        FROM signing_keys WHERE app_id = $1 AND state <> 'retired'
        ORDER BY kid FOR UPDATE
        """,
        app_id,
    )


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
    """False where another replica made one first."""
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


async def replace(db: Db, *, app_id: str, alg: str, keep: float) -> None:
    """The active key only verifies from now on, for `keep` seconds; two statements, because there
    is one active key of each algorithm at any moment."""
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


async def retire(db: Db, *, app_id: str) -> int:
    """Forget the private part of what signs nothing any more and whose tokens are gone."""
    return await run(
        db,
        """
        UPDATE signing_keys SET state = 'retired', private_sealed = NULL
        WHERE app_id = $1 AND state = 'retiring' AND retire_at <= now()
        """,
        app_id,
    )
