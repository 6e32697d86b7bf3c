"""Keeps the placeholders: the rows that stand for applications in the clusters where they live."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from common import logs
from common.context import Context
from common.db import Db, rebind
from common.homes import MAIN
from common.problems import Problem
from tenancy.deps import Deps
from tenancy.queries import applications, placeholders

log = logs.get(__name__)

ROWS_TIMEOUT: Final = 3600.0
"""Seconds that the deletion of all rows of a very large application may take."""


async def complete(deps: Deps, ctx: Context) -> None:
    """Writes the placeholder of the context's application, unless it is there with the settings of now.

    The registry's row is locked meanwhile, so that a deletion comes before or after. Safe to repeat.
    Raises Busy and Unavailable if the home is away.
    """
    async with deps.registry.transaction(ctx) as tx:
        row = await applications.by_id_for_update(tx, id=ctx.app_id)
        if row is None or row.at_home or row.state == "deleting":
            return
        async with deps.db.at(row.home).unbound_transaction() as home:
            await placeholders.put(home, row)
        await placeholders.set_at_home(tx, id=row.id)
    if deps.registry.carry is not None:  # events that were written before the placeholder was there
        await deps.registry.carry(deps.registry)


async def try_complete(deps: Deps, ctx: Context) -> None:
    """Writes the placeholder. If its home is away, the sweep does it later."""
    if ctx.home == MAIN:
        return
    try:
        await complete(deps, ctx)
    except Problem as problem:
        log.info("placeholder waits", app_id=ctx.app_id, home=ctx.home, why=problem.code)


@asynccontextmanager
async def at_home(deps: Deps, tx: Db, ctx: Context) -> AsyncIterator[Db]:
    """Opens a transaction where the application's rows are, such as its data key, while `tx` works on the
    registry. With a home in `main`, that is `tx`."""
    if ctx.home == MAIN:
        yield tx
        return
    async with deps.db.transaction(ctx) as home:
        yield home


async def delete(deps: Deps, ctx: Context) -> None:
    """Deletes the placeholder of the context's application, and so all rows at its home. Safe to repeat.
    Raises Busy and Unavailable if the home is away."""
    if ctx.home == MAIN:
        return
    async with deps.db.at(ctx.home).unbound_transaction() as tx:
        await rebind(tx, ctx.app_id)
        await placeholders.delete_with_rows(tx, id=ctx.app_id, home=ctx.home, within=ROWS_TIMEOUT)
