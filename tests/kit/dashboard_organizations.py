"""Fake services for the Dashboard's pages about organizations: one organization with a member, an
invitation and a domain. Like the real services, they refuse callers without the permission."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.kit.developers import NOW, Developers

from common.context import Context
from common.contracts.base import Done
from common.contracts.identity_providers import (
    IdentityProvider,
    IdentityProviders,
    ListIdentityProviders,
)
from common.contracts.members import (
    AddMember,
    ChangeMemberRole,
    ListMembers,
    Member,
    MemberNotFound,
    Members,
    RemoveMember,
)
from common.contracts.org_domains import (
    AddOrganizationDomain,
    DeleteOrganizationDomain,
    DomainNotFound,
    DomainNotProven,
    ListOrganizationDomains,
    OrganizationDomain,
    OrganizationDomains,
    UpdateOrganizationDomain,
    VerifyOrganizationDomain,
)
from common.contracts.org_invitations import (
    InviteMember,
    ListOrganizationInvitations,
    OrganizationInvitation,
    OrganizationInvitationNotFound,
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
    OrganizationExists,
    OrganizationNotFound,
    Organizations,
    UpdateOrganization,
)
from common.contracts.profiles import User
from common.contracts.users import FindUser, GetUser, UserNotFound
from common.ids import new_id
from common.problems import Forbidden


@dataclass
class OrganizationPages:
    """What the fake services know, and the changes that they accepted."""

    people: Developers
    organization: Organization
    members: list[Member]
    invitations: list[OrganizationInvitation]
    domains: list[OrganizationDomain]
    user: User
    providers: list[IdentityProvider] = field(default_factory=list)
    changes: list[Any] = field(default_factory=list)

    def check(self, ctx: Context, org_id: str | None = None) -> None:
        """Refuses callers and organizations as the service does."""
        if org_id not in (None, self.organization.id) or ctx.caller.kind != "developer":
            raise OrganizationNotFound
        if not ctx.caller.may("organizations:read"):
            raise Forbidden("requires organizations:read", needs="organizations:read")

    def change(self, ctx: Context, request: Any, org_id: str | None = None) -> None:
        """Refuses a change as the service does, or remembers it."""
        self.check(ctx, org_id)
        if not ctx.caller.may("organizations:write"):
            raise Forbidden("requires organizations:write", needs="organizations:write")
        self.changes.append(request)


async def _list(
    world: OrganizationPages, ctx: Context, request: ListOrganizations
) -> Organizations:
    if ctx.caller.kind != "developer":
        return Organizations(organizations=world.people.teams)
    world.check(ctx)
    matches = world.organization.name.lower().startswith((request.search or "").lower())
    return Organizations(
        organizations=[world.organization] if matches else [],
        next="more" if request.cursor is None and matches else None,
    )


async def _get(world: OrganizationPages, ctx: Context, request: GetOrganization) -> Organization:
    world.check(ctx, request.org_id)
    return world.organization


async def _create(
    world: OrganizationPages, ctx: Context, request: CreateOrganization
) -> Organization:
    repeat = request.request_id is not None and request in world.changes
    world.change(ctx, request)
    if repeat:
        raise OrganizationExists(org_id=world.organization.id)
    return world.organization


async def _update(
    world: OrganizationPages, ctx: Context, request: UpdateOrganization
) -> Organization:
    world.change(ctx, request, request.org_id)
    fields = request.changes.model_dump(exclude_unset=True)
    later = world.organization.updated_at + timedelta(seconds=1)
    world.organization = world.organization.model_copy(update={**fields, "updated_at": later})
    return world.organization


async def _delete(world: OrganizationPages, ctx: Context, request: DeleteOrganization) -> Done:
    world.change(ctx, request, request.org_id)
    return Done()


async def _members(world: OrganizationPages, ctx: Context, request: ListMembers) -> Members:
    world.check(ctx, request.org_id)
    return Members(members=world.members)


async def _add_member(world: OrganizationPages, ctx: Context, request: AddMember) -> Member:
    world.change(ctx, request, request.org_id)
    return world.members[0]


async def _change_member(
    world: OrganizationPages, ctx: Context, request: ChangeMemberRole
) -> Member:
    if request.user_id != world.members[0].user_id:
        raise MemberNotFound
    world.change(ctx, request, request.org_id)
    return world.members[0]


async def _remove_member(world: OrganizationPages, ctx: Context, request: RemoveMember) -> Done:
    if request.user_id != world.members[0].user_id:
        raise MemberNotFound
    world.change(ctx, request, request.org_id)
    return Done()


async def _invitations(
    world: OrganizationPages, ctx: Context, request: ListOrganizationInvitations
) -> OrganizationInvitations:
    world.check(ctx, request.org_id)
    listed = [one for one in world.invitations if one.status == request.status]
    return OrganizationInvitations(invitations=listed)


async def _invite(
    world: OrganizationPages, ctx: Context, request: InviteMember
) -> OrganizationInvitation:
    world.change(ctx, request, request.org_id)
    return world.invitations[0]


async def _resend(
    world: OrganizationPages, ctx: Context, request: ResendOrganizationInvitation
) -> OrganizationInvitation:
    if request.invitation_id != world.invitations[0].id:
        raise OrganizationInvitationNotFound
    world.change(ctx, request, request.org_id)
    return world.invitations[0]


async def _revoke(
    world: OrganizationPages, ctx: Context, request: RevokeOrganizationInvitation
) -> Done:
    if request.invitation_id != world.invitations[0].id:
        raise OrganizationInvitationNotFound
    world.change(ctx, request, request.org_id)
    return Done()


async def _domains(
    world: OrganizationPages, ctx: Context, request: ListOrganizationDomains
) -> OrganizationDomains:
    world.check(ctx, request.org_id)
    return OrganizationDomains(domains=world.domains)


async def _add_domain(
    world: OrganizationPages, ctx: Context, request: AddOrganizationDomain
) -> OrganizationDomain:
    world.change(ctx, request, request.org_id)
    return world.domains[0]


async def _update_domain(
    world: OrganizationPages, ctx: Context, request: UpdateOrganizationDomain
) -> OrganizationDomain:
    if request.domain_id != world.domains[0].id:
        raise DomainNotFound
    world.change(ctx, request, request.org_id)
    return world.domains[0]


async def _verify_domain(
    world: OrganizationPages, ctx: Context, request: VerifyOrganizationDomain
) -> OrganizationDomain:
    world.change(ctx, request, request.org_id)
    raise DomainNotProven


async def _delete_domain(
    world: OrganizationPages, ctx: Context, request: DeleteOrganizationDomain
) -> Done:
    if request.domain_id != world.domains[0].id:
        raise DomainNotFound
    world.change(ctx, request, request.org_id)
    return Done()


async def _providers(
    world: OrganizationPages, ctx: Context, request: ListIdentityProviders
) -> IdentityProviders:
    return IdentityProviders(idps=world.providers)


async def _find(world: OrganizationPages, ctx: Context, request: FindUser) -> User:
    if request.email != world.user.email:
        raise UserNotFound
    return world.user


async def _user(world: OrganizationPages, ctx: Context, request: GetUser) -> User:
    if request.user_id != world.user.id:
        raise UserNotFound
    return world.user


HANDLERS: Any = {
    ListOrganizations: _list,
    GetOrganization: _get,
    CreateOrganization: _create,
    UpdateOrganization: _update,
    DeleteOrganization: _delete,
    ListMembers: _members,
    AddMember: _add_member,
    ChangeMemberRole: _change_member,
    RemoveMember: _remove_member,
    ListOrganizationInvitations: _invitations,
    InviteMember: _invite,
    ResendOrganizationInvitation: _resend,
    RevokeOrganizationInvitation: _revoke,
    ListOrganizationDomains: _domains,
    AddOrganizationDomain: _add_domain,
    UpdateOrganizationDomain: _update_domain,
    VerifyOrganizationDomain: _verify_domain,
    DeleteOrganizationDomain: _delete_domain,
    ListIdentityProviders: _providers,
    FindUser: _find,
    GetUser: _user,
}


def organization_pages(people: Developers, name: str = "Acme") -> OrganizationPages:
    """Registers the fake services, with one organization of this name."""
    org_id, user_id = new_id(), new_id()
    world = OrganizationPages(
        people=people,
        organization=Organization(
            id=org_id, slug="acme", name=name, created_at=NOW, updated_at=NOW
        ),
        members=[
            Member(
                user_id=user_id, email="ada@acme.example", name=name, role="admin", created_at=NOW
            )
        ],
        invitations=[_invitation(org_id)],
        domains=[_domain(org_id)],
        user=User(
            id=user_id,
            email="ada@acme.example",
            email_verified=True,
            created_at=NOW,
            updated_at=NOW,
        ),
    )
    people.world.bus.serve(world, HANDLERS)
    return world


def _invitation(org_id: str) -> OrganizationInvitation:
    return OrganizationInvitation(
        id=new_id(),
        org_id=org_id,
        email="ben@acme.example",
        role="member",
        status="pending",
        sent_at=NOW,
        expires_at=NOW,
        created_at=NOW,
    )


def _domain(org_id: str) -> OrganizationDomain:
    return OrganizationDomain(
        id=new_id(),
        org_id=org_id,
        domain="acme.example",
        record_name="_aero2.acme.example",
        record_value="aero2-verify=abc",
        created_at=NOW,
    )
