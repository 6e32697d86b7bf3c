"""Creates the parts that a new application needs: API keys, roles, permissions, signing keys.

The service that owns a part creates it, and a repeat changes nothing. `provisioned` names the parts
that are complete. `complete` runs in the call that creates the application. If it is interrupted,
by a crash or because a service is away, the sweep finishes it.
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
from tenancy import api_keys, application_deletion, placeholders
from tenancy.deps import Deps
from tenancy.queries import api_keys as key_rows
from tenancy.queries import applications
from tenancy.queries import placeholders as placeholder_rows
from tenancy.queries import provisioning as steps

log = logs.get(__name__)

PARTS: Final = ["tenancy", "rbac", "oidc"]


async def complete(deps: Deps, ctx: Context) -> bool:
    """Creates the parts that the context's application lacks. Returns whether it is active.

    Raises the Problem of a service that is away.
    """
    async with deps.registry.reader(ctx) as db:
        row = await applications.by_id(db, id=ctx.app_id)
    if row is None or row.state == "deleting":
        return False
    ctx = ctx.with_home(row.home)
    if not row.at_home:
        await placeholders.complete(deps, ctx)
    if row.state == "active":
        return True
    if "tenancy" not in row.provisioned:
        await _create_own_part(deps, ctx)
    template = SeedRoles(template="dashboard" if row.is_dashboard else "application")
    others: list[tuple[str, Request[Any]]] = [("rbac", template), ("oidc", EnsureKeys())]
    for part, request in others:
        if part not in row.provisioned:
            await deps.bus.call(ctx.as_system(), request)
            async with deps.registry.transaction(ctx) as tx:
                await steps.add_part(tx, id=ctx.app_id, part=part)
    async with deps.registry.transaction(ctx) as tx:
        await steps.activate(tx, id=ctx.app_id, parts=PARTS)
    await deps.invalidation.publish(ctx, "application", ctx.app_id)
    return True


async def create_first_keys(deps: Deps, tx: Db, ctx: Context) -> list[NewApiKey]:
    """Creates one publishable and one secret key in `tx`. Returns them."""
    keys = [await api_keys.insert(deps, tx, ctx, type_, name=None) for type_ in api_keys.TYPES]
    await steps.add_part(tx, id=ctx.app_id, part="tenancy")
    return keys


async def _create_own_part(deps: Deps, ctx: Context) -> None:
    async with deps.registry.transaction(ctx) as tx:
        if not await steps.lock(tx, id=ctx.app_id):
            return
        if await key_rows.exists(tx, app_id=ctx.app_id):
            await steps.add_part(tx, id=ctx.app_id, part="tenancy")
            return
        keys = await create_first_keys(deps, tx, ctx)
        if ctx.app_id == DASHBOARD:
            # Before the commit: after a crash in between, the next try overwrites the file.
            await asyncio.to_thread(_write_keys, deps.bootstrap_keys_file, keys)


def _write_keys(file: str | None, keys: list[NewApiKey]) -> None:
    """Writes the Dashboard's first keys to a file that only its owner can read."""
    if file is None:
        log.warning("AERO2_BOOTSTRAP_KEYS_FILE is not set: nobody gets the Dashboard's first keys")
        return
    text = orjson.dumps({f"{key.key_type}_key": key.key for key in keys})
    temporary = Path(f"{file}.{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(text + b"\n")
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(file)


async def sweep(deps: Deps, every: float) -> None:
    """Repairs unfinished applications every `every` seconds, for the life of the process."""
    while True:
        with traced("provisioning"):
            try:
                finished = await repair(deps)
            except FAULTS as error:
                log.warning("sweep waits", error=type(error).__name__)
                finished = False
        await asyncio.sleep(every if finished else min(every, 0.5))


async def repair(deps: Deps) -> bool:
    """Finishes interrupted creations and deletions. Returns False if some are still unfinished."""
    async with deps.registry.unbound_transaction() as db:
        unfinished = await steps.unfinished(db)
    finished = True
    for app in unfinished:
        ctx = system_context(app.id, within=15, home=app.home)
        try:
            if app.state == "deleting":
                await application_deletion.finish(deps, ctx)
            else:
                finished &= await complete(deps, ctx)
        except Problem as problem:
            # A service that is away for one application may answer for another.
            log.info("application unfinished", app_id=app.id, why=problem.code)
            finished = False
    if deps.registry_db is not None:
        await _repair_placeholders(deps)
    return finished


async def _repair_placeholders(deps: Deps) -> None:
    async with deps.registry.unbound_transaction() as db:
        app_ids = await placeholder_rows.not_at_home(db)
    for app_id in app_ids:
        try:
            await placeholders.complete(deps, system_context(app_id, within=15))
        except Problem as problem:
            log.info("placeholder waits", app_id=app_id, why=problem.code)
