"""The users of an application as a file."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import Query
from fastapi.responses import StreamingResponse

from common.contracts.user_import import ExportUsers
from gateway.api import user_files
from gateway.api.deps import Acting, TheBus, TheGateway
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/users/export", tags=["users"])


@router.get(
    "/file",
    summary="Export users as a file",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"application/x-ndjson": {}, "text/csv": {}},
            "description": "A file with one user per line, oldest first.",
        }
    },
)
async def export_file(
    gateway: TheGateway,
    ctx: Acting,
    bus: TheBus,
    format: Annotated[Literal["csv", "ndjson"], Query()] = "ndjson",
) -> StreamingResponse:
    """Exports all users without passwords, in a form that an import takes. In a CSV file, a cell that
    a spreadsheet would run as a formula begins with an apostrophe. You can have one export at a
    time. Needs `users:read`."""
    call = ExportUsers(limit=100)
    name = gateway.exports.begin(ctx)
    try:
        first = await bus.call(replace(ctx, deadline=time.time() + call.within), call)
    except BaseException:
        gateway.exports.end(name)
        raise
    pages = gateway.exports.until_sent(name, user_files.pages_of_users(bus, ctx, first))
    lines = user_files.ndjson(pages) if format == "ndjson" else user_files.as_csv(pages)
    kind = "application/x-ndjson" if format == "ndjson" else "text/csv; charset=utf-8"
    headers = {
        "cache-control": "no-store",
        "content-disposition": f'attachment; filename="users.{format}"',
    }
    return StreamingResponse(lines, media_type=kind, headers=headers)


routes = RouteSet(router=router, in_applications=True)
