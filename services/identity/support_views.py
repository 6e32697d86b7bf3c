"""Support views: an operator reads the data of one user, for a reason and for half an hour."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg

from common import audit
from common.context import Context
from common.contracts.applications import ApplicationNotFound
from common.contracts.audit_log import ListUserAudit
from common.contracts.platform_applications import LabelApplications
from common.contracts.support_views import (
    MINUTES,
    GetSupportView,
    OpenedSupportView,
    OpenSupportView,
    SupportView,
    SupportViewNotOpen,
)
from common.contracts.users import UserNotFound
from common.db import rebind
from common.events.support import SupportViewOpened
from identity import user_factors
from identity.caller_checks import inside, the_operator
from identity.deps import Deps
from identity.limits import SUPPORT_VIEW_BY_OPERATOR
from identity.metadata import KINDS
from identity.queries import identity_links, sessions, support_views, users
from identity.user_changes import existing

LATEST: Final = 20
"""Sessions and events that a support view shows."""


async def open_(deps: Deps, ctx: Context, request: OpenSupportView) -> OpenedSupportView:
    """Opens the support view of a user in the caller's session, and records it in the logs of the
    application and of the Dashboard. Raises UserNotFound, RateLimited, Forbidden."""
    operator = the_operator(ctx)
    await deps.limits.count(ctx, (SUPPORT_VIEW_BY_OPERATOR, operator.id))
    app_id, user_id = request.application_id, request.user_id
    of_application = inside(ctx, app_id, await _home_of(deps, app_id))
    try:
        async with deps.db.transaction(of_application) as tx:
            expires_at = await support_views.put(
                tx,
                app_id=app_id,
                user_id=user_id,
                actor_id=operator.id,
                actor_session=operator.session_id,
                reason=request.reason,
                minutes=MINUTES,
            )
            event = SupportViewOpened(
                application_id=app_id,
                user_id=user_id,
                reason=request.reason,
                expires_at=expires_at,
            )
            await audit.record(tx, of_application, event, user_id=user_id)
            if app_id != ctx.app_id:
                await rebind(tx, ctx.app_id)
                await audit.record(tx, ctx, event)
    except asyncpg.ForeignKeyViolationError:
        raise UserNotFound from None
    return OpenedSupportView(application_id=app_id, user_id=user_id, expires_at=expires_at)


async def get(deps: Deps, ctx: Context, request: GetSupportView) -> SupportView:
    """Returns the data of a user whose support view is open in the caller's session. Raises
    SupportViewNotOpen, UserNotFound, Forbidden."""
    operator = the_operator(ctx)
    app_id, user_id = request.application_id, request.user_id
    of_application = inside(ctx, app_id, await _home_of(deps, app_id))
    async with deps.db.reader(of_application) as db:
        view = await support_views.get_open(
            db,
            app_id=app_id,
            user_id=user_id,
            actor_id=operator.id,
            actor_session=operator.session_id,
        )
        if view is None:
            raise SupportViewNotOpen
        user = existing(await users.get(db, app_id=app_id, id=user_id))
        factors = await user_factors.of_user(of_application, db, user_id)
        links = await identity_links.list_of_user(db, app_id=app_id, user_id=user_id)
        entries = await sessions.list_of_user(
            db, app_id=app_id, user_id=user_id, current=None, limit=LATEST
        )
    labels, events = await asyncio.gather(
        deps.bus.call(ctx.as_system(), LabelApplications(application_ids=[app_id])),
        deps.bus.call(of_application.as_system(), ListUserAudit(user_id=user_id, limit=LATEST)),
    )
    if not labels.applications:
        raise UserNotFound
    return SupportView(
        application_id=app_id,
        user_id=user_id,
        expires_at=view.expires_at,
        reason=view.reason,
        application=labels.applications[0],
        user=user.model_copy(update={kind: {} for kind in KINDS}),
        factors=factors,
        providers=[link.provider_display_name for link in links],
        sessions=entries,
        events=events.audit_logs,
    )


async def _home_of(deps: Deps, app_id: str) -> str:
    """Returns the cluster of an application. Raises UserNotFound."""
    try:
        return await deps.home_of(app_id)
    except ApplicationNotFound:
        raise UserNotFound from None
