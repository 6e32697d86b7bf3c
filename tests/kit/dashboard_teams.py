"""Fake services for the Dashboard's pages about teams: the developer's team, with the developer and one
more member. Like the real service, they refuse who is no admin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.kit.developers import NOW, Developers

from common.context import Context
from common.contracts.applications import Application, GetApplication, TransferApplication
from common.contracts.base import Done
from common.contracts.members import ChangeMemberRole, ListMembers, Member, Members
from common.contracts.org_invitations import (
    AcceptOrganizationInvitation,
    InviteMember,
    ListOrganizationInvitations,
    OrganizationInvitation,
    OrganizationInvitations,
)
from common.contracts.organizations import (
    CreateOrganization,
    DeleteOrganization,
    GetOrganization,
    Organization,
    OrganizationExists,
    OrganizationNotFound,
    TeamOwnsApplications,
    UpdateOrganization,
)
from common.ids import new_id
from common.problems import Forbidden


@dataclass
class TeamPages:
    """What the fake services know, and the changes that they accepted."""

    people: Developers
    member: Member
    changes: list[Any] = field(default_factory=list)

    def team(self, org_id: str) -> Organization:
        """Returns the developer's team with this id."""
        for team in self.people.teams:
            if team.id == org_id:
                return team
        raise OrganizationNotFound

    def change(self, ctx: Context, request: Any) -> Organization:
        """Refuses a change as the service does, or remembers it."""
        team = self.team(request.org_id)
        if team.role != "admin" or not ctx.caller.may("teams:write") or ctx.caller.kind != "user":
            raise Forbidden("only an admin of the organization may do this")
        self.changes.append(request)
        return team


async def _get(world: TeamPages, ctx: Context, request: GetOrganization) -> Organization:
    return world.team(request.org_id)


async def _create(world: TeamPages, ctx: Context, request: CreateOrganization) -> Organization:
    repeat = request.request_id is not None and request in world.changes
    world.changes.append(request)
    if repeat:
        raise OrganizationExists(org_id=world.people.teams[0].id)
    return world.people.teams[0]


async def _update(world: TeamPages, ctx: Context, request: UpdateOrganization) -> Organization:
    return world.change(ctx, request)


async def _delete(world: TeamPages, ctx: Context, request: DeleteOrganization) -> Done:
    if world.people.managed:
        raise TeamOwnsApplications
    world.change(ctx, request)
    return Done()


async def _members(world: TeamPages, ctx: Context, request: ListMembers) -> Members:
    world.team(request.org_id)
    session = world.people.session
    self = Member(user_id=session.user_id, name="Me", role="admin", created_at=NOW)
    return Members(members=[self, world.member])


async def _change_role(world: TeamPages, ctx: Context, request: ChangeMemberRole) -> Member:
    world.change(ctx, request)
    return world.member


async def _invitations(
    world: TeamPages, ctx: Context, request: ListOrganizationInvitations
) -> OrganizationInvitations:
    if world.team(request.org_id).role != "admin":
        raise Forbidden("only an admin of the organization may do this")
    return OrganizationInvitations(invitations=[])


async def _invite(world: TeamPages, ctx: Context, request: InviteMember) -> OrganizationInvitation:
    team = world.change(ctx, request)
    return OrganizationInvitation(
        id=new_id(),
        org_id=team.id,
        email=request.email,
        role=request.role or "developer",
        status="pending",
        sent_at=NOW,
        expires_at=NOW,
        created_at=NOW,
    )


async def _accept(
    world: TeamPages, ctx: Context, request: AcceptOrganizationInvitation
) -> Organization:
    return world.people.teams[0]


async def _application(world: TeamPages, ctx: Context, request: GetApplication) -> Application:
    owner = world.people.teams[0].id
    return world.people.application(request.slug).model_copy(update={"owner_org_id": owner})


async def _transfer(world: TeamPages, ctx: Context, request: TransferApplication) -> Application:
    world.changes.append(request)
    return world.people.application(request.slug)


HANDLERS: Any = {
    GetOrganization: _get,
    CreateOrganization: _create,
    UpdateOrganization: _update,
    DeleteOrganization: _delete,
    ListMembers: _members,
    ChangeMemberRole: _change_role,
    ListOrganizationInvitations: _invitations,
    InviteMember: _invite,
    AcceptOrganizationInvitation: _accept,
    GetApplication: _application,
    TransferApplication: _transfer,
}


def team_pages(people: Developers) -> TeamPages:
    """Registers the fake services."""
    member = Member(user_id=new_id(), name="Ben", role="developer", created_at=NOW)
    world = TeamPages(people, member)
    people.world.bus.serve(world, HANDLERS)
    return world
