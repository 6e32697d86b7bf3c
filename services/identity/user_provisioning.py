"""Provisioning of new users: a role, a team, the organization of their domain."""

from __future__ import annotations

from common import logs
from common.context import Context
from common.contracts.assignments import AssignDefaultRole
from common.contracts.org_domains import JoinByDomain
from common.contracts.organizations import EnsurePersonalTeam
from common.ids import DASHBOARD
from common.problems import Problem
from identity import email_rules
from identity.deps import Deps
from identity.queries import accounts, owner_links

log = logs.get(__name__)


async def provision_new_user(
    deps: Deps,
    ctx: Context,
    user_id: str,
    *,
    email: str | None,
    verified: bool,
    name: str | None,
    personal_team: bool = True,
) -> bool:
    """Gives a new user the default role, a developer a `personal_team`, and a verified address its
    membership in the organization that has proven the domain. It is idempotent. Returns whether all
    of it succeeded; the next sign-in or the sweep does the rest."""
    system_ctx = ctx.as_system()
    try:
        operator = await _is_operator(deps, ctx, user_id, email if verified else None)
        await deps.bus.call(system_ctx, AssignDefaultRole(user_id=user_id, operator=operator))
        if ctx.app_id == DASHBOARD and personal_team:
            await deps.bus.call(system_ctx, EnsurePersonalTeam(user_id=user_id, name=name))
        if verified:
            await deps.bus.call(system_ctx, JoinByDomain(user_id=user_id))
        async with deps.db.autocommit(ctx) as db:
            await accounts.mark_provisioned(db, app_id=ctx.app_id, id=user_id)
    except Problem as problem:
        log.warning("user not provisioned", code=problem.code, user_id=user_id)
        return False
    return True


async def _is_operator(deps: Deps, ctx: Context, user_id: str, proven: str | None) -> bool:
    """Returns whether the user used the owner link, or proved the address that the deployment
    names."""
    if ctx.app_id != DASHBOARD:
        return False
    if proven is not None and email_rules.names_operator(deps.operator_email, ctx.app_id, proven):
        return True
    async with deps.db.reader(ctx) as db:
        return await owner_links.is_owner(db, app_id=ctx.app_id, user_id=user_id)
