"""An administrator's invitations into the application."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import asyncpg

from common import audit, crypto, logs, mail
from common.context import Context
from common.contracts.base import Done
from common.contracts.invitations import (
    Invitation,
    InvitationNotFound,
    InvitationPending,
    Invitations,
    InviteUser,
    ListInvitations,
    ResendInvitation,
    RevokeInvitation,
)
from common.contracts.links import LINKS
from common.contracts.roles import RoleNotFound
from common.contracts.tenants import Tenant
from common.contracts.users import EmailTaken
from common.db import Db
from common.events.invitations import InvitationRevoked, UserInvited
from common.ids import new_id
from identity import delegation_checks
from identity.deps import Deps
from identity.limits import INVITE_BY_APP
from identity.queries import accounts, invitations

log = logs.get(__name__)

TTL: Final = 7 * 86_400
"""Seconds."""


async def create(deps: Deps, ctx: Context, request: InviteUser) -> Invitation:
    """Invites an address into the application, with roles. Raises NotHeld, RoleNotFound,
    FreshSignInNeeded, EmailTaken, InvitationPending, RateLimited."""
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
                deps,
                ctx,
                tx,
                tenant,
                invitation=invitation,
                token=token,
                name=request.profile.name,
                locale=request.locale,
            )
            await audit.record(tx, ctx, UserInvited(invitation_id=invitation.id))
    except asyncpg.UniqueViolationError:
        raise InvitationPending from None
    return invitation


async def list_(deps: Deps, ctx: Context, request: ListInvitations) -> Invitations:
    """Returns one page of invitations, the newest first."""
    at, id = deps.cursors.read(ctx.app_id, "invitations", request.cursor, 2)
    async with deps.db.reader(ctx) as db:
        rows = await invitations.list_(
            db, app_id=ctx.app_id, before=at, before_id=id, limit=request.limit + 1
        )
    page, next = deps.cursors.page(
        ctx.app_id, "invitations", rows, request.limit, key=lambda row: (row.created_at, row.id)
    )
    return Invitations(invitations=page, next=next)


async def resend(deps: Deps, ctx: Context, request: ResendInvitation) -> Invitation:
    """Mails the invitation again with a new link; the old link stops working. Raises NotHeld,
    FreshSignInNeeded, InvitationNotFound, RateLimited."""
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
        await _send(
            deps, ctx, tx, tenant, invitation=invitation, token=token, name=None, locale=None
        )
        await audit.record(tx, ctx, UserInvited(invitation_id=invitation.id))
    return invitation


async def revoke(deps: Deps, ctx: Context, request: RevokeInvitation) -> Done:
    """Revokes a pending invitation. Raises NotHeld, FreshSignInNeeded, InvitationNotFound."""
    await _check_roles(deps, ctx, request.invitation_id)
    async with deps.db.transaction(ctx) as tx:
        if not await invitations.revoke(tx, app_id=ctx.app_id, id=request.invitation_id):
            raise InvitationNotFound
        await audit.record(tx, ctx, InvitationRevoked(invitation_id=request.invitation_id))
    return Done()


async def _check_roles(deps: Deps, ctx: Context, id: str) -> None:
    """Checks that the caller may give the roles of the invitation. Roles that no longer exist are
    skipped. Raises NotHeld, FreshSignInNeeded, FreshTokenNeeded."""
    async with deps.db.reader(ctx) as db:
        role_ids = await invitations.role_ids(db, app_id=ctx.app_id, id=id)
    for role_id in role_ids:
        with suppress(RoleNotFound):
            await delegation_checks.over_roles(deps, ctx, [role_id])


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
    *,
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
