"""Handles the export of the audit log: the chained events, in pieces of one message each."""

from __future__ import annotations

from typing import Final

from common.audit_chain import user_salt
from common.context import Context
from common.contracts.audit_log import AuditExport, ChainPlace, ExportAudit, ExportedRecord
from common.crypto import b64url
from tenancy import audit_sealing
from tenancy.deps import Deps
from tenancy.queries import audit_chain

BATCH: Final = 500
"""Rows that one piece reads."""
STRETCH: Final = 2_000
"""Events of the chain that one piece looks at, however few of them match the filters."""
MAX_BYTES: Final = 600_000
"""Size of one piece. A message on the bus has at most a megabyte."""


async def export(deps: Deps, ctx: Context, request: ExportAudit) -> AuditExport:
    """Returns the next piece of the events that match, in the order of the chain.

    The first piece seals what was committed until now, so the export contains it.
    """
    (cursor,) = deps.cursors.read(ctx.app_id, "audit export", request.cursor, 1)
    if cursor is None:
        await audit_sealing.seal(deps, ctx.app_id)
    after = int(cursor or 0)
    async with deps.db.reader(ctx) as db:
        stretch = await audit_chain.stretch(db, app_id=ctx.app_id, after=after, limit=STRETCH)
        rows = await audit_chain.export_page(
            db,
            app_id=ctx.app_id,
            after=after,
            last=stretch.last or after,
            limit=BATCH,
            event_type=request.event_type,
            user_id=request.user_id,
            ip_address=request.ip_address,
            since=request.start_date,
            until=request.end_date,
        )
    records = _records_that_fit(deps, ctx, rows)
    last: int | None = None  # the place after which the next piece begins
    if len(records) < len(rows) or len(rows) == BATCH:
        last = records[-1].chain.seq
    elif stretch.count == STRETCH:
        last = stretch.last
    return AuditExport(
        records=records,
        next=deps.cursors.make(ctx.app_id, "audit export", str(last)) if last else None,
    )


def _records_that_fit(
    deps: Deps, ctx: Context, rows: list[audit_chain.ChainedEvent]
) -> list[ExportedRecord]:
    """Returns the first rows that fit into one message, and at least one."""
    records: list[ExportedRecord] = []
    size = 0
    for row in rows:
        record = _record(deps, ctx.app_id, row)
        size += len(record.model_dump_json())
        if records and size > MAX_BYTES:
            break
        records.append(record)
    return records


def _record(deps: Deps, app_id: str, row: audit_chain.ChainedEvent) -> ExportedRecord:
    """Returns the event with its place in the chain, and the salt of its user's digest."""
    salted = row.user_id is not None and row.user_ref is not None
    return ExportedRecord(
        app_id=app_id,
        id=row.id,
        event_type=row.event_type,
        event_data=row.event_data,
        version=row.version,
        user_id=row.user_id,
        user_email=row.user_email,
        user_name=row.user_name,
        actor_kind=row.actor_kind,
        actor_id=row.actor_id,
        session_id=row.session_id,
        org_id=row.org_id,
        ip_address=row.ip_address,
        user_agent=row.user_agent,
        trace=row.trace,
        created_at=row.created_at,
        chain=ChainPlace(
            seq=row.seq,
            previous_hash=b64url(row.previous_hash),
            hash=b64url(row.hash),
            user_ref=row.user_ref,
            user_salt=user_salt(deps.keys, app_id, row.id, row.user_ref or "") if salted else None,
        ),
    )
