"""Rows of audit_chain and audit_checkpoints: added to, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common import keyset
from common.contracts.audit_log import SignedHead
from common.crypto import b64url
from common.db import Db, many, maybe, run, value


@dataclass(frozen=True)
class Head:
    seq: int
    hash: bytes
    created_at: datetime


@dataclass(frozen=True)
class Unsealed:
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
class Sealed(Unsealed):
    """An event with its place in the chain."""

    user_email: str | None
    user_name: str | None
    seq: int
    previous_hash: bytes
    hash: bytes
    user_ref: str | None


@dataclass(frozen=True)
class Link:
    seq: int
    event_id: str
    previous_hash: bytes
    hash: bytes
    user_ref: str | None


async def lock(db: Db, *, app_id: str) -> bool:
    """Whether this transaction alone extends the application's chain."""
    taken: bool = await value(
        db,
        """
        SELECT pg_try_advisory_xact_lock(hashtextextended('audit_chain ' || app_id, 0))
        FROM (SELECT $1::text AS app_id) AS asked
        """,
        app_id,
    )
    return taken


async def head(db: Db, *, app_id: str) -> Head | None:
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


async def unsealed_of(db: Db, *, app_id: str, ids: list[str]) -> list[Unsealed]:
    """Returns those of the events that are committed and not in the chain, the oldest first."""
    return await many(
        db,
        Unsealed,
        """
        SELECT l.id, l.event_type, l.event_data, l.data_version AS version, l.user_id,
               l.actor_kind, l.actor_id, l.session_id, l.org_id, l.ip_address, l.user_agent,
               l.trace, l.created_at
        FROM audit_logs l
        WHERE l.app_id = $1 AND l.id = ANY($2::uuid[])
          AND NOT EXISTS (
              SELECT FROM audit_chain c WHERE c.app_id = $1 AND c.event_id = l.id)
        ORDER BY l.created_at, l.id
        """,
        app_id,
        ids,
    )


async def unsealed(db: Db, *, app_id: str, since: datetime | None, limit: int) -> list[Unsealed]:
    """Returns events since then that are not in the chain, the oldest first. It looks each one up
    again at every call: for what nobody heard of."""
    return await many(
        db,
        Unsealed,
        """
        SELECT l.id, l.event_type, l.event_data, l.data_version AS version, l.user_id,
               l.actor_kind, l.actor_id, l.session_id, l.org_id, l.ip_address, l.user_agent,
               l.trace, l.created_at
        FROM audit_logs l
        WHERE l.app_id = $1 AND l.created_at >= $2::timestamptz
          AND NOT EXISTS (
              SELECT FROM audit_chain c WHERE c.app_id = $1 AND c.event_id = l.id)
        ORDER BY l.created_at, l.id LIMIT $3
        """,
        app_id,
        since or keyset.OLDEST,
        limit,
    )


async def extend(db: Db, *, app_id: str, links: list[Link]) -> None:
    await run(
        db,
        """
        INSERT INTO audit_chain (app_id, seq, event_id, previous_hash, hash, user_ref)
        SELECT $1, made.seq, made.event_id, made.previous_hash, made.hash, made.user_ref
        FROM unnest($2::bigint[], $3::uuid[], $4::bytea[], $5::bytea[], $6::text[])
            AS made (seq, event_id, previous_hash, hash, user_ref)
        """,
        app_id,
        [made.seq for made in links],
        [made.event_id for made in links],
        [made.previous_hash for made in links],
        [made.hash for made in links],
        [made.user_ref for made in links],
    )


@dataclass(frozen=True)
class Piece:
    """A stretch of the chain: the place of its last event, and how many it has."""

    last: int | None
    count: int


async def piece(db: Db, *, app_id: str, after: int, limit: int) -> Piece:
    """Returns the stretch of at most `limit` events after that place."""
    rows = await many(
        db,
        Piece,
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


async def sealed(
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
) -> list[Sealed]:
    """Returns the first of the events in (after, last] that match. Whoever looks for what is rare
    reads that stretch and not the whole log."""
    return await many(
        db,
        Sealed,
        """
        SELECT l.id, l.event_type, l.event_data, l.data_version AS version, l.user_id,
               l.actor_kind, l.actor_id, l.session_id, l.org_id, l.ip_address, l.user_agent,
               l.trace, l.created_at, u.email AS user_email, u.name AS user_name, c.seq, c.previous_hash,
               c.hash, c.user_ref
        FROM audit_chain c
        CROSS JOIN LATERAL (  -- by its key: with OFFSET 0 no other condition can lead to it
            SELECT id, event_type, event_data, data_version, user_id, actor_kind, actor_id,
                   session_id, org_id, ip_address, user_agent, trace, created_at
            FROM audit_logs WHERE app_id = $1 AND id = c.event_id OFFSET 0
        ) AS l
        LEFT JOIN users u ON u.app_id = $1 AND u.id = l.user_id
        WHERE c.app_id = $1 AND c.seq > $2 AND c.seq <= $9 AND ($4::text IS NULL OR l.event_type = $4) AND ($5::uuid IS NULL OR l.user_id = $5)
          AND ($6::text IS NULL OR l.ip_address = $6)
          AND l.created_at >= $7::timestamptz
          AND l.created_at < $8::timestamptz
        ORDER BY c.seq LIMIT $3
        """,
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


async def last_signed(db: Db, *, app_id: str) -> Head | None:
    return await maybe(
        db,
        Head,
        """
        SELECT seq, hash, created_at FROM audit_checkpoints
        WHERE app_id = $1 ORDER BY seq DESC LIMIT 1
        """,
        app_id,
    )


async def insert_checkpoint(
    db: Db, *, app_id: str, seq: int, hash: bytes, kid: str, signature: str, created_at: datetime
) -> None:
    await run(
        db,
        """
        INSERT INTO audit_checkpoints (app_id, seq, hash, kid, signature, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        app_id,
        seq,
        hash,
        kid,
        signature,
        created_at,
    )


@dataclass(frozen=True)
class Signed:
    app_id: str
    seq: int
    hash: bytes
    kid: str
    signature: str
    created_at: datetime

    def shown(self) -> SignedHead:
        return SignedHead(
            app_id=self.app_id,
            seq=self.seq,
            hash=b64url(self.hash),
            kid=self.kid,
            signature=self.signature,
            created_at=self.created_at,
        )


async def checkpoints(db: Db, *, app_id: str, after: int, limit: int) -> list[Signed]:
    return await many(
        db,
        Signed,
        """
        SELECT app_id, seq, hash, kid, signature, created_at FROM audit_checkpoints
        WHERE app_id = $1 AND seq > $2 ORDER BY seq LIMIT $3
        """,
        app_id,
        after,
        limit,
    )
