"""Whether somebody may act as a user: at the start, and for as long as it lasts."""

from __future__ import annotations

from common.context import Caller, Context
from common.contracts.impersonation import PERMISSION, ImpersonationOff, ImpersonationRefused
from common.contracts.rights import GetRights
from common.contracts.tenants import ManageApplication, Tenant
from common.ids import DASHBOARD
from common.problems import Problem
from identity.deps import Deps
from identity.queries import impersonations

SERVER_ERROR = 500
"""From this status on, a problem is the deployment's and says nothing about rights."""


async def check(
    deps: Deps, ctx: Context, *, user_id: str, actor_id: str, actor_app_id: str, actor_session: str
) -> None:
    """Checks the setting, the actor's session and rights, and that the user has no more rights.

    Nobody acts as themselves, as somebody who may act as others, or on the Dashboard as the owner of
    another team. Raises ImpersonationOff, ImpersonationRefused; Unavailable if nobody can say.
    """
    tenant = await deps.tenants.get(ctx)
    if not tenant.settings.impersonation:
        raise ImpersonationOff
    async with deps.db.reader(ctx.with_application(actor_app_id)) as db:
        signed_in = await impersonations.is_signed_in(
            db, app_id=actor_app_id, user_id=actor_id, session_id=actor_session
        )
    if not signed_in or (actor_app_id, actor_id) == (ctx.app_id, user_id):
        raise ImpersonationRefused
    permissions = await permissions_now(
        deps, ctx, tenant, actor_id=actor_id, actor_app_id=actor_app_id
    )
    rights = await deps.bus.call(ctx.as_system(), GetRights(user_id=user_id))
    of_user = frozenset(rights.permissions)
    if "*" not in permissions and (PERMISSION not in permissions or not of_user <= permissions):
        raise ImpersonationRefused
    if {"*", PERMISSION} & of_user:
        raise ImpersonationRefused
    if ctx.app_id == DASHBOARD:
        async with deps.db.reader(ctx) as db:
            if await impersonations.administers_other_team(
                db, app_id=ctx.app_id, user_id=user_id, actor_id=actor_id
            ):
                raise ImpersonationRefused


async def permissions_now(
    deps: Deps,
    ctx: Context,
    tenant: Tenant,
    *,
    actor_id: str,
    actor_app_id: str,
    org_id: str | None = None,
) -> frozenset[str]:
    """Returns the actor's permissions in this application now, with those in an organization. Those of a
    developer follow from their team. Raises ImpersonationRefused for a developer who no longer manages
    the application."""
    actor_ctx = ctx.with_application(actor_app_id)
    query = GetRights(user_id=actor_id, org_id=org_id)
    rights = await deps.bus.call(actor_ctx.as_system(), query)
    if actor_app_id == ctx.app_id:
        return frozenset(rights.permissions)
    developer = Caller("user", actor_id, frozenset(rights.permissions), frozenset(rights.teams))
    try:
        call = ManageApplication(slug=tenant.slug)
        managed = await deps.bus.call(actor_ctx.with_caller(developer), call)
    except Problem as problem:
        if problem.status >= SERVER_ERROR:
            raise
        raise ImpersonationRefused from None
    return frozenset(managed.permissions)
