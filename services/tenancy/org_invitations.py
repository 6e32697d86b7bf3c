"""Handles invitations to organizations: a mailed link that works once, for one address."""

from __future__ import annotations

import secrets

import asyncpg

from common import audit, mail
from common.context import Context
from common.contracts.base import Done
from common.contracts.members import AlreadyMember
from common.contracts.org_invitations import (
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
from common.contracts.tenants import GetTenant
from common.db import Db
from common.events.organizations import (
    MemberAdded,
    OrgInvitationAccepted,
    OrgInvitationRevoked,
    OrgInvitationSent,
)
from common.ids import new_id
from common.problems import Forbidden, RateLimited
from tenancy import invitation_mail, organization_access, tenant_lookup
from tenancy.deps import Deps
from tenancy.invitation_mail import PURPOSE
from tenancy.members import unknown_reference
from tenancy.organization_access import to_organization
from tenancy.queries import members, org_invitations, organizations
from tenancy.queries.organizations import OrganizationRow

DAILY_LIMIT = 200
"""Mails that an organization, or one user for all their organizations, may send in a day."""


async def create(deps: Deps, ctx: Context, request: InviteMember) -> OrganizationInvitation:
    """Invites an address and sends the mail.

    Raises OrganizationNotFound, Forbidden, RateLimited, AlreadyMember,
    OrganizationInvitationPending, RoleNotFound.
    """
    tenant = await tenant_lookup.get(deps, ctx, GetTenant())
    token = secrets.token_hex(32)
    try:
        async with deps.db.transaction(ctx) as tx:
            org = await organization_access.managed(tx, ctx, request.org_id)
            await _check_daily_limit(tx, ctx, org)
            if await members.has_address(tx, app_id=ctx.app_id, org_id=org.id, email=request.email):
                raise AlreadyMember
            invitation = await _insert(tx, ctx, request, token_hash=deps.keys.hash(PURPOSE, token))
            letter = await invitation_mail.compose(
                tx, ctx, tenant, invitation, org_name=org.name, token=token, locale=request.locale
            )
            await mail.enqueue(tx, ctx, deps.sealer, letter)
            event = OrgInvitationSent(
                org_id=org.id, invitation_id=invitation.id, role=invitation.role
            )
            await audit.record(tx, ctx, event)
    except asyncpg.ForeignKeyViolationError as error:
        raise unknown_reference(error) from None
    await deps.invalidation.publish(ctx, mail.NOUN)
    return invitation


async def list_(
    deps: Deps, ctx: Context, request: ListOrganizationInvitations
) -> OrganizationInvitations:
    """Returns a page of invitations, the newest first. Raises OrganizationNotFound, Forbidden."""
    of = f"invitations {request.org_id} {request.status or ''}"
    created_at, id = deps.cursors.read(ctx.app_id, of, request.cursor, 2)
    async with deps.db.reader(ctx) as db:
        await organization_access.visible_to_admin(db, ctx, request.org_id)
        rows = await org_invitations.page(
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
    """Sends the mail again with a new link; the old link stops working.

    Raises OrganizationNotFound, Forbidden, OrganizationInvitationNotFound, RateLimited.
    """
    tenant = await tenant_lookup.get(deps, ctx, GetTenant())
    token = secrets.token_hex(32)
    async with deps.db.transaction(ctx) as tx:
        org = await organization_access.managed(tx, ctx, request.org_id)
        before = await _invitation(tx, ctx, org.id, request.invitation_id)
        if before.status not in ("pending", "expired"):
            raise OrganizationInvitationNotFound
        await _check_daily_limit(tx, ctx, org)
        if not await org_invitations.renew(
            tx,
            app_id=ctx.app_id,
            org_id=org.id,
            id=before.id,
            token_hash=deps.keys.hash(PURPOSE, token),
        ):
            raise RateLimited("the last mail was sent less than a minute ago", retry_after=60)
        renewed = await _invitation(tx, ctx, org.id, before.id)
        letter = await invitation_mail.compose(
            tx, ctx, tenant, renewed, org_name=org.name, token=token, locale=request.locale
        )
        await mail.enqueue(tx, ctx, deps.sealer, letter)
        event = OrgInvitationSent(
            org_id=org.id, invitation_id=before.id, role=before.role, again=True
        )
        await audit.record(tx, ctx, event)
    await deps.invalidation.publish(ctx, mail.NOUN)
    return renewed


async def revoke(deps: Deps, ctx: Context, request: RevokeOrganizationInvitation) -> Done:
    """Makes the link stop working.

    Raises OrganizationNotFound, Forbidden, OrganizationInvitationNotFound.
    """
    async with deps.db.transaction(ctx) as tx:
        org = await organization_access.managed(tx, ctx, request.org_id)
        if not await org_invitations.revoke(
            tx, app_id=ctx.app_id, org_id=org.id, id=request.invitation_id
        ):
            raise OrganizationInvitationNotFound
        event = OrgInvitationRevoked(org_id=org.id, invitation_id=request.invitation_id)
        await audit.record(tx, ctx, event)
    return Done()


async def get_offer(deps: Deps, ctx: Context, request: GetOrganizationOffer) -> OrganizationOffer:
    """Returns what a link offers. Raises OrganizationInvitationNotFound."""
    async with deps.db.reader(ctx) as db:
        offer = await org_invitations.offer(
            db, app_id=ctx.app_id, token_hashes=deps.keys.hashes(PURPOSE, request.token)
        )
    if offer is None:
        raise OrganizationInvitationNotFound
    return offer


async def accept(deps: Deps, ctx: Context, request: AcceptOrganizationInvitation) -> Organization:
    """Makes the caller a member. A caller who is a member already keeps their role.

    Raises Forbidden, OrganizationInvitationNotFound, OtherAddress.
    """
    user_id = ctx.caller.user_id
    if user_id is None:
        raise Forbidden("only a user of this application may accept an invitation")
    hashes = deps.keys.hashes(PURPOSE, request.token)
    async with deps.db.transaction(ctx) as tx:
        accepted = await org_invitations.accept(
            tx, app_id=ctx.app_id, token_hashes=hashes, user_id=user_id
        )
        if accepted is None:
            if await org_invitations.offer(tx, app_id=ctx.app_id, token_hashes=hashes) is None:
                raise OrganizationInvitationNotFound
            raise OtherAddress
        org_id, role = accepted.org_id, accepted.role
        if await members.insert(tx, app_id=ctx.app_id, org_id=org_id, user_id=user_id, role=role):
            joined = MemberAdded(org_id=org_id, user_id=user_id, role=role, by="invitation")
            await audit.record(tx, ctx, joined)
        event = OrgInvitationAccepted(org_id=org_id, invitation_id=accepted.id, user_id=user_id)
        await audit.record(tx, ctx, event)
        row = await organizations.by_id(tx, app_id=ctx.app_id, id=org_id, user_id=user_id)
    await deps.invalidation.publish(ctx, "rights", user_id)
    if row is None:
        raise OrganizationNotFound
    return to_organization(ctx, row)


async def _insert(
    tx: Db, ctx: Context, request: InviteMember, *, token_hash: str
) -> OrganizationInvitation:
    """Inserts an invitation for the address. Raises OrganizationInvitationPending."""
    id, org_id = new_id(), request.org_id
    await org_invitations.revoke_expired(tx, app_id=ctx.app_id, org_id=org_id, email=request.email)
    if not await org_invitations.insert(
        tx,
        app_id=ctx.app_id,
        id=id,
        org_id=org_id,
        email=request.email,
        role=request.role or organization_access.default_role(ctx),
        token_hash=token_hash,
        invited_by=ctx.caller.user_id,
        seconds=request.expires_in,
    ):
        raise OrganizationInvitationPending
    return await _invitation(tx, ctx, org_id, id)


async def _check_daily_limit(tx: Db, ctx: Context, org: OrganizationRow) -> None:
    """Raises RateLimited. The organization's row is locked, so the count stays true."""
    count = await org_invitations.count_last_day(
        tx, app_id=ctx.app_id, org_id=org.id, invited_by=ctx.caller.user_id
    )
    if count >= DAILY_LIMIT:
        raise RateLimited("too many invitations today", retry_after=3600)


async def _invitation(tx: Db, ctx: Context, org_id: str, id: str) -> OrganizationInvitation:
    invitation = await org_invitations.by_id(tx, app_id=ctx.app_id, org_id=org_id, id=id)
    if invitation is None:
        raise OrganizationInvitationNotFound
    return invitation
