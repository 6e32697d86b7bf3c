"""The audit log: read, counted, exported, proven. Nobody can change it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from common import keyset
from common.audit_chain import public_keys, user_salt
from common.context import Context
from common.contracts.audit_log import (
    AuditExport,
    AuditRecord,
    AuditRecordNotFound,
    AuditRecords,
    ChainPlace,
    Checkpoints,
    CountAudit,
    EventCounts,
    ExportAudit,
    ExportedRecord,
    FollowAudit,
    GetAuditRecord,
    ListAudit,
    ListCheckpoints,
    ListUserAudit,
)
from common.contracts.base import Done
from common.contracts.users import UserNotFound
from common.crypto import b64url
from tenancy import audit_counts, audit_sealing
from tenancy.deps import Deps
from tenancy.queries import audit, audit_chain, members

BATCH: Final = 500
"""Rows of an export that are read at once."""
STRETCH: Final = 2_000
"""Events of the chain that one piece of an export looks at, whatever its filters leave of them."""
ROOM: Final = 600_000
"""Bytes of an export that go into one message; the bus takes a megabyte."""


async def list_(deps: Deps, ctx: Context, request: ListAudit) -> AuditRecords:
    time, id = deps.cursors.read(ctx.app_id, "audit", request.cursor, 2)
    wanted = audit.Wanted(
        event_type=request.event_type,
        user_id=request.user_id,
        ip_address=request.ip_address,
        since=request.start_date,
        before=_upper_bound(request.end_date, time, id),
        limit=request.limit + 1,
    )
    async with deps.db.reading(ctx) as db:
        found = await audit.page(db, app_id=ctx.app_id, wanted=wanted)
    rows, next = deps.cursors.page(
        ctx.app_id, "audit", found, request.limit, key=lambda row: (row.created_at, row.id)
    )
    return AuditRecords(audit_logs=rows, next=next)


async def of_user(deps: Deps, ctx: Context, request: ListUserAudit) -> AuditRecords:
    async with deps.db.reading(ctx) as db:
        if await members.person(db, app_id=ctx.app_id, user_id=request.user_id) is None:
            raise UserNotFound
    return await list_(deps, ctx, ListAudit(**dict(request)))


def _upper_bound(until: datetime | None, time: str | None, id: str | None) -> tuple[datetime, str]:
    """Returns the end of the period, or the place of the page: whichever is earlier."""
    if time is not None:  # a page after the first lies before the end of the period
        return keyset.backward(time, id)
    return keyset.backward(until, keyset.LOWEST_ID if until else None)


async def get(deps: Deps, ctx: Context, request: GetAuditRecord) -> AuditRecord:
    async with deps.db.reading(ctx) as db:
        found = await audit.by_id(db, app_id=ctx.app_id, id=request.id)
    if found is None:
        raise AuditRecordNotFound
    return found


async def count(deps: Deps, ctx: Context, request: CountAudit) -> EventCounts:
    """Every event that is committed counts, sealed or not."""
    async with deps.db.reading(ctx) as db:
        head = await audit_chain.head(db, app_id=ctx.app_id)
        counts = await audit_counts.between(
            db,
            ctx.app_id,
            request.start_date,
            request.end_date,
            now=datetime.now(UTC),
            complete=audit_counts.complete_until(head, audit_sealing.LATEST),
        )
    return EventCounts(event_types=counts)


async def export(deps: Deps, ctx: Context, request: ExportAudit) -> AuditExport:
    (after,) = deps.cursors.read(ctx.app_id, "audit export", request.cursor, 1)
    if after is None:  # the first piece: what was committed before now belongs to it
        await audit_sealing.seal(deps, ctx.app_id)
    place = int(after or 0)
    async with deps.db.reading(ctx) as db:
        piece = await audit_chain.piece(db, app_id=ctx.app_id, after=place, limit=STRETCH)
        rows = await audit_chain.sealed(
            db,
            app_id=ctx.app_id,
            after=place,
            last=piece.last or place,
            limit=BATCH,
            event_type=request.event_type,
            user_id=request.user_id,
            ip_address=request.ip_address,
            since=request.start_date,
            until=request.end_date,
        )
    records: list[ExportedRecord] = []
    size = 0
    for row in rows:
        record = _exported(deps, ctx.app_id, row)
        size += len(record.model_dump_json())
        if records and size > ROOM:
            break
        records.append(record)
    last: int | None = None  # where the next piece begins
    if len(records) < len(rows) or len(rows) == BATCH:
        last = records[-1].chain.seq
    elif piece.count == STRETCH:
        last = piece.last
    return AuditExport(
        records=records,
        next=deps.cursors.make(ctx.app_id, "audit export", str(last)) if last else None,
    )


def _exported(deps: Deps, app_id: str, row: audit_chain.Sealed) -> ExportedRecord:
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


async def checkpoints(deps: Deps, ctx: Context, request: ListCheckpoints) -> Checkpoints:
    (after,) = deps.cursors.read(ctx.app_id, "audit checkpoints", request.cursor, 1)
    async with deps.db.reading(ctx) as db:
        rows = await audit_chain.checkpoints(
            db, app_id=ctx.app_id, after=int(after or 0), limit=request.limit + 1
        )
    shown, next = deps.cursors.page(
        ctx.app_id, "audit checkpoints", rows, request.limit, key=lambda row: (str(row.seq),)
    )
    return Checkpoints(
        keys=public_keys(deps.keys),
        checkpoints=[row.shown() for row in shown],
        next=next,
    )


async def follow(deps: Deps, ctx: Context, request: FollowAudit) -> Done:
    """The contract's `needs` is the whole answer."""
    return Done()
