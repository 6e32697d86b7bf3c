"""revoked_grants: the last revocation of what users granted a client, for codes under way.

A code does not exist in the database before it is redeemed, so a revocation cannot mark it. Instead a
code holds the ids of the revocations that were known when it was issued. It is refused if there is
another one. Ids are compared, not times: a revocation that commits while a code is being issued has an
earlier time than the code.
"""

from __future__ import annotations

from typing import Final

from common.db import Db, run

KEPT: Final = 1200.0
"""Seconds: longer than any code is valid."""


async def put(db: Db, *, app_id: str, id: str, client_id: str, user_id: str | None) -> None:
    """Refuses all codes of the client that were issued so far: of one user, or of all."""
    await run(
        db,
        """
        INSERT INTO revoked_grants (app_id, id, client_id, user_id, expires_at)
        SELECT $1, $2, c.client_id, $4::uuid, now() + make_interval(secs => $5)
        FROM oauth_clients c
        WHERE c.app_id = $1 AND c.client_id = $3 AND ($4::uuid IS NULL OR EXISTS (
            SELECT FROM users u WHERE u.app_id = $1 AND u.id = $4))
        ON CONFLICT (client_id, user_id, app_id)
            DO UPDATE SET id = excluded.id, expires_at = excluded.expires_at
        """,
        app_id,
        id,
        client_id,
        user_id,
        KEPT,
    )


async def list_known(db: Db, *, app_id: str, client_id: str, user_id: str) -> list[str]:
    """Lists the revocations of the client, and of what this user granted it, that are kept now."""
    rows = await db.fetch(
        """
        SELECT g.id FROM revoked_grants g
        WHERE g.app_id = $1 AND g.client_id = $2 AND (g.user_id = $3 OR g.user_id IS NULL)
        """,
        app_id,
        client_id,
        user_id,
    )
    return [row["id"] for row in rows]


async def list_transactions(db: Db) -> set[tuple[int, str]]:
    """Lists the transactions that replicas of this service are running, but for this one.

    Each is a process of Postgres and the time at which its transaction began.
    """
    rows = await db.fetch(
        """
        -- any-tenant: says nothing about rows of applications
        SELECT pid, xact_start::text AS began FROM pg_stat_activity
        WHERE usename = current_user AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
        """
    )
    return {(row["pid"], row["began"]) for row in rows}
