"""Whoever acts on a user must hold what the user holds: otherwise changing an address, or ending
a password, would be a way to become that user."""

from __future__ import annotations

from common.context import Context
from common.contracts.delegation import CheckDelegation
from identity.deps import Deps


async def over_user(deps: Deps, ctx: Context, user_id: str) -> None:
    """Raises NotHeld. Ask it before the transaction."""
    if "*" not in ctx.caller.permissions:
        await deps.bus.call(ctx, CheckDelegation(user_id=user_id))


async def over_roles(deps: Deps, ctx: Context, role_ids: list[str]) -> None:
    """Raises NotHeld, RoleNotFound."""
    if role_ids and "*" not in ctx.caller.permissions:
        await deps.bus.call(ctx, CheckDelegation(role_ids=role_ids))


async def over_everybody(deps: Deps, ctx: Context) -> None:
    """Raises NotHeld unless the caller holds every right that any user can hold."""
    if "*" not in ctx.caller.permissions:
        await deps.bus.call(ctx, CheckDelegation(everything=True))
