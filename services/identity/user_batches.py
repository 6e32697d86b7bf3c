"""Batches of users: how they start, take rows and end. `user_batch_worker` does the work."""

from __future__ import annotations

from typing import Any, Final

import orjson

from common import audit
from common.caller import wire_of
from common.context import Context
from common.contracts.user_batches import (
    MOST_USERS,
    AddUserImportRows,
    BatchClosed,
    BatchNotFound,
    BatchResult,
    BatchResults,
    CancelUserBatch,
    DeleteUsers,
    GetUserBatch,
    ListUserBatches,
    ListUserBatchResults,
    RowsOutOfOrder,
    StartUserBatch,
    StartUserImport,
    TooManyBatches,
    TooManyUsers,
    UserBatch,
    UserBatches,
)
from common.db import Db
from common.events.users import UserBatchEnded, UserBatchStarted, UsersImported
from common.field_errors import field_error
from common.ids import new_id
from common.problems import Forbidden, Invalid
from identity import chosen_users, delegation_checks, user_import
from identity.deps import Deps
from identity.queries import user_batch_parts, user_batches

MOST_ACTIVE: Final = 10
"""Batches of an application at the same time."""
LISTED: Final = 20
"""Batches of the list."""
PART: Final = 100
"""Rows of a part: they are done in one transaction."""
PART_BYTES: Final = 200_000
"""Bytes of a part, unless one row is larger."""
FAILED: Final = ("invalid", "refused", "missing")


def part_place(batch_id: str, first: int, column: str) -> tuple[str, str, str]:
    """Returns where a sealed text of a part stands."""
    return ("user_batch_parts", column, f"{batch_id}/{first}")


async def start_import(deps: Deps, ctx: Context, request: StartUserImport) -> UserBatch:
    """Starts an import with its first rows. Raises NotHeld, FreshSignInNeeded, TooManyBatches."""
    await user_import.check_addresses(deps, ctx, request.users)
    return await _start(deps, ctx, "import", request.users, complete=request.complete)


async def add_rows(deps: Deps, ctx: Context, request: AddUserImportRows) -> UserBatch:
    """Adds rows to an import. Raises NotHeld, FreshSignInNeeded, BatchNotFound, BatchClosed,
    RowsOutOfOrder, TooManyUsers."""
    await user_import.check_addresses(deps, ctx, request.users)
    async with deps.db.transaction(ctx) as tx:
        batch = _existing(await user_batches.lock(tx, app_id=ctx.app_id, id=request.batch_id))
        if batch.act != "import":
            raise BatchClosed
        if request.first + len(request.users) <= batch.total:  # the same call a second time
            return batch
        if batch.state != "open":
            raise BatchClosed
        if request.first != batch.total:
            raise RowsOutOfOrder(total=batch.total)
        await _add(deps, ctx, tx, batch, rows=request.users)
        if request.complete:
            await _complete(ctx, tx, batch, batch.total + len(request.users))
        batch = _existing(await user_batches.get(tx, app_id=ctx.app_id, id=batch.id))
    if request.complete:
        deps.batches.at(ctx.home).wake()
    return batch


async def start(deps: Deps, ctx: Context, request: StartUserBatch) -> UserBatch:
    """Starts an act on many users. Raises Forbidden, Invalid, NotHeld, RoleNotFound, FreshSignInNeeded,
    TooManyBatches, TooManyUsers, CountChanged."""
    role_id = request.role_id if request.act == "assign_role" else None
    if request.act == "assign_role" and role_id is None:
        raise Invalid(errors=[field_error("role_id", "required")])
    if role_id is not None and not ctx.caller.may("roles:write"):
        raise Forbidden("requires roles:write", needs="roles:write")
    await delegation_checks.over_roles(deps, ctx, [role_id] if role_id else [])
    rows = await chosen_users.ids(deps, ctx, request)
    return await _start(deps, ctx, request.act, rows, role_id=role_id)


async def delete(deps: Deps, ctx: Context, request: DeleteUsers) -> UserBatch:
    """Starts the deletion of many users. Raises Invalid, TooManyBatches, TooManyUsers,
    CountChanged."""
    return await _start(deps, ctx, "delete", await chosen_users.ids(deps, ctx, request))


async def get(deps: Deps, ctx: Context, request: GetUserBatch) -> UserBatch:
    """Returns a batch and its progress. Raises BatchNotFound."""
    async with deps.db.reader(ctx) as db:
        return _existing(await user_batches.get(db, app_id=ctx.app_id, id=request.batch_id))


async def list_(deps: Deps, ctx: Context, _: ListUserBatches) -> UserBatches:
    """Returns the newest batches."""
    async with deps.db.reader(ctx) as db:
        batches = await user_batches.newest(db, app_id=ctx.app_id, limit=LISTED)
    return UserBatches(batches=batches)


async def results(deps: Deps, ctx: Context, request: ListUserBatchResults) -> BatchResults:
    """Returns the results of the next part that is done. Raises BatchNotFound."""
    id = request.batch_id
    async with deps.db.reader(ctx) as db:
        _existing(await user_batches.get(db, app_id=ctx.app_id, id=id))
        part = await user_batch_parts.results_from(
            db, app_id=ctx.app_id, batch_id=id, row=request.after, failed=request.failed
        )
        if part is None:
            return BatchResults(results=[])
        place = part_place(id, part.first, "results")
        plain = await deps.sealer.open(db, ctx.app_id, place, part.results)
    rows = [BatchResult.model_validate(row) for row in orjson.loads(plain)]
    wanted = [row for row in rows if row.status in FAILED or not request.failed]
    return BatchResults(results=wanted, next=part.first + part.size)


async def cancel(deps: Deps, ctx: Context, request: CancelUserBatch) -> UserBatch:
    """Cancels a batch. Raises BatchNotFound."""
    async with deps.db.transaction(ctx) as tx:
        batch = _existing(await user_batches.lock(tx, app_id=ctx.app_id, id=request.batch_id))
        return await end(ctx, tx, batch, "cancelled")


async def end(ctx: Context, tx: Db, batch: UserBatch, state: str) -> UserBatch:
    """Ends a batch whose row is locked, before its last row is done."""
    ended = await user_batches.end(tx, app_id=ctx.app_id, id=batch.id, state=state)
    if ended is None:
        return batch
    await record_end(ctx, tx, ended)
    return ended


async def record_end(ctx: Context, tx: Db, batch: UserBatch) -> None:
    """Records that a batch has ended, and how many users it imported."""
    event = UserBatchEnded(
        batch_id=batch.id,
        act=batch.act,
        state=batch.state,
        succeeded=batch.succeeded,
        unchanged=batch.unchanged,
        failed=batch.failed,
    )
    await audit.record(tx, ctx, event)
    if batch.act == "import" and batch.succeeded:
        await audit.record(tx, ctx, UsersImported(count=batch.succeeded, batch_id=batch.id))


async def _start(
    deps: Deps,
    ctx: Context,
    act: str,
    rows: list[Any],
    *,
    role_id: str | None = None,
    complete: bool = True,
) -> UserBatch:
    id, caller = new_id(), wire_of(ctx.caller)
    async with deps.db.transaction(ctx) as tx:
        if await user_batches.active_count(tx, app_id=ctx.app_id) >= MOST_ACTIVE:
            raise TooManyBatches
        batch = await user_batches.insert(
            tx, app_id=ctx.app_id, id=id, act=act, role_id=role_id, caller=caller
        )
        await _add(deps, ctx, tx, batch, rows=rows)
        if complete:
            await _complete(ctx, tx, batch, len(rows))
        batch = _existing(await user_batches.get(tx, app_id=ctx.app_id, id=id))
    if complete:
        deps.batches.at(ctx.home).wake()
    return batch


async def _add(deps: Deps, ctx: Context, tx: Db, batch: UserBatch, *, rows: list[Any]) -> None:
    """Seals rows in parts and counts them. Raises TooManyUsers."""
    first = batch.total
    if first + len(rows) > MOST_USERS:
        raise TooManyUsers
    for part in _parts(rows):
        input = await deps.sealer.seal(
            tx, ctx.app_id, part_place(batch.id, first, "input"), b"[" + b",".join(part) + b"]"
        )
        await user_batch_parts.add(
            tx, app_id=ctx.app_id, batch_id=batch.id, first=first, size=len(part), input=input
        )
        first += len(part)
    await user_batches.set_total(tx, app_id=ctx.app_id, id=batch.id, total=first)


def _parts(rows: list[Any]) -> list[list[bytes]]:
    """Returns the rows as JSON, in parts that are small enough for one transaction."""
    parts: list[list[bytes]] = [[]]
    size = 0
    for row in rows:
        text = orjson.dumps(row)
        if len(parts[-1]) == PART or (parts[-1] and size + len(text) > PART_BYTES):
            parts.append([])
            size = 0
        parts[-1].append(text)
        size += len(text)
    return parts


async def _complete(ctx: Context, tx: Db, batch: UserBatch, total: int) -> None:
    await user_batches.start(tx, app_id=ctx.app_id, id=batch.id)
    await audit.record(tx, ctx, UserBatchStarted(batch_id=batch.id, act=batch.act, count=total))


def _existing(batch: UserBatch | None) -> UserBatch:
    if batch is None:
        raise BatchNotFound
    return batch
