"""The users of an application as a file."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from fastapi.responses import StreamingResponse

from common.contracts.user_import import ExportUsers
from gateway.api import user_files
from gateway.api.deps import Acting, TheGateway
from gateway.api.export_files import Format, file_response
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
    format: Annotated[Format, Query()] = "ndjson",
) -> StreamingResponse:
    """Exports all users without passwords, in a form that an import takes. In a CSV file, a cell that
    a spreadsheet would run as a formula begins with an apostrophe. You can have one export at a
    time. Needs `users:read`."""
    write = user_files.ndjson if format == "ndjson" else user_files.as_csv
    return await file_response(
        gateway,
        ctx,
        ExportUsers(limit=100),
        name="users",
        format=format,
        lines=lambda replies: write(reply.users async for reply in replies),
    )


routes = RouteSet(router=router, in_applications=True)
