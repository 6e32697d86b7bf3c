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
    """You become its first admin. A backend names one in `admin_user_id` (needs
    `organizations:write`)."""
    return await bus.call(ctx, new)


@router.get("", summary="List organizations")
async def list_(
    page: Annotated[ListOrganizations, Query()], ctx: Acting, bus: TheBus
) -> Organizations:
    """Your own; all of them with `organizations:read`."""
    return await bus.call(ctx, page)


@router.get("/{org_id}", summary="Get an organization")
async def get(org_id: Id, ctx: Acting, bus: TheBus) -> Organization:
    """For its members. For others it is not there."""
    return await bus.call(ctx, GetOrganization(org_id=org_id))


@router.patch("/{org_id}", summary="Change an organization")
@router.put("/{org_id}", name="put", summary="Change an organization (the same as PATCH)")
async def update(
    org_id: Id, changes: OrganizationChanges, ctx: Acting, bus: TheBus
) -> Organization:
    """By its admins. What is absent stays."""
    return await bus.call(ctx, UpdateOrganization(org_id=org_id, changes=changes))


@router.delete("/{org_id}", summary="Delete an organization")
async def delete(org_id: Id, ctx: Acting, bus: TheBus) -> Done:
    """By its admins, with memberships, invitations and domains. A team that owns applications, and a
    personal team, stay."""
    return await bus.call(ctx, DeleteOrganization(org_id=org_id))


@router.get("/{org_id}/members", summary="List members")
async def members(org_id: Id, page: Pages, ctx: Acting, bus: TheBus) -> Members:
    """In the order they joined, for members."""
    return await bus.call(ctx, ListMembers(org_id=org_id, **dict(page)))


@router.post("/{org_id}/members", status_code=201, summary="Add a member")
async def add_member(org_id: Id, new: NewMember, ctx: Acting, bus: TheBus) -> Member:
    """Adds a member without asking them, for backends. Needs `organizations:write`; admins invite
    instead."""
    return await bus.call(ctx, AddMember(org_id=org_id, **dict(new)))


@router.patch("/{org_id}/members/{user_id}", summary="Change a member's role")
@router.put(
    "/{org_id}/members/{user_id}",
    name="put_member",
    summary="Change a member's role (the same as PATCH)",
)
async def change_member(
    org_id: Id, user_id: Id, new: MemberRole, *, ctx: Acting, bus: TheBus
) -> Member:
    """By its admins. One admin always remains (409 `last_admin`)."""
    return await bus.call(ctx, ChangeMemberRole(org_id=org_id, user_id=user_id, role=new.role))


@router.delete("/{org_id}/members/{user_id}", summary="Remove a member, or leave")
async def remove_member(org_id: Id, user_id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Removes a member: admins remove anybody, and members themselves. One admin always remains (409
    `last_admin`)."""
    return await bus.call(ctx, RemoveMember(org_id=org_id, user_id=user_id))


@router.post("/{org_id}/invitations", status_code=201, summary="Invite somebody by mail")
async def invite(org_id: Id, new: Invite, ctx: Acting, bus: TheBus) -> OrganizationInvitation:
    """Mails an invitation; for the organization's admins. The link works once, for that address. 409 where one is pending or
    the person is a member."""
    return await bus.call(ctx, InviteMember(org_id=org_id, **dict(new)))


@router.get("/{org_id}/invitations", summary="List invitations")
async def invitations(
    org_id: Id,
    page: Pages,
    *,
    ctx: Acting,
    bus: TheBus,
    status: InvitationStatus | None = None,
) -> OrganizationInvitations:
    """The newest first, for its admins. Never with tokens."""
    request = ListOrganizationInvitations(org_id=org_id, status=status, **dict(page))
    return await bus.call(ctx, request)


@router.post("/{org_id}/invitations/{invitation_id}/resend", summary="Mail an invitation again")
async def resend(org_id: Id, invitation_id: Id, ctx: Acting, bus: TheBus) -> OrganizationInvitation:
    """With a new link and its full time; the old link is dead. Once a minute at most."""
    request = ResendOrganizationInvitation(org_id=org_id, invitation_id=invitation_id)
    return await bus.call(ctx, request)


@router.delete("/{org_id}/invitations/{invitation_id}", summary="Withdraw an invitation")
async def revoke(org_id: Id, invitation_id: Id, ctx: Acting, bus: TheBus) -> Done:
    """The link is dead at once."""
    request = RevokeOrganizationInvitation(org_id=org_id, invitation_id=invitation_id)
    return await bus.call(ctx, request)


@router.post("/{org_id}/domains", status_code=201, summary="Claim an e-mail domain")
async def add_domain(org_id: Id, new: NewDomain, ctx: Acting, bus: TheBus) -> OrganizationDomain:
    """The answer says which TXT record proves it. Nothing follows from the claim alone."""
    return await bus.call(ctx, AddOrganizationDomain(org_id=org_id, **dict(new)))


@router.get("/{org_id}/domains", summary="List e-mail domains")
async def domains(org_id: Id, ctx: Acting, bus: TheBus) -> OrganizationDomains:
    """For its admins."""
    return await bus.call(ctx, ListOrganizationDomains(org_id=org_id))


@router.patch("/{org_id}/domains/{domain_id}", summary="Change an e-mail domain")
async def update_domain(
    org_id: Id, domain_id: Id, changes: OrganizationDomainChanges, *, ctx: Acting, bus: TheBus
) -> OrganizationDomain:
    """Whether verified addresses join by themselves, and as what."""
    request = UpdateOrganizationDomain(org_id=org_id, domain_id=domain_id, changes=changes)
    return await bus.call(ctx, request)


@router.post("/{org_id}/domains/{domain_id}/verify", summary="Prove an e-mail domain")
async def verify_domain(org_id: Id, domain_id: Id, ctx: Acting, bus: TheBus) -> OrganizationDomain:
    """Looks for the TXT record now. 409 `domain_not_proven` while it is not there."""
    return await bus.call(ctx, VerifyOrganizationDomain(org_id=org_id, domain_id=domain_id))


@router.delete("/{org_id}/domains/{domain_id}", summary="Give an e-mail domain up")
async def delete_domain(org_id: Id, domain_id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Members stay."""
    return await bus.call(ctx, DeleteOrganizationDomain(org_id=org_id, domain_id=domain_id))


routes = RouteSet(router=router, in_applications=True)
