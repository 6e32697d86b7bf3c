"""Rows of audit_logs, as those may see them who may read the log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common import keyset
from common.contracts.audit_log import AuditRecord
from common.db import Db, many, maybe, run


@dataclass(frozen=True)
class Wanted:
    """Filters and place of a page. `before` is a created_at and id that sort after all its rows: two
    upper bounds in SQL would make Postgres begin at the wrong one and read on."""

    event_type: str | None
    user_id: str | None
    ip_address: str | None
    since: datetime | None
    before: tuple[datetime, str]
    limit: int


async def page(db: Db, *, app_id: str, wanted: Wanted) -> list[AuditRecord]:
    """Each of the four statements walks the index that leads to what is wanted."""
    if wanted.user_id is not None:
        return await _of_user(db, app_id=app_id, wanted=wanted)
    if wanted.ip_address is not None:
        return await _of_address(db, app_id=app_id, wanted=wanted)
    if wanted.event_type is not None:
        return await _of_type(db, app_id=app_id, wanted=wanted)
    return await many(
        db,
        AuditRecord,
        """
        SELECT l.id, l.event_type, l.event_data, l.data_version AS version, l.user_id,
               u.email AS user_email, u.name AS user_name, l.actor_kind, l.actor_id, l.session_id,
               l.org_id, l.ip_address, l.user_agent, l.trace, l.created_at
        FROM audit_logs l LEFT JOIN users u ON u.app_id = $1 AND u.id = l.user_id
        WHERE l.app_id = $1 AND l.created_at >= $2::timestamptz
          AND (l.created_at, l.id) < ($3::timestamptz, $4::uuid)
        ORDER BY l.created_at DESC, l.id DESC LIMIT $5
        """,
        app_id,
        wanted.since or keyset.OLDEST,
        *wanted.before,
        wanted.limit,
    )


async def _of_user(db: Db, *, app_id: str, wanted: Wanted) -> list[AuditRecord]:
    return await many(
        db,
        AuditRecord,
        """
        SELECT l.id, l.event_type, l.event_data, l.data_version AS version, l.user_id,
               u.email AS user_email, u.name AS user_name, l.actor_kind, l.actor_id, l.session_id,
               l.org_id, l.ip_address, l.user_agent, l.trace, l.created_at
        FROM audit_logs l LEFT JOIN users u ON u.app_id = $1 AND u.id = l.user_id
        WHERE l.app_id = $1 AND l.user_id = $7 AND ($8::text IS NULL OR l.event_type = $8)
          AND ($2::text IS NULL OR l.ip_address = $2)
          AND l.created_at >= $3::timestamptz
          AND (l.created_at, l.id) < ($4::timestamptz, $5::uuid)
        ORDER BY l.created_at DESC, l.id DESC LIMIT $6
        """,
        app_id,
        wanted.ip_address,
        wanted.since or keyset.OLDEST,
        *wanted.before,
        wanted.limit,
        wanted.user_id,
        wanted.event_type,
    )


async def _of_address(db: Db, *, app_id: str, wanted: Wanted) -> list[AuditRecord]:
    return await many(
        db,
        AuditRecord,
        """
        SELECT l.id, l.event_type, l.event_data, l.data_version AS version, l.user_id,
               u.email AS user_email, u.name AS user_name, l.actor_kind, l.actor_id, l.session_id,
               l.org_id, l.ip_address, l.user_agent, l.created_at
        FROM audit_logs l LEFT JOIN users u ON u.app_id = $1 AND u.id = l.user_id
        WHERE l.app_id = $1 AND l.ip_address = $6
          AND ($7::text IS NULL OR l.event_type = $7)
          AND l.created_at >= $2::timestamptz
          AND (l.created_at, l.id) < ($3::timestamptz, $4::uuid)
        ORDER BY l.created_at DESC, l.id DESC LIMIT $5
        """,
        app_id,
        wanted.since or keyset.OLDEST,
        *wanted.before,
        wanted.limit,
        wanted.ip_address,
        wanted.event_type,
    )


async def _of_type(db: Db, *, app_id: str, wanted: Wanted) -> list[AuditRecord]:
    return await many(
        db,
        AuditRecord,
        """
        SELECT l.id, l.event_type, l.event_data, l.data_version AS version, l.user_id,
               u.email AS user_email, u.name AS user_name, l.actor_kind, l.actor_id, l.session_id,
               l.org_id, l.ip_address, l.user_agent, l.trace, l.created_at
        FROM audit_logs l LEFT JOIN users u ON u.app_id = $1 AND u.id = l.user_id
        WHERE l.app_id = $1 AND l.event_type = $6 AND l.created_at >= $2::timestamptz
          AND (l.created_at, l.id) < ($3::timestamptz, $4::uuid)
        ORDER BY l.created_at DESC, l.id DESC LIMIT $5
        """,
        app_id,
        wanted.since or keyset.OLDEST,
        *wanted.before,
        wanted.limit,
        wanted.event_type,
    )


async def by_id(db: Db, *, app_id: str, id: str) -> AuditRecord | None:
    return await maybe(
        db,
        AuditRecord,
        """
        SELECT l.id, l.event_type, l.event_data, l.data_version AS version, l.user_id,
               u.email AS user_email, u.name AS user_name, l.actor_kind, l.actor_id, l.session_id,
               l.org_id, l.ip_address, l.user_agent, l.trace, l.created_at
        FROM audit_logs l LEFT JOIN users u ON u.app_id = $1 AND u.id = l.user_id
        WHERE l.app_id = $1 AND l.id = $2
        """,
        app_id,
        id,
    )


async def applications(db: Db) -> list[str]:
    found = await db.fetch(
        """
        -- any-tenant: every application's log is sealed
        SELECT id FROM applications ORDER BY id
        """
    )
    return [row["id"] for row in found]


@dataclass(frozen=True)
class Retention:
    app_id: str
    days: int


async def retentions(db: Db) -> list[Retention]:
    return await many(
        db,
        Retention,
        """
        -- any-tenant: the sweep looks for every application that keeps its log for a time only
        SELECT id AS app_id, (settings ->> 'audit_retention_days')::integer AS days
        FROM applications
        WHERE jsonb_typeof(settings -> 'audit_retention_days') = 'number'
        """,
    )


async def bereft(db: Db) -> int:
    """Delete events written in the moment their application was deleted. Returns how many went."""
    return await run(
        db,
        """
        -- any-tenant: steps from application to application, so it reads one row of each
        WITH RECURSIVE named AS (
            (SELECT app_id FROM audit_logs ORDER BY app_id LIMIT 1)
            UNION ALL
            SELECT (SELECT l.app_id FROM audit_logs l WHERE l.app_id > n.app_id
                    ORDER BY l.app_id LIMIT 1)
            FROM named n WHERE n.app_id IS NOT NULL
        )
        DELETE FROM audit_logs WHERE app_id IN (
            SELECT app_id FROM named n WHERE n.app_id IS NOT NULL
              AND NOT EXISTS (SELECT FROM applications a WHERE a.id = n.app_id))
        """,
    )


async def prune(db: Db, *, app_id: str, before: datetime, limit: int) -> int:
    """Delete the oldest events of the chain up to the first that is younger, so that what is
    left has no holes. Returns how many went."""
    return await run(
        db,
        """
        -- by-upkeep: no service may delete what it wrote into the log
        WITH kept AS (
            SELECT c.seq FROM audit_logs l
            JOIN audit_chain c ON c.app_id = $1 AND c.event_id = l.id
            WHERE l.app_id = $1 AND l.created_at >= $2 ORDER BY l.created_at, l.id LIMIT 1000
        ), old AS (
            SELECT l.id FROM audit_logs l
            JOIN audit_chain c ON c.app_id = $1 AND c.event_id = l.id
            WHERE l.app_id = $1 AND l.created_at < $2
              AND c.seq < coalesce((SELECT min(seq) FROM kept), 9223372036854775807)
            ORDER BY l.created_at, l.id LIMIT $3
        )
        DELETE FROM audit_logs WHERE app_id = $1 AND id IN (SELECT id FROM old)
        """,
        app_id,
        before,
        limit,
    )
