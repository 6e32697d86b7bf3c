"""Whether the caller who started a batch may still do its act: asked before each part."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from common.caller import Caller
from common.context import Context
from common.contracts.api_keys import ApiKeyNotFound, CheckApiKey
from common.contracts.clients import ClientNotFound, GetClient
from common.contracts.impersonation import ImpersonationRefused
from common.contracts.user_batches import DeleteUsers, StartUserBatch, StartUserImport, UserBatch
from common.ids import DASHBOARD
from identity import impersonation_checks
from identity.deps import Deps
from identity.queries import user_batches, users

NEEDS: Final = {"import": StartUserImport.needs, "delete": DeleteUsers.needs}
"""The permission for these acts. All others need that of StartUserBatch."""
ALL: Final = "*"


async def still_allowed(
    deps: Deps, ctx: Context, batch: UserBatch, caller: Caller
) -> Caller | None:
    """Returns the caller with those permissions that they had at the start and hold now. None: the
    session, key, client or user has ended, or the act needs a permission that they do not hold.

    The cost is a few reads for each part. Raises a Problem if a service does not answer."""
    if not await _exists(deps, ctx, caller):
        return None
    permissions = await _permissions(deps, ctx, caller)
    if ALL in permissions:
        permissions = caller.permissions
    elif ALL not in caller.permissions:
        permissions &= caller.permissions
    now = replace(caller, permissions=permissions)
    needed = {NEEDS.get(batch.act, StartUserBatch.needs) or ""}
    if batch.act == "assign_role":
        needed.add("roles:write")
    return now if all(now.may(permission) for permission in needed) else None


async def _exists(deps: Deps, ctx: Context, caller: Caller) -> bool:
    """Returns whether the session, key, client or user that started the batch still counts."""
    if caller.session_id is not None:
        of_caller = ctx.with_application(DASHBOARD) if caller.kind == "developer" else ctx
        async with deps.db.reader(of_caller) as db:
            return await user_batches.is_live_session(
                db, app_id=of_caller.app_id, id=caller.session_id
            )
    if caller.kind == "secret_key":
        return await _is_live_key(deps, ctx, caller.id or "")
    if caller.kind == "client":
        return await _is_live_client(deps, ctx, caller.id or "")
    if caller.kind != "user":  # a developer without session
        return caller.kind == "system"
    async with deps.db.reader(ctx) as db:
        user = await users.get(db, app_id=ctx.app_id, id=caller.id or "")
    return user is not None and not user.disabled


async def _is_live_key(deps: Deps, ctx: Context, id: str) -> bool:
    try:
        await deps.bus.call(ctx.as_system(), CheckApiKey(id=id))
    except ApiKeyNotFound:
        return False
    return True


async def _is_live_client(deps: Deps, ctx: Context, id: str) -> bool:
    try:
        return (await deps.bus.call(ctx.as_system(), GetClient(client=id))).enabled
    except ClientNotFound:
        return False


async def _permissions(deps: Deps, ctx: Context, caller: Caller) -> frozenset[str]:
    """Returns what the caller may do in the application now. Keys and clients keep what they had: their
    permissions end with them."""
    if caller.kind not in ("user", "developer"):
        return caller.permissions
    try:
        return await impersonation_checks.permissions_now(
            deps,
            ctx,
            await deps.tenants.get(ctx),
            actor_id=caller.id or "",
            actor_app_id=DASHBOARD if caller.kind == "developer" else ctx.app_id,
            org_id=caller.org_id,
        )
    except ImpersonationRefused:
        return frozenset()
