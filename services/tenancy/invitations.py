"""Invitations into an organization: a link that works once, for one address."""

from __future__ import annotations

import math
import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg

from common import audit, mail
from common.context import Context
from common.contracts.base import Done
from common.contracts.members import AlreadyMember
from common.contracts.org_invitations import (
    INVITATION_PATH,
    AcceptOrganizationInvitation,
    GetOrganizationOffer,
    InviteMember,
    ListOrganizationInvitations,
    OrganizationInvitation,
    OrganizationInvitationNotFound,
    OrganizationInvitationPending,
    OrganizationInvitations,
    OrganizationOffer,
    OtherAddress,
    ResendOrganizationInvitation,
    RevokeOrganizationInvitation,
)
from common.contracts.organizations import Organization, OrganizationNotFound
from common.contracts.tenants import GetTenant, Tenant
from common.db import Db
from common.events.organizations import (
    MemberAdded,
    OrgInvitationAccepted,
    OrgInvitationRevoked,
    OrgInvitationSent,
)
from common.ids import new_id
from common.mail import Mail
from common.problems import Forbidden, RateLimited
from tenancy import organization_access, tenants
from tenancy.deps import Deps
from tenancy.members import missing
from tenancy.organizations import shown
from tenancy.queries import invitations, members, organizations
from tenancy.queries.organizations import Row

PURPOSE = "org_invitation"
"""Label of the tokens' hashes, and the kind of mail."""
DAY: Final = timedelta(days=1)
DAILY = 200
"""Mails an organization, or one person for all his organizations, may cause in a day."""


async def invite(deps: Deps, ctx: Context, new: InviteMember) -> OrganizationInvitation:
    tenant = await tenants.get(deps, ctx, GetTenant())
    id, token = new_id(), secrets.token_hex(32)
    role = new.role or organization_access.invited_as(ctx)
    try:
        async with deps.db.transaction(ctx) as tx:
            org = await organization_access.managed(tx, ctx, new.org_id)
            await _not_too_many(tx, ctx, org)
            if await members.has_address(tx, app_id=ctx.app_id, org_id=org.id, email=new.email):
                raise AlreadyMember
            await invitations.make_room(tx, app_id=ctx.app_id, org_id=org.id, email=new.email)
            if not await invitations.insert(
                tx,
                app_id=ctx.app_id,
                id=id,
                org_id=org.id,
                email=new.email,
                role=role,
                token_hash=deps.keys.hash(PURPOSE, token),
                invited_by=ctx.caller.user_id,
                seconds=new.expires_in,
            ):
                raise OrganizationInvitationPending
            made = await _invitation(tx, ctx, org.id, id)
            await _send(deps, tx, ctx, tenant, org, made, token, new.locale)
            event = OrgInvitationSent(org_id=org.id, invitation_id=id, role=role)
            await audit.record(tx, ctx, event)
    except asyncpg.ForeignKeyViolationError as error:
        raise missing(error) from None
    return made


async def list_(
    deps: Deps, ctx: Context, request: ListOrganizationInvitations
) -> OrganizationInvitations:
    of = f"invitations {request.org_id} {request.status or ''}"
    created_at, id = deps.cursors.read(ctx.app_id, of, request.cursor, 2)
    async with deps.db.reading(ctx) as db:
        await _for_admins(db, ctx, request.org_id)
        rows = await invitations.page(
            db,
            app_id=ctx.app_id,
            org_id=request.org_id,
            status=request.status,
            before=(created_at, id),
            limit=request.limit + 1,
        )
    page, next = deps.cursors.page(
        ctx.app_id, of, rows, request.limit, key=lambda row: (row.created_at, row.id)
    )
    return OrganizationInvitations(invitations=page, next=next)


async def resend(
    deps: Deps, ctx: Context, request: ResendOrganizationInvitation
) -> OrganizationInvitation:
    tenant = await tenants.get(deps, ctx, GetTenant())
    token = secrets.token_hex(32)
    async with deps.db.transaction(ctx) as tx:
        org = await organization_access.managed(tx, ctx, request.org_id)
        found = await _invitation(tx, ctx, org.id, request.invitation_id)
        if found.status not in ("pending", "expired"):
            raise OrganizationInvitationNotFound
        await _not_too_many(tx, ctx, org)
        if not await invitations.renew(
            tx,
            app_id=ctx.app_id,
            org_id=org.id,
            id=found.id,
            token_hash=deps.keys.hash(PURPOSE, token),
        ):
            raise RateLimited("the last mail is not a minute old", retry_after=60)
        renewed = await _invitation(tx, ctx, org.id, found.id)
        await _send(deps, tx, ctx, tenant, org, renewed, token, request.locale)
        event = OrgInvitationSent(
            org_id=org.id, invitation_id=found.id, role=found.role, again=True
        )
        await audit.record(tx, ctx, event)
    return renewed


async def revoke(deps: Deps, ctx: Context, request: RevokeOrganizationInvitation) -> Done:
    async with deps.db.transaction(ctx) as tx:
        org = await organization_access.managed(tx, ctx, request.org_id)
        if not await invitations.revoke(
            tx, app_id=ctx.app_id, org_id=org.id, id=request.invitation_id
        ):
            raise OrganizationInvitationNotFound
        event = OrgInvitationRevoked(org_id=org.id, invitation_id=request.invitation_id)
        await audit.record(tx, ctx, event)
    return Done()


async def offer(deps: Deps, ctx: Context, request: GetOrganizationOffer) -> OrganizationOffer:
    async with deps.db.reading(ctx) as db:
        found = await invitations.offer(
            db, app_id=ctx.app_id, token_hashes=deps.keys.hashes(PURPOSE, request.token)
        )
    if found is None:
        raise OrganizationInvitationNotFound
    return found


async def accept(deps: Deps, ctx: Context, request: AcceptOrganizationInvitation) -> Organization:
    """Who is a member already keeps the role he has."""
    user_id = ctx.caller.user_id
    if user_id is None:
        raise Forbidden("only a user of this application may accept an invitation")
    hashes = deps.keys.hashes(PURPOSE, request.token)
    async with deps.db.transaction(ctx) as tx:
        taken = await invitations.take(tx, app_id=ctx.app_id, token_hashes=hashes, user_id=user_id)
        if taken is None:
            if await invitations.offer(tx, app_id=ctx.app_id, token_hashes=hashes) is None:
                raise OrganizationInvitationNotFound
            raise OtherAddress
        if await members.insert(
            tx, app_id=ctx.app_id, org_id=taken.org_id, user_id=user_id, role=taken.role
        ):
            joined = MemberAdded(
                org_id=taken.org_id, user_id=user_id, role=taken.role, by="invitation"
            )
            await audit.record(tx, ctx, joined)
        event = OrgInvitationAccepted(org_id=taken.org_id, invitation_id=taken.id, user_id=user_id)
        await audit.record(tx, ctx, event)
        row = await organizations.by_id(tx, app_id=ctx.app_id, id=taken.org_id, user_id=user_id)
    await deps.invalidation.publish(ctx, "rights", user_id)
    if row is None:
        raise OrganizationNotFound
    return shown(ctx, row)


async def _send(
    deps: Deps,
    tx: Db,
    ctx: Context,
    tenant: Tenant,
    org: Row,
    invitation: OrganizationInvitation,
    token: str,
    locale: str | None,
) -> None:
    """The link leads to the application's own stored origin, whatever host was asked."""
    inviter = (
        await members.person(tx, app_id=ctx.app_id, user_id=ctx.caller.user_id)
        if ctx.caller.user_id is not None
        else None
    )
    data = {
        "link": f"{tenant.origin}{INVITATION_PATH}?token={token}",
        "app_name": tenant.name,
        "org_name": org.name,
        "inviter": (inviter.name or inviter.email) if inviter is not None else None,
        "role": invitation.role,
        "expires_at": invitation.expires_at.isoformat(),
        "days": math.ceil((invitation.expires_at - datetime.now(UTC)) / DAY),
    }
    letter = Mail(
        to=invitation.email,
        kind=PURPOSE,
        locale=locale or tenant.settings.default_locale,
        data=data,
        lifetime=(invitation.expires_at - datetime.now(UTC)).total_seconds(),
    )
    await mail.enqueue(tx, ctx, deps.sealer, letter)


async def _not_too_many(tx: Db, ctx: Context, org: Row) -> None:
    """The organization's row is locked, so the count holds."""
    sent = await invitations.sent_lately(
        tx, app_id=ctx.app_id, org_id=org.id, invited_by=ctx.caller.user_id
    )
    if sent >= DAILY:
        raise RateLimited("too many invitations today", retry_after=3600)


async def _invitation(tx: Db, ctx: Context, org_id: str, id: str) -> OrganizationInvitation:
    found = await invitations.by_id(tx, app_id=ctx.app_id, org_id=org_id, id=id)
    if found is None:
        raise OrganizationInvitationNotFound
    return found


async def _for_admins(db: Db, ctx: Context, org_id: str) -> None:
    """Addresses of people who are no members yet are for admins alone."""
    row = await organization_access.seen(db, ctx, org_id)
    if row.role != organization_access.ADMIN and not organization_access.oversees(ctx, "read"):
        raise Forbidden("only an admin of the organization may do this")
