"""Handles the audit log: reading, counting and following it. Nobody can change it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from common import keyset
from common.audit_chain import public_keys
from common.context import Context
from common.contracts.audit_log import (
    AuditRecord,
    AuditRecordNotFound,
    AuditRecords,
    Checkpoints,
    CountAudit,
    EventCounts,
    FollowAudit,
    GetAuditRecord,
    ListAudit,
    ListCheckpoints,
    ListOwnAudit,
    ListUserAudit,
    OwnRecord,
    OwnRecords,
)
from common.contracts.base import Done
from common.contracts.users import UserNotFound
from common.problems import Forbidden
from tenancy import audit_counts, audit_sealing
from tenancy.deps import Deps
from tenancy.queries import audit, audit_chain, audit_checkpoints, members

EXPLAINED: Final = frozenset({"impersonation_started", "impersonation_ended"})
"""Events whose reason the user may read. That of an operator's search or support view is written for the
team of the application: it may be a suspicion against this user."""


async def list_(deps: Deps, ctx: Context, request: ListAudit) -> AuditRecords:
    """Returns a page of the records that match, the newest first."""
    created_at, id = deps.cursors.read(ctx.app_id, "audit", request.cursor, 2)
    filters = audit.Filters(
        event_type=request.event_type,
        user_id=request.user_id,
        ip_address=request.ip_address,
        since=request.start_date,
        before=_upper_bound(request.end_date, created_at, id),
        limit=request.limit + 1,
    )
    async with deps.db.reader(ctx) as db:
        rows = await audit.page(db, app_id=ctx.app_id, filters=filters)
    page, next = deps.cursors.page(
        ctx.app_id, "audit", rows, request.limit, key=lambda row: (row.created_at, row.id)
    )
    return AuditRecords(audit_logs=page, next=next)


async def list_of_user(deps: Deps, ctx: Context, request: ListUserAudit) -> AuditRecords:
    """Returns a page of the user's records, the newest first. Raises UserNotFound."""
    async with deps.db.reader(ctx) as db:
        if await members.named_user(db, app_id=ctx.app_id, user_id=request.user_id) is None:
            raise UserNotFound
    return await list_(deps, ctx, ListAudit(**dict(request)))


async def list_own(deps: Deps, ctx: Context, request: ListOwnAudit) -> OwnRecords:
    """Returns a page of the records about the calling user, the newest first. Raises Forbidden for a
    developer, who is no user of the application."""
    user_id = ctx.caller.user_id
    if user_id is None:
        raise Forbidden("only a user of this application has a log of their own")
    listed = await list_(deps, ctx, ListAudit(user_id=user_id, **dict(request)))
    records = [_own_record(record, user_id) for record in listed.audit_logs]
    return OwnRecords(audit_logs=records, next=listed.next)


def _own_record(record: AuditRecord, user_id: str) -> OwnRecord:
    """Returns what the user may see of a record: neither its data, nor where somebody else was."""
    own = record.actor_id == user_id
    return OwnRecord(
        **record.model_dump(include=set(OwnRecord.model_fields) - {"ip_address", "user_agent"}),
        reason=record.event_data.get("reason") if record.event_type in EXPLAINED else None,
        ip_address=record.ip_address if own else None,
        user_agent=record.user_agent if own else None,
    )


def _upper_bound(
    until: datetime | None, created_at: str | None, id: str | None
) -> tuple[datetime, str]:
    """Returns the end of the period or the place of the page, whichever is earlier."""
    if created_at is not None:  # a page after the first one lies before the end of the period
        return keyset.backward(created_at, id)
    return keyset.backward(until, keyset.LOWEST_ID if until else None)


async def get(deps: Deps, ctx: Context, request: GetAuditRecord) -> AuditRecord:
    """Returns the record. Raises AuditRecordNotFound."""
    async with deps.db.reader(ctx) as db:
        row = await audit.by_id(db, app_id=ctx.app_id, id=request.id)
    if row is None:
        raise AuditRecordNotFound
    return row


async def count(deps: Deps, ctx: Context, request: CountAudit) -> EventCounts:
    """Returns how many events of each type were committed in the period, sealed or not."""
    async with deps.db.reader(ctx) as db:
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


async def list_checkpoints(deps: Deps, ctx: Context, request: ListCheckpoints) -> Checkpoints:
    """Returns a page of signed heads, the oldest first, and the keys that verify them."""
    (after,) = deps.cursors.read(ctx.app_id, "audit checkpoints", request.cursor, 1)
    async with deps.db.reader(ctx) as db:
        rows = await audit_checkpoints.page(
            db, app_id=ctx.app_id, after=int(after or 0), limit=request.limit + 1
        )
    page, next = deps.cursors.page(
        ctx.app_id, "audit checkpoints", rows, request.limit, key=lambda row: (str(row.seq),)
    )
    return Checkpoints(
        keys=public_keys(deps.keys, ctx.app_id),
        checkpoints=[row.to_contract() for row in page],
        next=next,
    )


async def follow(deps: Deps, ctx: Context, request: FollowAudit) -> Done:
    """Allows the caller to follow the log: the contract's `needs` has checked the right."""
    return Done()
