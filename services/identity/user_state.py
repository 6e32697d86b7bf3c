"""Disabling and enabling users."""

from __future__ import annotations

from common import audit
from common.context import Context
from common.contracts.profiles import User
from common.contracts.users import DisableUser, EnableUser, UserNotFound
from common.events.users import UserDisabled, UserEnabled
from identity import delegation_checks, last_operator, operators, session_end
from identity.deps import Deps
from identity.queries import users
from identity.user_changes import existing


async def disable(deps: Deps, ctx: Context, request: DisableUser) -> User:
    """Disables a user, and ends their sessions and tokens. Raises NotHeld, UserNotFound, and LastHolder
    for the last operator."""
    await delegation_checks.over_user(deps, ctx, request.user_id)
    async with deps.db.transaction(ctx) as tx:
        await last_operator.keep(tx, ctx, request.user_id)
        was = await users.set_disabled(tx, app_id=ctx.app_id, id=request.user_id, disabled=True)
        if was is None:
            raise UserNotFound
        ended = await session_end.end_all(ctx, tx, request.user_id, reason="user_disabled")
        if not was:
            event = UserDisabled(user_id=request.user_id)
            await audit.record(tx, ctx, event, user_id=request.user_id)
        user = existing(await users.get(tx, app_id=ctx.app_id, id=request.user_id))
    await session_end.publish_revocations(deps, ctx, request.user_id, ended)
    return user


async def enable(deps: Deps, ctx: Context, request: EnableUser) -> User:
    """Enables a user. Ended sessions and tokens stay ended. Raises NotHeld, UserNotFound, and
    FreshSignInNeeded for an operator."""
    await delegation_checks.over_user(deps, ctx, request.user_id)
    await operators.check_fresh(deps, ctx, request.user_id)
    async with deps.db.transaction(ctx) as tx:
        was = await users.set_disabled(tx, app_id=ctx.app_id, id=request.user_id, disabled=False)
        if was is None:
            raise UserNotFound
        if was:
            event = UserEnabled(user_id=request.user_id)
            await audit.record(tx, ctx, event, user_id=request.user_id)
        user = existing(await users.get(tx, app_id=ctx.app_id, id=request.user_id))
    await deps.invalidation.publish(ctx, "user", request.user_id)
    return user
