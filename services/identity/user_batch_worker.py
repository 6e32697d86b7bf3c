"""The work on batches. A part is taken by one worker and done in the name of who started the batch.

The rows of an import and their results are written in one transaction, so a crash neither loses a
result nor creates a user twice. Other acts change nothing if they are done twice.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import Any, Final

import orjson

from common import logs
from common.caller import from_wire
from common.context import Context, system_context, traced
from common.contracts.user_batches import BatchResult, UserBatch
from common.contracts.user_import import TransferredUser
from common.db import Db
from common.periodic import FAULTS
from common.sealing import Unsealable
from identity import user_batch_acts, user_batch_callers, user_batches, user_import
from identity.deps import Deps
from identity.queries import user_batch_parts, user_batch_queue
from identity.queries import user_batches as rows
from identity.queries import user_import as import_rows
from identity.queries.user_batch_parts import BatchPart
from identity.queries.user_batch_queue import DuePart

log = logs.get(__name__)

WITHIN: Final = 90.0
"""Seconds for a part: less than the time for which a worker has it."""
MOST_ATTEMPTS: Final = 5
PAUSE: Final = 5.0
"""Seconds until a part is tried again."""
MOST_KEPT: Final = 2_000
"""Bytes of a refused row that its result repeats."""
SECRET: Final = frozenset({"password", "password_hash"})
SUCCEEDED: Final = ("created", "done")
UNCHANGED: Final = ("exists", "unchanged")


async def run(deps: Deps) -> None:
    """Works on batches for as long as the service runs."""

    async def work() -> bool:
        return await work_once(deps)

    await deps.batches.run(work, name="user batches")


async def work_once(deps: Deps) -> bool:
    """Does the part that has been due for longest. Returns False if none is due."""
    async with deps.sweep_db.unbound_autocommit() as db:
        due = await user_batch_queue.claim(db)
    if due is None:
        return False
    with traced("user batch"):
        await _do(deps, due)
    return True


async def _do(deps: Deps, due: DuePart) -> None:
    ctx = system_context(due.app_id, within=WITHIN, home=deps.db.home)
    try:
        if due.attempts > MOST_ATTEMPTS:
            await _stop(deps, ctx, due.batch_id)
            return
        async with deps.db.reader(ctx) as db:
            part = await user_batch_parts.get(
                db, app_id=ctx.app_id, batch_id=due.batch_id, first=due.first
            )
            batch = await rows.get(db, app_id=ctx.app_id, id=due.batch_id)
        if part is None or batch is None:  # done or cancelled meanwhile
            return
        ctx = ctx.with_caller(from_wire(part.caller))
        caller = await user_batch_callers.still_allowed(deps, ctx, batch, ctx.caller)
        if part.stale or caller is None:
            await _stop(deps, ctx, batch.id)
            return
        await _do_part(deps, ctx.with_caller(caller), batch, part)
    except (*FAULTS, Unsealable) as error:
        log.warning("batch waits", batch=due.batch_id, error=type(error).__name__)
        async with deps.sweep_db.unbound_transaction() as db:
            await user_batch_queue.postpone(db, part=due, seconds=PAUSE * due.attempts)


async def _stop(deps: Deps, ctx: Context, batch_id: str) -> None:
    async with deps.db.transaction(ctx) as tx:
        batch = await rows.lock(tx, app_id=ctx.app_id, id=batch_id)
        if batch is not None:
            await user_batches.end(ctx, tx, batch, "stopped")


async def _do_part(deps: Deps, ctx: Context, batch: UserBatch, part: BatchPart) -> None:
    async with deps.db.reader(ctx) as db:
        place = user_batches.part_place(batch.id, part.first, "input")
        sent = orjson.loads(await deps.sealer.open(db, ctx.app_id, place, part.input))
    if batch.act == "import":
        await _import(deps, ctx, batch, part, sent=sent)
        return
    results = []
    for number, user_id in enumerate(sent, part.first):
        limited = replace(ctx, deadline=min(ctx.deadline, time.monotonic() + 10))
        results.append(
            await user_batch_acts.act_on(deps, limited, batch, number=number, user_id=user_id)
        )
    async with deps.db.transaction(ctx) as tx:
        if await rows.lock(tx, app_id=ctx.app_id, id=batch.id) is not None:
            await _finish(deps, ctx, tx, batch, part=part, results=results)


async def _import(
    deps: Deps, ctx: Context, batch: UserBatch, part: BatchPart, *, sent: list[Any]
) -> None:
    lines = await user_import.checked_lines(deps, ctx, sent)
    new = await user_import.new_rows(deps, ctx, lines, dry=False)
    async with deps.db.transaction(ctx) as tx:
        locked = await rows.lock(tx, app_id=ctx.app_id, id=batch.id)
        if locked is None or locked.state != "running":
            return
        created: set[int] = set()
        if new:
            created = await import_rows.insert(tx, app_id=ctx.app_id, rows=list(new.values()))
        arrivals = user_import.arrivals_of(lines, new, created)
        results = [
            BatchResult(
                row=part.first + number,
                status=arrival.status,
                user_id=arrival.user_id,
                errors=arrival.errors,
                record=_kept(sent[number]) if arrival.status == "invalid" else None,
            )
            for number, arrival in enumerate(arrivals)
        ]
        await _finish(deps, ctx, tx, batch, part=part, results=results)


def _kept(line: Any) -> dict[str, Any] | None:
    """Returns what the result repeats of a refused row: known fields without secrets, if they are
    small. A field with an unknown name may be a secret."""
    if not isinstance(line, dict):
        return None
    names = [name for name in TransferredUser.model_fields if name in line and name not in SECRET]
    kept = {name: line[name] for name in names}
    if len(orjson.dumps(kept)) <= MOST_KEPT:
        return kept
    return {
        name: kept[name]
        for name in ("id", "email")
        if len(str(kept.get(name, ""))) < 400 and name in kept
    }


async def _finish(
    deps: Deps,
    ctx: Context,
    tx: Db,
    batch: UserBatch,
    *,
    part: BatchPart,
    results: list[BatchResult],
) -> None:
    """Stores the results and the counts of a part. `tx` has locked the batch."""
    counts = Counter(result.status for result in results)
    succeeded = sum(counts[status] for status in SUCCEEDED)
    unchanged = sum(counts[status] for status in UNCHANGED)
    failed = len(results) - succeeded - unchanged
    plain = orjson.dumps(
        [result.model_dump(mode="json", exclude_defaults=True) for result in results]
    )
    place = user_batches.part_place(batch.id, part.first, "results")
    text = await deps.sealer.seal(tx, ctx.app_id, place, plain)
    if not await user_batch_parts.finish(
        tx, app_id=ctx.app_id, batch_id=batch.id, first=part.first, results=text, failed=failed
    ):
        return
    ended = await rows.count_part(
        tx,
        app_id=ctx.app_id,
        id=batch.id,
        succeeded=succeeded,
        unchanged=unchanged,
        failed=failed,
    )
    if ended is not None and ended.state == "done":
        await user_batches.record_end(ctx, tx, ended)
