"""Statements on audit_transfers: events on their way to a log in another cluster."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from common.bound_transaction import BoundTransaction
from common.db import Db, defer, many, run


@dataclass(frozen=True)
class AuditTransfer:
    """An event on its way."""

    app_id: str
    event_id: str
    home: str
    payload: bytes


async def insert(db: BoundTransaction, app_id: str, id: str, home: str, *, payload: bytes) -> None:
    """Writes an event with the next statement of the transaction, or with COMMIT."""
    db.carries = True
    await defer(
        db,
        """
        INSERT INTO audit_transfers (app_id, event_id, home, payload) VALUES ($1, $2, $3, $4)
        """,
        app_id,
        id,
        home,
        payload,
    )


async def claim(db: Db, *, service: str, limit: int) -> list[AuditTransfer]:
    """Returns the oldest events that no other replica carries at this moment."""
    return await many(
        db,
        AuditTransfer,
        """
        -- any-tenant: a relay carries the events of all applications
        WITH waiting AS (
            SELECT app_id, event_id, home, payload FROM audit_transfers
            WHERE service = $1 ORDER BY created_at, event_id LIMIT $2 FOR UPDATE SKIP LOCKED
        )
        SELECT app_id, event_id, home, payload FROM waiting ORDER BY app_id, home, event_id
        """,
        service,
        limit,
    )


async def reroute(db: Db, *, app_id: str, old: str, home: str) -> None:
    """Sends the transfers of an application that has moved to its new home, as aero2_relay."""
    await run(
        db,
        """
        -- any-tenant: a relay carries the events of all applications
        UPDATE audit_transfers SET home = $3 WHERE app_id = $1 AND home = $2
        """,
        app_id,
        old,
        home,
    )


async def write(db: Db, transfer: AuditTransfer) -> None:
    """Writes the event to the log, once, and to the outbox. `db` is bound to its application, at home."""
    event = orjson.loads(transfer.payload)
    await run(
        db,
        """
        WITH logged AS (
            INSERT INTO audit_logs (app_id, id, user_id, event_type, event_data, data_version,
                                    actor_kind, actor_id, session_id, org_id, ip_address,
                                    user_agent, created_at, trace)
            SELECT $1, id, user_id, event_type, event_data, version, actor_kind, actor_id,
                   session_id, org_id, ip_address, user_agent, created_at, trace
            FROM jsonb_to_record($3) AS event (
                id uuid, user_id uuid, event_type text, event_data jsonb, version integer,
                actor_kind text, actor_id text, session_id uuid, org_id uuid, ip_address text,
                user_agent text, created_at timestamptz, trace text)
            ON CONFLICT DO NOTHING
        )
        INSERT INTO audit_outbox (app_id, event_id, event_type, payload) VALUES ($1, $2, $4, $5)
        """,
        transfer.app_id,
        transfer.event_id,
        event,
        event["event_type"],
        transfer.payload,
    )


async def delete(db: Db, *, app_id: str, ids: list[str]) -> None:
    """Deletes the transfers of these events, as aero2_relay."""
    await run(
        db,
        """
        -- any-tenant: a relay carries the events of all applications
        DELETE FROM audit_transfers WHERE app_id = $1 AND event_id = ANY($2::uuid[])
        """,
        app_id,
        ids,
    )
