"""oauth_clients: clients that registered themselves (RFC 7591)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from common.contracts.clients import Client
from common.db import Db, many, maybe, run, value
from oidc.queries.clients import CLIENT_COLUMNS, FIELD_COLUMNS

INSERT: Final = f"""
    INSERT INTO oauth_clients
        (app_id, id, client_id, {FIELD_COLUMNS}, source, registration_token_hash, registered_metadata)
    SELECT $1, $2, $3, {FIELD_COLUMNS}, 'registered', $5, $6
    FROM jsonb_populate_record(NULL::oauth_clients, $4)
    RETURNING created_at
    """


async def insert(
    db: Db,
    *,
    app_id: str,
    id: str,
    client_id: str,
    fields: dict[str, Any],
    token_hash: str,
    metadata: dict[str, Any],
) -> datetime:
    """Stores a client that registered itself, and returns its creation time."""
    created_at: datetime = await db.fetchval(
        INSERT, app_id, id, client_id, fields, token_hash, metadata
    )
    return created_at


async def count_pending(db: Db, *, app_id: str, most: int) -> int:
    """Returns how many clients have registered themselves and were never used, `most` at most. Other registrations wait
    until this transaction ends, so that all of them count what the others insert."""
    await run(
        db,
        "SELECT pg_advisory_xact_lock(hashtextextended('client registration ' || $1::text, 0))"
        " -- any-tenant: locks a name that has the application in it",
        app_id,
    )
    count: int = await value(
        db,
        """
        SELECT count(*) FROM (
            SELECT FROM oauth_clients
            WHERE app_id = $1 AND source = 'registered' AND last_used_at IS NULL LIMIT $2) pending
        """,
        app_id,
        most,
    )
    return count


@dataclass(frozen=True, slots=True)
class Registration:
    """The parts of a registration beside the fields of its client."""

    client_id: str
    token_hash: str | None
    metadata: dict[str, Any] | None


async def find(db: Db, *, app_id: str, client_id: str) -> Registration | None:
    """Finds the registration of a client that registered itself."""
    return await maybe(
        db,
        Registration,
        """
        SELECT client_id, registration_token_hash AS token_hash, registered_metadata AS metadata
        FROM oauth_clients WHERE app_id = $1 AND client_id = $2 AND source = 'registered'
        """,
        app_id,
        client_id,
    )


async def replace_metadata(
    db: Db, *, app_id: str, client_id: str, metadata: dict[str, Any]
) -> None:
    """Replaces what a client registered beside its fields."""
    await run(
        db,
        "UPDATE oauth_clients SET registered_metadata = $3 WHERE app_id = $1 AND client_id = $2",
        app_id,
        client_id,
        metadata,
    )


async def find_client(db: Db, *, app_id: str, client_id: str) -> Client | None:
    """Finds a client that registered itself, by its client_id alone."""
    return await maybe(db, Client, FIND, app_id, client_id)


FIND: Final = f"""
    SELECT {CLIENT_COLUMNS} FROM oauth_clients
    WHERE app_id = $1 AND client_id = $2 AND source = 'registered'
    """


async def note_use(db: Db, *, app_id: str, client_id: str) -> None:
    """Records that the client got tokens, unless that was recorded within a day."""
    await run(
        db,
        """
        UPDATE oauth_clients SET last_used_at = now()
        WHERE app_id = $1 AND client_id = $2
          AND (last_used_at IS NULL OR last_used_at < now() - interval '1 day')
        """,
        app_id,
        client_id,
    )


@dataclass(frozen=True, slots=True)
class ExpiredClient:
    """A client that nobody of the application registered, and that was not used for long."""

    app_id: str
    id: str
    client_id: str


async def page_of_expired(
    db: Db, *, after: ExpiredClient | None, limit: int
) -> list[ExpiredClient]:
    """Lists clients of all applications that were never used for a day, or not for 90 days, from the position after
    `after`."""
    return await many(
        db,
        ExpiredClient,
        """
        -- any-tenant: this job works for all applications, as aero2_sweep
        SELECT app_id, id, client_id FROM oauth_clients
        WHERE source <> 'developer' AND (app_id, id) > ($1::uuid, $2::uuid)
          AND (coalesce(last_used_at, created_at) < now() - interval '90 days'
               OR source = 'registered' AND last_used_at IS NULL
                  AND created_at < now() - interval '24 hours')
        ORDER BY app_id, id LIMIT $3
        """,
        after.app_id if after else FIRST,
        after.id if after else FIRST,
        limit,
    )


FIRST: Final = "00000000-0000-0000-0000-000000000000"
"""The smallest UUID."""


async def delete_expired(db: Db, *, app_id: str, client_id: str) -> bool:
    """Deletes a client if it is still expired, and no user has given it access. Returns whether it did. A consent is a
    use whose time has not been recorded yet."""
    return (
        await run(
            db,
            """
            DELETE FROM oauth_clients c
            WHERE c.app_id = $1 AND c.client_id = $2 AND c.source <> 'developer'
              AND (coalesce(c.last_used_at, c.created_at) < now() - interval '90 days'
                   OR c.source = 'registered' AND c.last_used_at IS NULL
                      AND c.created_at < now() - interval '24 hours'
                      AND NOT EXISTS (
                          SELECT FROM consents g WHERE g.app_id = $1 AND g.client_id = $2))
            """,
            app_id,
            client_id,
        )
        == 1
    )
