"""Lifetimes of sessions: the application's settings, and the Dashboard's own limits."""

from __future__ import annotations

from typing import Final

from common import logs
from common.context import Context
from common.contracts.rights import GetRights
from common.contracts.sessions import Session
from common.contracts.tenants import Tenant
from common.operator_rules import OPERATES
from common.problems import Problem
from identity.deps import Deps
from identity.queries import sessions

log = logs.get(__name__)

DASHBOARD_TTL: Final = 12 * 3600
DASHBOARD_IDLE_TTL: Final = 8 * 3600
OPERATOR_IDLE_TTL: Final = 15 * 60
"""Seconds."""


def absolute(tenant: Tenant, *, remember: bool) -> int:
    """Returns the seconds from sign-in to the end of the session. The Dashboard has no remembered
    sessions."""
    settings = tenant.settings
    if tenant.is_dashboard:
        return min(settings.session_ttl, DASHBOARD_TTL)
    return settings.session_ttl_remembered if remember else settings.session_ttl


def idle(tenant: Tenant, *, remember: bool) -> int | None:
    """Returns the seconds without activity that end the session, or None for no limit. On the
    Dashboard everybody has the limit of an operator first (see `of_dashboard`)."""
    settings = tenant.settings
    if tenant.is_dashboard:
        return min(settings.session_idle_ttl or OPERATOR_IDLE_TTL, OPERATOR_IDLE_TTL)
    return settings.session_idle_ttl_remembered if remember else settings.session_idle_ttl


async def of_dashboard(deps: Deps, ctx: Context, session: Session) -> Session:
    """Gives a developer's new session the longer idle limit. If nobody can say whether the user is
    an operator, the short limit stays."""
    tenant = await deps.tenants.get(ctx)
    try:
        rights = await deps.bus.call(ctx.as_system(), GetRights(user_id=session.user_id))
    except Problem as problem:
        log.warning("idle limit not extended", code=problem.code, user_id=session.user_id)
        return session
    if OPERATES in rights.permissions:
        return session
    limit = min(tenant.settings.session_idle_ttl or DASHBOARD_IDLE_TTL, DASHBOARD_IDLE_TTL)
    async with deps.db.autocommit(ctx) as db:
        ends = await sessions.set_idle_limit(db, app_id=ctx.app_id, id=session.id, idle_ttl=limit)
    return session.model_copy(update={"idle_expires_at": ends}) if ends else session
