"""An administrator's invitations into the application."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import asyncpg

from common import audit, crypto, logs, mail
from common.context import Context
from common.contracts.assignments import AssignRole
from common.contracts.base import Done
from common.contracts.invitations import (
    AcceptInvitation,
    GetInvitation,
    Invitation,
    InvitationNotFound,
    InvitationOffer,
    InvitationPending,
    Invitations,
    InviteUser,
    ListInvitations,
    ResendInvitation,
    RevokeInvitation,
)
from common.contracts.links import LINKS
from common.contracts.roles import RoleNotFound
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import LinkSpent, MethodOff
from common.contracts.tenants import Tenant
from common.contracts.users import EmailTaken
from common.db import Db
from common.events.invitations import InvitationRevoked, UserInvited
from common.events.users import UserCreated
from common.ids import new_id
from common.problems import Problem
from identity import delegation_checks, password_policy, session_start, sign_up
from identity.deps import Deps
from identity.limits import INVITE_BY_APP, SIGN_UP_BY_IP
from identity.queries import accounts, invitations, users
from identity.queries.invitations import OpenInvitation

log = logs.get(__name__)

TTL: Final = 7 * 86_400
"""Seconds."""


async def create(deps: Deps, ctx: Context, request: InviteUser) -> Invitation:
    """Invites an address into the application, with roles. Raises NotHeld, RoleNotFound,
    EmailTaken, InvitationPending, RateLimited."""
    await delegation_checks.over_roles(deps, ctx, request.role_ids)
    tenant = await deps.tenants.get(ctx)
    await deps.limits.count(ctx, (INVITE_BY_APP, ctx.app_id))
    token = crypto.token()
    try:
        async with deps.db.transaction(ctx) as tx:
            if await accounts.by_email(tx, app_id=ctx.app_id, email=request.email):
                raise EmailTaken
            await invitations.end_expired(tx, app_id=ctx.app_id, email=request.email)
            invitation = await invitations.insert(
                tx,
                app_id=ctx.app_id,
                id=new_id(),
                email=request.email,
                token_hash=deps.keys.hash("invitation", token),
                role_ids=request.role_ids,
                profile={
                    **request.profile.model_dump(exclude_none=True),
                    **({"locale": request.locale} if request.locale else {}),
                },
                invited_by=ctx.caller.id,
                ttl=TTL,
            )
            await _send(
                deps, ctx, tx, tenant, invitation, token, request.profile.name, request.locale
            )
            await audit.record(tx, ctx, UserInvited(invitation_id=invitation.id))
    except asyncpg.UniqueViolationError:
        raise InvitationPending from None
    return invitation


async def list_(deps: Deps, ctx: Context, request: ListInvitations) -> Invitations:
    """Returns one page of invitations, the newest first."""
    at, id = deps.cursors.read(ctx.app_id, "invitations", request.cursor, 2)
    async with deps.db.reading(ctx) as db:
        rows = await invitations.list_(
            db, app_id=ctx.app_id, before=at, before_id=id, limit=request.limit + 1
        )
    page, next = deps.cursors.page(
        ctx.app_id, "invitations", rows, request.limit, lambda row: (row.created_at, row.id)
    )
    return Invitations(invitations=page, next=next)


async def resend(deps: Deps, ctx: Context, request: ResendInvitation) -> Invitation:
    """Mails the invitation again with a new link; the old link stops working. Raises NotHeld,
    InvitationNotFound, RateLimited."""
    await _check_roles(deps, ctx, request.invitation_id)
    tenant = await deps.tenants.get(ctx)
    await deps.limits.count(ctx, (INVITE_BY_APP, ctx.app_id))
    token = crypto.token()
    async with deps.db.transaction(ctx) as tx:
        invitation = await invitations.renew(
            tx,
            app_id=ctx.app_id,
            id=request.invitation_id,
            token_hash=deps.keys.hash("invitation", token),
            ttl=TTL,
        )
        if invitation is None:
            raise InvitationNotFound
        await _send(deps, ctx, tx, tenant, invitation, token, None, None)
        await audit.record(tx, ctx, UserInvited(invitation_id=invitation.id))
    return invitation


async def revoke(deps: Deps, ctx: Context, request: RevokeInvitation) -> Done:
    """Revokes a pending invitation. Raises NotHeld, InvitationNotFound."""
    await _check_roles(deps, ctx, request.invitation_id)
    async with deps.db.transaction(ctx) as tx:
        if not await invitations.revoke(tx, app_id=ctx.app_id, id=request.invitation_id):
            raise InvitationNotFound
        await audit.record(tx, ctx, InvitationRevoked(invitation_id=request.invitation_id))
    return Done()


async def _check_roles(deps: Deps, ctx: Context, id: str) -> None:
    """Checks that the caller may give the roles of the invitation. Roles that no longer exist are
    skipped. Raises NotHeld."""
    async with deps.db.reading(ctx) as db:
        role_ids = await invitations.role_ids(db, app_id=ctx.app_id, id=id)
    for role_id in role_ids:
        with suppress(RoleNotFound):
            await delegation_checks.over_roles(deps, ctx, [role_id])


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
            started_session = await _create_user(deps, ctx, tx, tenant, request, invitation, phc)
    except asyncpg.UniqueViolationError:
        raise EmailTaken from None
    except InvitationNotFound:
        raise LinkSpent from None
    reply = await session_start.finish(deps, ctx, started_session)
    await _assign_roles(deps, ctx, reply.session.user_id, invitation.role_ids)
    return reply


async def _create_user(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    request: AcceptInvitation,
    invitation: OpenInvitation,
    phc: str | None,
) -> session_start.StartedSession:
    id = new_id()
    profile = dict(invitation.profile)
    if request.name:
        profile["name"] = request.name
    if request.locale:
        profile.setdefault("locale", request.locale)
    await accounts.insert(
        tx,
        app_id=ctx.app_id,
        id=id,
        email=invitation.email,
        email_verified=True,
        name=None,
        locale=None,
    )
    if profile:
        await users.update(tx, app_id=ctx.app_id, id=id, changes=profile)
    if phc is not None:
        await accounts.set_password(tx, app_id=ctx.app_id, user_id=id, phc=phc)
    await audit.record(tx, ctx, UserCreated(user_id=id, by="invitation"), user_id=id)
    await sign_up.accept(ctx, tx, invitation.id, id)
    account = await accounts.by_id(tx, app_id=ctx.app_id, id=id)
    assert account is not None
    proof = session_start.AuthenticationResult(
        method="invitation",
        amr=["otp"],
        email=invitation.email,
        browser=request.browser,
        new_user=True,
    )
    return await session_start.begin(deps, ctx, tx, tenant, account, proof)


async def _assign_roles(deps: Deps, ctx: Context, user_id: str, role_ids: list[str]) -> None:
    for role_id in role_ids:
        try:
            await deps.bus.call(ctx.as_system(), AssignRole(user_id=user_id, role_id=role_id))
        except Problem as problem:
            log.warning("role of an invitation not given", code=problem.code, role_id=role_id)


async def _open_invitation(deps: Deps, ctx: Context, token: str) -> OpenInvitation:
    async with deps.db.reading(ctx) as db:
        invitation = await invitations.get_open(
            db, app_id=ctx.app_id, token_hashes=deps.keys.hashes("invitation", token)
        )
    if invitation is None:
        raise LinkSpent
    return invitation


async def _inviter(ctx: Context, tx: Db) -> str | None:
    """Returns the name of the calling user; None for a key, or a developer of the application."""
    if ctx.caller.user_id is None:
        return None
    account = await accounts.by_id(tx, app_id=ctx.app_id, id=ctx.caller.user_id)
    return (account.name or account.email) if account is not None else None


async def _send(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    invitation: Invitation,
    token: str,
    name: str | None,
    locale: str | None,
) -> None:
    data = {
        "link": f"{tenant.origin}{LINKS['invitation']}?token={token}",
        "days": TTL // 86_400,
        "name": name or "",
        "inviter": await _inviter(ctx, tx),
    }
    locale = locale or tenant.settings.default_locale
    letter = mail.Mail(invitation.email, "invitation", locale, data, lifetime=TTL)
    await mail.enqueue(tx, ctx, deps.sealer, letter)
