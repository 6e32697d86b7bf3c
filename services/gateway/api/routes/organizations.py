"""Organizations, their members, invitations and e-mail domains. In the Dashboard they are developer
teams."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from common.contracts.base import Done, Id, Page
from common.contracts.members import (
    AddMember,
    ChangeMemberRole,
    ListMembers,
    Member,
    MemberRole,
    Members,
    NewMember,
    RemoveMember,
)
from common.contracts.org_domains import (
    AddOrganizationDomain,
    DeleteOrganizationDomain,
    ListOrganizationDomains,
    NewDomain,
    OrganizationDomain,
    OrganizationDomainChanges,
    OrganizationDomains,
    UpdateOrganizationDomain,
    VerifyOrganizationDomain,
)
from common.contracts.org_invitations import (
    InvitationStatus,
    Invite,
    InviteMember,
    ListOrganizationInvitations,
    OrganizationInvitation,
    OrganizationInvitations,
    ResendOrganizationInvitation,
    RevokeOrganizationInvitation,
)
from common.contracts.organizations import (
    CreateOrganization,
    DeleteOrganization,
    GetOrganization,
    ListOrganizations,
    Organization,
    OrganizationChanges,
    Organizations,
    UpdateOrganization,
)
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/organizations", tags=["organizations"])
Pages = Annotated[Page, Query()]


@router.post("", status_code=201, summary="Create an organization")
async def create(new: CreateOrganization, ctx: Acting, bus: TheBus) -> Organization:
    """Creates an organization with you as its first admin. A backend with `organizations:write` can
    name another user in `admin_user_id`."""
    return await bus.call(ctx, new)


@router.get("", summary="List organizations")
async def list_(
    page: Annotated[ListOrganizations, Query()], ctx: Acting, bus: TheBus
) -> Organizations:
    """Lists the organizations that you belong to. With `all`, lists every organization; this needs
    `organizations:read`."""
    return await bus.call(ctx, page)


@router.get("/{org_id}", summary="Get an organization")
async def get(org_id: Id, ctx: Acting, bus: TheBus) -> Organization:
    """Returns an organization that you belong to. Otherwise you need `organizations:read`; without
    it the call answers 404."""
    return await bus.call(ctx, GetOrganization(org_id=org_id))


@router.patch("/{org_id}", summary="Update an organization")
@router.put("/{org_id}", name="put", summary="Update an organization (same as PATCH)")
async def update(
    org_id: Id, changes: OrganizationChanges, ctx: Acting, bus: TheBus
) -> Organization:
    """Changes the fields that you send. The others stay as they are. For admins of the
    organization, or with `organizations:write`."""
    return await bus.call(ctx, UpdateOrganization(org_id=org_id, changes=changes))


@router.delete("/{org_id}", summary="Delete an organization")
async def delete(org_id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Deletes the organization with its memberships, invitations and domains. This cannot be
    undone. Teams that own applications and personal teams cannot be deleted. For admins of the
    organization, or with `organizations:write`. Users need a sign-in within the last 15 minutes."""
    return await bus.call(ctx, DeleteOrganization(org_id=org_id))


@router.get("/{org_id}/members", summary="List members")
async def members(org_id: Id, page: Pages, ctx: Acting, bus: TheBus) -> Members:
    """Lists the members in the order in which they joined. For members, or with
    `organizations:read`."""
    return await bus.call(ctx, ListMembers(org_id=org_id, **dict(page)))


@router.post("/{org_id}/members", status_code=201, summary="Add a member")
async def add_member(org_id: Id, new: NewMember, ctx: Acting, bus: TheBus) -> Member:
    """Adds a user without an invitation, for backends. Admins send an invitation instead. Needs
    `organizations:write`."""
    return await bus.call(ctx, AddMember(org_id=org_id, **dict(new)))


@router.patch("/{org_id}/members/{user_id}", summary="Change a member's role")
@router.put(
    "/{org_id}/members/{user_id}",
    name="put_member",
    summary="Change a member's role (same as PATCH)",
)
async def change_member(
    org_id: Id, user_id: Id, new: MemberRole, *, ctx: Acting, bus: TheBus
) -> Member:
    """Changes the role of a member. Answers 409 `last_admin` if the organization would have no
    admin left. For admins of the organization, or with `organizations:write`."""
    return await bus.call(ctx, ChangeMemberRole(org_id=org_id, user_id=user_id, role=new.role))


@router.delete("/{org_id}/members/{user_id}", summary="Remove a member")
async def remove_member(org_id: Id, user_id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Removes a member. Admins can remove anybody. Members can remove themselves to leave. Answers
    409 `last_admin` if the organization would have no admin left."""
    return await bus.call(ctx, RemoveMember(org_id=org_id, user_id=user_id))


@router.post("/{org_id}/invitations", status_code=201, summary="Invite a person to an organization")
async def invite(org_id: Id, new: Invite, ctx: Acting, bus: TheBus) -> OrganizationInvitation:
    """Sends an invitation by e-mail. Its link works once, for a user with this address. Answers 409
    if an invitation is pending or the person is a member. For admins of the organization, or with
    `organizations:write`."""
    return await bus.call(ctx, InviteMember(org_id=org_id, **dict(new)))


@router.get("/{org_id}/invitations", summary="List invitations to an organization")
async def invitations(
    org_id: Id,
    page: Pages,
    *,
    ctx: Acting,
    bus: TheBus,
    status: InvitationStatus | None = None,
) -> OrganizationInvitations:
    """Lists the invitations, newest first. Their tokens are never shown. For admins of the
    organization, or with `organizations:read`."""
    request = ListOrganizationInvitations(org_id=org_id, status=status, **dict(page))
    return await bus.call(ctx, request)


@router.post(
    "/{org_id}/invitations/{invitation_id}/resend",
    summary="Resend an invitation to an organization",
)
async def resend(org_id: Id, invitation_id: Id, ctx: Acting, bus: TheBus) -> OrganizationInvitation:
    """Sends the invitation again with a new link, which is valid for the full time. The old link
    stops working. Possible once a minute."""
    request = ResendOrganizationInvitation(org_id=org_id, invitation_id=invitation_id)
    return await bus.call(ctx, request)


@router.delete(
    "/{org_id}/invitations/{invitation_id}", summary="Revoke an invitation to an organization"
)
async def revoke(org_id: Id, invitation_id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Revokes the invitation. Its link stops working at once."""
    request = RevokeOrganizationInvitation(org_id=org_id, invitation_id=invitation_id)
    return await bus.call(ctx, request)


@router.post("/{org_id}/domains", status_code=201, summary="Add an e-mail domain")
async def add_domain(org_id: Id, new: NewDomain, ctx: Acting, bus: TheBus) -> OrganizationDomain:
    """Adds a domain and returns the TXT record to set. The domain has no effect until it is
    verified."""
    return await bus.call(ctx, AddOrganizationDomain(org_id=org_id, **dict(new)))


@router.get("/{org_id}/domains", summary="List e-mail domains")
async def domains(org_id: Id, ctx: Acting, bus: TheBus) -> OrganizationDomains:
    """Lists the domains with the TXT record of each. For admins of the organization, or with
    `organizations:read`."""
    return await bus.call(ctx, ListOrganizationDomains(org_id=org_id))


@router.patch("/{org_id}/domains/{domain_id}", summary="Update an e-mail domain")
async def update_domain(
    org_id: Id, domain_id: Id, changes: OrganizationDomainChanges, *, ctx: Acting, bus: TheBus
) -> OrganizationDomain:
    """Changes whether users with a verified address of this domain join the organization
    automatically, and their role."""
    request = UpdateOrganizationDomain(org_id=org_id, domain_id=domain_id, changes=changes)
    return await bus.call(ctx, request)


@router.post("/{org_id}/domains/{domain_id}/verify", summary="Verify an e-mail domain")
async def verify_domain(org_id: Id, domain_id: Id, ctx: Acting, bus: TheBus) -> OrganizationDomain:
    """Looks up the TXT record now. Answers 409 `domain_not_proven` if it is not set."""
    return await bus.call(ctx, VerifyOrganizationDomain(org_id=org_id, domain_id=domain_id))


@router.delete("/{org_id}/domains/{domain_id}", summary="Remove an e-mail domain")
async def delete_domain(org_id: Id, domain_id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Removes the domain. Members who joined through it stay."""
    return await bus.call(ctx, DeleteOrganizationDomain(org_id=org_id, domain_id=domain_id))


routes = RouteSet(router=router, in_applications=True)
