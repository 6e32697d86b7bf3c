"""The audit log over HTTP: read, counted, exported, followed, proven."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Query, Request
from fastapi.responses import StreamingResponse

from common.contracts.audit_log import (
    AuditFilter,
    AuditRecord,
    AuditRecords,
    Checkpoints,
    CountAudit,
    EventCounts,
    ExportAudit,
    ExportFormat,
    FollowAudit,
    GetAuditRecord,
    ListAudit,
    ListCheckpoints,
    ListOwnAudit,
    ListUserAudit,
    OwnRecords,
)
from common.contracts.base import Id, Page
from common.contracts.usage import CountUsage, UsageCounts
from common.problems import Unavailable
from gateway.api import audit_export
from gateway.api.deps import Acting, TheBus, TheGateway, TheRequest, acting
from gateway.api.export_files import file_response
from gateway.api.noun_router import NounRouter
from gateway.audit_tail import Places, Tail
from gateway.routing import RouteSet

router = NounRouter(tags=["audit"])


@router.get("/audit", summary="List audit events")
async def list_(page: Annotated[ListAudit, Query()], ctx: Acting, bus: TheBus) -> AuditRecords:
    """Lists the events that match all filters, newest first. Needs `audit:read`."""
    return await bus.call(ctx, page)


@router.get("/audit/events", summary="Count audit events by type")
async def count(period: Annotated[CountAudit, Query()], ctx: Acting, bus: TheBus) -> EventCounts:
    """Counts the events of each type, the most frequent type first. Needs `audit:read`."""
    return await bus.call(ctx, period)


@router.get("/audit/counts", summary="Count sign-ins and users over time")
async def count_usage(
    window: Annotated[CountUsage, Query()], ctx: Acting, bus: TheBus
) -> UsageCounts:
    """Returns the figures of the Dashboard's charts: for each hour or day of the window, for the whole
    window, and for the one before it. An event counts about a second after it happened. Needs
    `audit:read`."""
    return await bus.call(ctx, window)


@router.get("/audit/checkpoints", summary="List checkpoints of the audit log")
async def checkpoints(
    page: Annotated[ListCheckpoints, Query()], ctx: Acting, bus: TheBus
) -> Checkpoints:
    """Lists signed states of the log's hash chain, oldest first. Store them outside this system:
    with them you can prove that no later events were removed. Needs `audit:read`."""
    return await bus.call(ctx, page)


@router.get(
    "/audit/export",
    summary="Export the audit log",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"application/x-ndjson": {}, "text/csv": {}},
            "description": "A file with one event per line, oldest first.",
        }
    },
)
async def export(
    filters: Annotated[AuditFilter, Query()],
    ctx: Acting,
    gateway: TheGateway,
    format: Annotated[ExportFormat, Query()] = "ndjson",
) -> StreamingResponse:
    """Exports the events that match all filters. An NDJSON export without filters can be verified
    with `aero2 audit verify`. One export of each caller runs at a time. Needs `audit:read`."""
    write = audit_export.ndjson if format == "ndjson" else audit_export.as_csv
    return await file_response(
        gateway,
        ctx,
        ExportAudit(**filters.model_dump(exclude_unset=True)),
        name="audit",
        format=format,
        lines=lambda replies: write(reply.records async for reply in replies),
    )


@router.get(
    "/audit/stream",
    summary="Stream audit events",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/event-stream": {}},
            "description": "Server-sent events. The name of each is the type of the audit event.",
        }
    },
)
async def follow(
    http: Request,
    gateway: TheGateway,
    request: TheRequest,
    ctx: Acting,
    *,
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
) -> StreamingResponse:
    """Sends new events as they happen. With `Last-Event-ID` the stream continues after that event,
    for up to a week. It ends with an event named `end` when you lose access to the log. Needs
    `audit:read`."""

    async def allowed() -> None:
        # The session may have ended, or the user may have lost the role.
        await gateway.bus.call(await acting(http, gateway, request), FollowAudit())

    await gateway.bus.call(ctx, FollowAudit())
    links = gateway.links
    if links is None:
        raise Unavailable("this server has no event stream", retry_after=60)
    caller = ctx.caller
    credential = frozenset(filter(None, (caller.id, caller.session_id)))
    places = Places(gateway.settings.keys)
    tail = Tail(links.nc, links.js, places, gateway.followers, ctx.app_id, allowed, credential)
    events = tail.events(await tail.start(last_event_id))
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


@router.get("/audit/{id}", summary="Get an audit event")
async def get(id: Id, ctx: Acting, bus: TheBus) -> AuditRecord:
    """Returns one event. Needs `audit:read`."""
    return await bus.call(ctx, GetAuditRecord(id=id))


@router.get("/users/me/audit", summary="List events of your account")
async def own(page: Annotated[Page, Query()], ctx: Acting, bus: TheBus) -> OwnRecords:
    """Lists what you did and what was done to your account, newest first. If somebody acted as you, it
    says who and why."""
    return await bus.call(ctx, ListOwnAudit(**dict(page)))


@router.get("/users/{id}/audit", summary="List audit events of a user")
async def of_user(id: Id, page: Annotated[Page, Query()], ctx: Acting, bus: TheBus) -> AuditRecords:
    """Lists what the user did and what was done to them, newest first. Needs `audit:read`."""
    return await bus.call(ctx, ListUserAudit(user_id=id, **dict(page)))


routes = RouteSet(router=router, in_applications=True)
