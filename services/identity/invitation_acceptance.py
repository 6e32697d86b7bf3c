"""Acceptance of an invitation into the application."""

from __future__ import annotations

from typing import Any

import asyncpg

from common import audit, logs
from common.context import Context
from common.contracts.assignments import AssignRole
from common.contracts.invitations import (
    AcceptInvitation,
    GetInvitation,
    InvitationNotFound,
    InvitationOffer,
)
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import LinkSpent, MethodOff
from common.contracts.tenants import Tenant
from common.contracts.users import EmailTaken
from common.db import Db
from common.events.users import UserCreated
from common.ids import new_id
from common.problems import Problem
from identity import authentication_result, guests, password_policy, session_start, sign_up
from identity.deps import Deps
from identity.limits import SIGN_UP_BY_IP
from identity.queries import accounts, users
from identity.queries.invitations import OpenInvitation

log = logs.get(__name__)


async def get(deps: Deps, ctx: Context, request: GetInvitation) -> InvitationOffer:
    """Returns what the link offers, for the page that accepts it. Raises LinkSpent."""
    tenant = await deps.tenants.get(ctx)
    invitation = await _open_invitation(deps, ctx, request.token)
    return InvitationOffer(
        email=invitation.email,
        name=invitation.profile.get("name"),
        expires_at=invitation.expires_at,
        password_offered="password" in tenant.settings.auth_methods,
    )


async def accept(deps: Deps, ctx: Context, request: AcceptInvitation) -> SignedInSession:
    """Creates the user and starts a session. Raises LinkSpent, EmailTaken, WeakPassword, MethodOff,
    RateLimited."""
    tenant = await deps.tenants.get(ctx)
    guest, ctx = guests.split(ctx)
    await deps.limits.count(ctx, (SIGN_UP_BY_IP, ctx.ip))
    invitation = await _open_invitation(deps, ctx, request.token)
    phc = None
    if request.password is not None:
        if "password" not in tenant.settings.auth_methods:
            raise MethodOff
        await password_policy.check(
            deps, ctx, tenant, request.password, email=invitation.email, name=request.name
        )
        phc = await deps.hashing.hash(ctx.app_id, request.password)
    try:
        async with deps.db.transaction(ctx) as tx:
            started_session = await _create_user(
                deps,
                ctx,
                tx,
                tenant,
                request=request,
                invitation=invitation,
                phc=phc,
                guest=await guests.get_locked(ctx, tx, guest),
            )
    except asyncpg.UniqueViolationError:
        raise EmailTaken from None
    except InvitationNotFound:
        raise LinkSpent from None
    reply = await session_start.finish(deps, ctx, started_session)
    await assign_roles(deps, ctx, started_session.user_id, invitation.role_ids)
    return reply


async def _create_user(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    *,
    request: AcceptInvitation,
    invitation: OpenInvitation,
    phc: str | None,
    guest: guests.GuestSession | None,
) -> session_start.StartedSession:
    id, profile = await _insert(ctx, tx, invitation, guest), _profile(invitation, request)
    if profile:
        await users.update(tx, app_id=ctx.app_id, id=id, changes=profile)
    if phc is not None:
        await accounts.set_password(tx, app_id=ctx.app_id, user_id=id, phc=phc)
    await sign_up.accept(ctx, tx, invitation.id, id)
    account = await accounts.by_id(tx, app_id=ctx.app_id, id=id)
    assert account is not None
    result = authentication_result.AuthenticationResult(
        method="invitation",
        factor="mail",
        amr=["otp"],
        email=invitation.email,
        browser=request.browser,
        new_user=guest is None,
    )
    result = guests.with_guest(guest, account=account, result=result)
    return await session_start.begin(deps, ctx, tx, tenant, account=account, result=result)


async def _insert(
    ctx: Context, tx: Db, invitation: OpenInvitation, guest: guests.GuestSession | None
) -> str:
    """Creates the user, or upgrades the guest of this browser. Returns the user's id."""
    if guest is not None:
        await guests.upgrade_by_address(
            ctx, tx, guest, {}, email=invitation.email, method="invitation"
        )
        return guest.user_id
    id = new_id()
    await accounts.insert(
        tx,
        app_id=ctx.app_id,
        id=id,
        email=invitation.email,
        email_verified=True,
        name=None,
        locale=None,
    )
    await audit.record(tx, ctx, UserCreated(user_id=id, by="invitation"), user_id=id)
    return id


def _profile(invitation: OpenInvitation, request: AcceptInvitation) -> dict[str, Any]:
    """Returns the profile of the invitation with what the user entered."""
    profile = dict(invitation.profile)
    if request.name:
        profile["name"] = request.name
    if request.locale:
        profile.setdefault("locale", request.locale)
    return profile


async def assign_roles(deps: Deps, ctx: Context, user_id: str, role_ids: list[str]) -> None:
    """Gives the new user the roles of their invitation. A role that cannot be given is logged."""
    for role_id in role_ids:
        try:
            await deps.bus.call(ctx.as_system(), AssignRole(user_id=user_id, role_id=role_id))
        except Problem as problem:
            log.warning("role of an invitation not given", code=problem.code, role_id=role_id)


async def _open_invitation(deps: Deps, ctx: Context, token: str) -> OpenInvitation:
    invitation = await sign_up.open_invitation(deps, ctx, token)
    if invitation is None:
        raise LinkSpent
    return invitation
