"""Reads and extends audit_chain, the hash chain over an application's events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from common import keyset
from common.db import Db, many, maybe, run, value


@dataclass(frozen=True)
class Head:
    """The last link of a chain, or the link that a checkpoint signs."""

    seq: int
    hash: bytes
    created_at: datetime


@dataclass(frozen=True)
class LoggedEvent:
    """Everything of an event that its hash covers."""

    id: str
    event_type: str
    event_data: dict[str, Any]
    version: int
    user_id: str | None
    actor_kind: str | None
    actor_id: str | None
    session_id: str | None
    org_id: str | None
    ip_address: str | None
    user_agent: str | None
    trace: str | None
    created_at: datetime


@dataclass(frozen=True)
class ChainedEvent(LoggedEvent):
    """An event with its place in the chain, and what its user is called today."""

    user_email: str | None
    user_name: str | None
    seq: int
    previous_hash: bytes
    hash: bytes
    user_ref: str | None


@dataclass(frozen=True)
class ChainLink:
    """A new link of the chain."""

    seq: int
    event_id: str
    previous_hash: bytes
    hash: bytes
    user_ref: str | None


COLUMNS: Final = """
    l.id, l.event_type, l.event_data, l.data_version AS version, l.user_id, l.actor_kind,
    l.actor_id, l.session_id, l.org_id, l.ip_address, l.user_agent, l.trace, l.created_at"""
"""Of `audit_logs l`, for an `LoggedEvent`."""

UNSEALED: Final = f"""
    SELECT {COLUMNS} FROM audit_logs l
    WHERE l.app_id = $1 AND l.created_at >= $2::timestamptz
      AND NOT EXISTS (SELECT FROM audit_chain c WHERE c.app_id = $1 AND c.event_id = l.id)
    ORDER BY l.created_at, l.id LIMIT $3
    """
UNSEALED_BY_IDS: Final = f"""
    SELECT {COLUMNS} FROM audit_logs l
    WHERE l.app_id = $1 AND l.id = ANY($2::uuid[])
      AND NOT EXISTS (SELECT FROM audit_chain c WHERE c.app_id = $1 AND c.event_id = l.id)
    ORDER BY l.created_at, l.id
    """
BY_IDS: Final = f"""
    SELECT {COLUMNS} FROM audit_logs l
    WHERE l.app_id = $1 AND l.id = ANY($2::uuid[])
    ORDER BY l.created_at, l.id
    """


async def lock(db: Db, *, app_id: str) -> bool:
    """Locks the application's chain. Returns False if another transaction extends it."""
    locked: bool = await value(
        db,
        """
        SELECT pg_try_advisory_xact_lock(hashtextextended('audit_chain ' || app_id, 0))
        FROM (SELECT $1::text AS app_id) AS application
        """,
        app_id,
    )
    return locked


async def head(db: Db, *, app_id: str) -> Head | None:
    """Returns the last link of the chain, or None if there is none."""
    return await maybe(
        db,
        Head,
        """
        -- whole: not read; the key ends with seq, and the last is the first of it backwards
        SELECT seq, hash, created_at FROM audit_chain
        WHERE app_id = $1 ORDER BY seq DESC LIMIT 1
        """,
        app_id,
    )


async def unsealed(db: Db, *, app_id: str, since: datetime | None, limit: int) -> list[LoggedEvent]:
    """Returns events since then that are not in the chain, the oldest first.

    Each call looks up every event of that time again. Use it for events whose message was missed.
    """
    return await many(db, LoggedEvent, UNSEALED, app_id, since or keyset.OLDEST, limit)


async def unsealed_by_ids(db: Db, *, app_id: str, ids: list[str]) -> list[LoggedEvent]:
    """Returns those of the events that are committed and not in the chain, the oldest first."""
    return await many(db, LoggedEvent, UNSEALED_BY_IDS, app_id, ids)


async def by_ids(db: Db, *, app_id: str, ids: list[str]) -> list[LoggedEvent]:
    """Returns those of the events that are in the log, the oldest first."""
    return await many(db, LoggedEvent, BY_IDS, app_id, ids)


async def insert(db: Db, *, app_id: str, links: list[ChainLink]) -> None:
    """Appends these links to the chain."""
    await run(
        db,
        """
        INSERT INTO audit_chain (app_id, seq, event_id, previous_hash, hash, user_ref)
        SELECT $1, new.seq, new.event_id, new.previous_hash, new.hash, new.user_ref
        FROM unnest($2::bigint[], $3::uuid[], $4::bytea[], $5::bytea[], $6::text[])
            AS new (seq, event_id, previous_hash, hash, user_ref)
        """,
        app_id,
        [link.seq for link in links],
        [link.event_id for link in links],
        [link.previous_hash for link in links],
        [link.hash for link in links],
        [link.user_ref for link in links],
    )


@dataclass(frozen=True)
class Stretch:
    """A part of the chain: the place of its last event, and how many events it has."""

    last: int | None
    count: int


async def stretch(db: Db, *, app_id: str, after: int, limit: int) -> Stretch:
    """Returns the stretch of at most `limit` events after that place."""
    rows = await many(
        db,
        Stretch,
        """
        SELECT max(next.seq) AS last, count(*) AS count
        FROM (SELECT seq FROM audit_chain WHERE app_id = $1 AND seq > $2 ORDER BY seq LIMIT $3)
            AS next
        """,
        app_id,
        after,
        limit,
    )
    return rows[0]


EXPORT: Final = f"""
    SELECT {COLUMNS}, u.email AS user_email, u.name AS user_name, c.seq, c.previous_hash,
           c.hash, c.user_ref
    FROM audit_chain c
    CROSS JOIN LATERAL (  -- by its key: with OFFSET 0 no other condition can lead to it
        SELECT id, event_type, event_data, data_version, user_id, actor_kind, actor_id,
               session_id, org_id, ip_address, user_agent, trace, created_at
        FROM audit_logs WHERE app_id = $1 AND id = c.event_id OFFSET 0
    ) AS l
    LEFT JOIN users u ON u.app_id = $1 AND u.id = l.user_id
    WHERE c.app_id = $1 AND c.seq > $2 AND c.seq <= $9
      AND ($4::text IS NULL OR l.event_type = $4) AND ($5::uuid IS NULL OR l.user_id = $5)
      AND ($6::text IS NULL OR l.ip_address = $6)
      AND l.created_at >= $7::timestamptz
      AND l.created_at < $8::timestamptz
    ORDER BY c.seq LIMIT $3
    """


async def export_page(
    db: Db,
    *,
    app_id: str,
    after: int,
    last: int,
    limit: int,
    event_type: str | None,
    user_id: str | None,
    ip_address: str | None,
    since: datetime | None,
    until: datetime | None,
) -> list[ChainedEvent]:
    """Returns the first events in (after, last] that match.

    A filter that matches rarely reads this stretch, and not the whole log.
    """
    return await many(
        db,
        ChainedEvent,
        EXPORT,
        app_id,
        after,
        limit,
        event_type,
        user_id,
        ip_address,
        since or keyset.OLDEST,
        until or keyset.NEWEST,
        last,
    )
