"""Checks that a caller holds what a user holds before they act on that user. Otherwise somebody
could become a user by changing their address or password."""

from __future__ import annotations

from common.context import Context
from common.contracts.delegation import CheckDelegation
from common.ids import DASHBOARD
from identity.deps import Deps


async def over_user(deps: Deps, ctx: Context, user_id: str) -> None:
    """Checks that the caller holds every permission of the user. Call it before the transaction.
    Raises NotHeld."""
    if "*" not in ctx.caller.permissions:
        await deps.bus.call(ctx, CheckDelegation(user_id=user_id))


async def over_roles(deps: Deps, ctx: Context, role_ids: list[str]) -> None:
    """Checks that the caller may give the roles: they hold every permission of them, and signed in a
    short time ago if a role makes operators. Raises NotHeld, RoleNotFound, FreshSignInNeeded,
    FreshTokenNeeded."""
    if role_ids and (ctx.app_id == DASHBOARD or "*" not in ctx.caller.permissions):
        await deps.bus.call(ctx, CheckDelegation(role_ids=role_ids))


async def over_everybody(deps: Deps, ctx: Context) -> None:
    """Checks that the caller holds every permission that any user can hold. Raises NotHeld."""
    if "*" not in ctx.caller.permissions:
        await deps.bus.call(ctx, CheckDelegation(everything=True))
