"""The batches of the audit outbox: up to 50 events of one application that go to the stream together.

A batch is the rows with its id. One statement gives the rows their id, and one deletes them. In between
the batch never changes. So any relay may publish it, and as often as it likes: the stream keeps one
message with that id.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Final

from common.audit import LARGEST
from common.db import Db, many, run

LINES: Final = 50
"""Events in one batch, at most."""
APPLICATIONS: Final = 20
"""Applications of which one statement takes a batch, at most. The memory of a round is this many batches."""


@dataclass(frozen=True)
class OutboxRow:
    """An event that waits. `more` tells that the application may have others beyond this batch."""

    app_id: str
    batch_id: str
    seq: int
    event_id: str
    event_type: str
    payload: bytes
    more: bool


@dataclass(frozen=True)
class Batch:
    """Events of one application, the oldest first."""

    id: str
    app_id: str
    rows: list[OutboxRow] = field(repr=False)


async def take(
    db: Db, *, service: str, start: str, lease: float, own: Collection[str]
) -> list[Batch]:
    """Returns a batch of each of the first applications with waiting events, from the id `start` on.

    An application whose oldest event is in a batch already has that one under way. It is returned
    again if its id is among `own`, or if it is older than `lease` seconds, because its relay may be
    dead. Else the application is left out, which keeps its events in order.

    The plan is made while the table may be empty. Rows are joined by ctid, and behind OFFSET 0, so that
    it reads no more rows when the queue is long.
    """
    rows = await many(
        db,
        OutboxRow,
        """
        -- any-tenant: the relay sends the events of all applications, one batch of each in turn
        WITH RECURSIVE heads AS (
            (SELECT app_id, seq, batch_id, batched_at, batch_end, 1 AS number FROM audit_outbox
             WHERE service = $1 AND app_id >= $2 ORDER BY app_id, seq LIMIT 1)
            UNION ALL
            SELECT next.app_id, next.seq, next.batch_id, next.batched_at, next.batch_end, number + 1
            FROM heads CROSS JOIN LATERAL (
                SELECT app_id, seq, batch_id, batched_at, batch_end FROM audit_outbox
                WHERE service = $1 AND app_id > heads.app_id ORDER BY app_id, seq LIMIT 1
            ) next
            WHERE number < $3
        ), fresh AS (
            SELECT app_id, gen_random_uuid() AS batch_id FROM heads WHERE batch_id IS NULL
        ), candidates AS (
            SELECT fresh.batch_id, o.ctid,
                   row_number() OVER oldest_first AS number,
                   sum(o.size) OVER oldest_first AS bytes,
                   max(o.seq) OVER application AS last_seq,
                   count(*) OVER application = $4 OR sum(o.size) OVER application > $5 AS more
            FROM fresh CROSS JOIN LATERAL (
                SELECT ctid, seq, octet_length(payload) + 1 AS size FROM audit_outbox
                WHERE service = $1 AND app_id = fresh.app_id AND batch_id IS NULL
                ORDER BY seq LIMIT $4 FOR UPDATE SKIP LOCKED
            ) o
            WINDOW application AS (PARTITION BY fresh.app_id),
                   oldest_first AS (application ORDER BY o.seq)
        ), batched AS (
            UPDATE audit_outbox o SET batch_id = c.batch_id, batched_at = now(), batch_end = c.last_seq
            FROM candidates c
            WHERE o.ctid = c.ctid AND (c.number = 1 OR c.bytes <= $5)
            RETURNING o.app_id, o.batch_id, o.seq, o.event_id, o.event_type, o.payload, c.more
        )
        SELECT app_id, batch_id, seq, event_id, event_type, payload, more FROM batched
        UNION ALL
        SELECT o.app_id, o.batch_id, o.seq, o.event_id, o.event_type, o.payload, true
        FROM heads CROSS JOIN LATERAL (
            SELECT app_id, batch_id, seq, event_id, event_type, payload FROM audit_outbox
            WHERE service = $1 AND app_id = heads.app_id AND batch_id = heads.batch_id
              AND seq BETWEEN heads.seq AND heads.batch_end
            OFFSET 0
        ) o
        WHERE heads.batched_at < now() - make_interval(secs => $6)
           OR heads.batch_id = ANY ($7::uuid[])
        """,
        service,
        start,
        APPLICATIONS,
        LINES,
        LARGEST,
        lease,
        list(own),
    )
    rows.sort(key=attrgetter("app_id", "batch_id", "seq"))
    grouped = groupby(rows, attrgetter("app_id", "batch_id"))
    return [Batch(id, app_id, list(batch)) for (app_id, id), batch in grouped]


async def delete(db: Db, *, service: str, batches: list[Batch]) -> None:
    """Deletes the rows of batches that the stream has."""
    rows = [row for batch in batches for row in batch.rows]
    await run(
        db,
        """
        -- any-tenant: the rows just sent, of all applications
        DELETE FROM audit_outbox WHERE ctid = ANY (ARRAY(
            SELECT o.ctid
            FROM unnest($2::uuid[], $3::bigint[]) AS sent (app_id, seq) CROSS JOIN LATERAL (
                SELECT ctid FROM audit_outbox
                WHERE service = $1 AND app_id = sent.app_id AND seq = sent.seq
                OFFSET 0
            ) o
        ))
        """,
        service,
        [row.app_id for row in rows],
        [row.seq for row in rows],
    )


async def waiting_ids(db: Db, *, app_id: str) -> list[str]:
    """Returns the ids of the application's events that are still to be sent, of all services."""
    rows = await db.fetch(
        """
        -- any-tenant: as aero2_relay, which alone may read what is queued
        SELECT event_id FROM audit_outbox WHERE app_id = $1
        """,
        app_id,
    )
    return [row["event_id"] for row in rows]
