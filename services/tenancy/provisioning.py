"""What a new application needs before it answers: API keys, roles and permissions, signing keys.

Each part is made by the service that owns it, idempotently, and remembered in `provisioned`. The
chain runs inline after the commit that made the application; where it was cut off, by a crash or
because a service was away, the sweep goes on with it.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, Final

import orjson

from common import logs
from common.context import Context, system_context, traced
from common.contracts.api_keys import NewApiKey
from common.contracts.base import Request
from common.contracts.keys import EnsureKeys
from common.contracts.roles import SeedRoles
from common.db import Db
from common.ids import DASHBOARD
from common.periodic import FAULTS
from common.problems import Problem
from tenancy import api_keys, deletion
from tenancy.deps import Deps
from tenancy.queries import api_keys as key_rows
from tenancy.queries import applications
from tenancy.queries import provisioning as steps

log = logs.get(__name__)

PARTS: Final = ["tenancy", "rbac", "oidc"]


async def complete(deps: Deps, ctx: Context) -> bool:
    """Make what is missing of the context's application. True once it is active."""
    async with deps.db.reading(ctx) as db:
        found = await applications.by_id(db, id=ctx.app_id)
    if found is None or found.state == "deleting":
        return False
    if found.state == "active":
        return True
    if "tenancy" not in found.provisioned:
        await _own_part(deps, ctx)
    template = SeedRoles(template="dashboard" if found.is_dashboard else "application")
    others: list[tuple[str, Request[Any]]] = [("rbac", template), ("oidc", EnsureKeys())]
    for part, request in others:
        if part not in found.provisioned:
            await deps.bus.call(ctx.as_system(), request)
            async with deps.db.transaction(ctx) as tx:
                await steps.mark(tx, id=ctx.app_id, part=part)
    async with deps.db.transaction(ctx) as tx:
        await steps.activate(tx, id=ctx.app_id, parts=PARTS)
    await deps.invalidation.publish(ctx, "application", ctx.app_id)
    return True


async def first_keys(deps: Deps, tx: Db, ctx: Context) -> list[NewApiKey]:
    """One publishable and one secret key, in the transaction that makes or repairs them."""
    made = [await api_keys.insert(deps, tx, ctx, kind, name=None) for kind in api_keys.KINDS]
    await steps.mark(tx, id=ctx.app_id, part="tenancy")
    return made


async def _own_part(deps: Deps, ctx: Context) -> None:
    async with deps.db.transaction(ctx) as tx:
        if not await steps.lock(tx, id=ctx.app_id):
            return
        if await key_rows.any_of(tx, app_id=ctx.app_id):
            await steps.mark(tx, id=ctx.app_id, part="tenancy")
            return
        made = await first_keys(deps, tx, ctx)
        if ctx.app_id == DASHBOARD:
            # Before the commit: a crash in between leaves a file that the next try overwrites.
            await asyncio.to_thread(_hand_over, deps.bootstrap_keys_file, made)


def _hand_over(file: str | None, new_keys: list[NewApiKey]) -> None:
    """The Dashboard's first keys are shown once, in a file that only its owner can read."""
    if file is None:
        log.warning("the Dashboard's first keys are shown nowhere: AERO2_BOOTSTRAP_KEYS_FILE")
        return
    text = orjson.dumps({f"{key.key_type}_key": key.key for key in new_keys})
    fresh = Path(f"{file}.{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(text + b"\n")
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)


async def sweep(deps: Deps, every: float) -> None:
    """For the life of the process: complete what was left half made or half deleted."""
    while True:
        with traced():
            try:
                finished = await repair(deps)
            except FAULTS as error:
                log.warning("sweep waits", error=type(error).__name__)
                finished = False
        await asyncio.sleep(every if finished else min(every, 0.5))


async def repair(deps: Deps) -> bool:
    """One round. False where something is still unfinished."""
    async with deps.db.everywhere() as db:
        left = await steps.unfinished(db)
    finished = True
    for app in left:
        ctx = system_context(app.id, within=15)
        try:
            if app.state == "deleting":
                await deletion.delete_application(deps, ctx)
            else:
                finished &= await complete(deps, ctx)
        except Problem as problem:
            # A service that is not up yet: the other applications are tried all the same.
            log.info("application unfinished", app_id=app.id, why=problem.code)
            finished = False
    return finished
