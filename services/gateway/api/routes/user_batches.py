"""Batches: one act on many users, with progress, results for each row, and a way to cancel."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from common.contracts.base import Contract, Id
from common.contracts.user_batches import (
    MOST_USERS,
    AddUserImportRows,
    BatchResults,
    CancelUserBatch,
    DeleteUsers,
    GetUserBatch,
    ListUserBatches,
    ListUserBatchResults,
    StartUserBatch,
    StartUserImport,
    UserBatch,
    UserBatches,
)
from common.contracts.user_import import ImportLine
from gateway.api import user_files
from gateway.api.deps import Acting, TheBus
from gateway.api.export_files import NDJSON, attachment, pieces
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/user-batches", tags=["user batches"])


class MoreRows(Contract):
    """The next rows of an import."""

    first: int = Field(ge=0, le=MOST_USERS, description="The number of rows before these.")
    users: list[ImportLine] = Field(min_length=1, max_length=500, repr=False)
    complete: bool = True


@router.get("", summary="List batches of users")
async def list_batches(ctx: Acting, bus: TheBus) -> UserBatches:
    """Lists the newest batches with their progress, 20 at most. Needs `users:read`."""
    return await bus.call(ctx, ListUserBatches())


@router.post("", status_code=202, summary="Act on many users")
async def start(batch: StartUserBatch, ctx: Acting, bus: TheBus) -> UserBatch:
    """Disables or enables users, ends their sessions or assigns them a role, in the background. Name
    up to 1,000 `user_ids`. Or send a `filter` and the `count` of users that you saw: answers 409
    `count_changed` if it matches others by now. Needs `users:write`, and `roles:write` for a
    role."""
    return await bus.call(ctx, batch)


@router.post("/import", status_code=202, summary="Start an import of users")
async def start_import(rows: StartUserImport, ctx: Acting, bus: TheBus) -> UserBatch:
    """Imports users in the background. Send up to 500 rows. For more, send `complete: false` here,
    and add the other rows. Needs `users:write`."""
    return await bus.call(ctx, rows)


@router.post("/delete", status_code=202, summary="Delete many users")
async def delete(batch: DeleteUsers, ctx: Acting, bus: TheBus) -> UserBatch:
    """Deletes users and all their data, in the background. This cannot be undone. Name up to 1,000
    `user_ids`, or send a `filter` and a `count`. Needs `users:delete` and a fresh sign-in."""
    return await bus.call(ctx, batch)


@router.get("/{id}", summary="Get a batch of users")
async def get(id: Id, ctx: Acting, bus: TheBus) -> UserBatch:
    """Returns the progress. Needs `users:read`."""
    return await bus.call(ctx, GetUserBatch(batch_id=id))


@router.get("/{id}/results", response_model_exclude_none=True, summary="List results of a batch")
async def results(
    id: Id,
    ctx: Acting,
    bus: TheBus,
    after: Annotated[int, Query(ge=0, le=MOST_USERS)] = 0,
    *,
    failed: bool = False,
) -> BatchResults:
    """Lists the results of rows that are done, or of those that failed. A failed row of an import is
    repeated without password and hash. Needs `users:read`."""
    return await bus.call(ctx, ListUserBatchResults(batch_id=id, after=after, failed=failed))


@router.get(
    "/{id}/failed",
    summary="Download failed rows of a batch",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"application/x-ndjson": {}},
            "description": "A file with one failed row per line. You can import it again.",
        }
    },
)
async def failed(id: Id, ctx: Acting, bus: TheBus) -> StreamingResponse:
    """Downloads the rows that failed, with their numbers and errors, but without passwords and
    hashes. Correct each `record` and import the file again. Needs `users:read`."""
    call = ListUserBatchResults(batch_id=id, failed=True)
    replies = pieces(bus, ctx, call, await bus.call(ctx, call), begins="after")
    return attachment("failed.ndjson", NDJSON, user_files.failed_rows(replies))


@router.post("/{id}/rows", status_code=202, summary="Add rows to an import")
async def add_rows(id: Id, rows: MoreRows, ctx: Acting, bus: TheBus) -> UserBatch:
    """Adds up to 500 rows, 20,000 in all. The same call twice adds them once. The work begins when
    you send `complete: true`. Needs `users:write`."""
    return await bus.call(
        ctx,
        AddUserImportRows(batch_id=id, first=rows.first, users=rows.users, complete=rows.complete),
    )


@router.post("/{id}/cancel", summary="Cancel a batch of users")
async def cancel(id: Id, ctx: Acting, bus: TheBus) -> UserBatch:
    """Stops the work. Rows that are done stay done. Needs `users:write`."""
    return await bus.call(ctx, CancelUserBatch(batch_id=id))


routes = RouteSet(router=router, in_applications=True)
