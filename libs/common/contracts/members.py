"""Members of organizations."""

from __future__ import annotations

from common.contracts.base import (
    KNOWN,
    SYSTEM,
    Contract,
    Done,
    Id,
    Page,
    Request,
)
from common.contracts.fields import Timestamp
from common.contracts.roles import RoleId
from common.problems import Conflict, NotFound


class LastAdmin(Conflict):
    """The organization would have no admin left."""

    code = "last_admin"
    title = "The organization needs an admin. Make another member an admin first."


class AlreadyMember(Conflict):
    """The user is a member of the organization."""

    code, title = "already_member", "This person is already a member."


class MemberNotFound(NotFound):
    """The user is not a member of the organization."""

    code, title = "member_not_found", "This user is not a member of the organization."


class Member(Contract):
    """A member of an organization."""

    user_id: Id
    email: str | None = None
    name: str | None = None
    picture: str | None = None
    role: str
    created_at: Timestamp


class Members(Contract):
    """A page of members."""

    members: list[Member]
    next: str | None = None


class ListMembers(Page, Request[Members], subject="tenancy.member.list", needs=KNOWN, safe=True):
    """Lists the members in the order in which they joined. For members. Raises
    OrganizationNotFound."""

    org_id: Id


class NewMember(Contract):
    """A user to add to an organization, and their role."""

    user_id: Id
    role: RoleId = "member"


class AddMember(
    NewMember, Request[Member], subject="tenancy.member.create", needs="organizations:write"
):
    """Adds a user to an organization without an invitation. Raises OrganizationNotFound,
    UserNotFound, RoleNotFound, AlreadyMember."""

    org_id: Id


class MemberRole(Contract):
    """The new role of a member."""

    role: RoleId


class ChangeMemberRole(
    MemberRole, Request[Member], subject="tenancy.member.update", needs=KNOWN, impersonated=True
):
    """Changes the role of a member. For admins. Raises OrganizationNotFound, MemberNotFound,
    RoleNotFound, LastAdmin."""

    org_id: Id
    user_id: Id


class RemoveMember(Request[Done], subject="tenancy.member.delete", needs=KNOWN):
    """Removes a member. Admins can remove anybody, members can remove themselves. Raises
    OrganizationNotFound, MemberNotFound, LastAdmin."""

    org_id: Id
    user_id: Id


class LeaveOrganizations(
    Request[Done], subject="tenancy.member.leave_all", needs=SYSTEM, within=5.0
):
    """Ends all memberships of a user who will be deleted, and deletes their personal team.
    Idempotent. Unless `forced`, raises LastAdmin if an organization with other members would have
    no admin left, and TeamOwnsApplications if a team with applications would have no member left.
    Both name the `organizations`."""

    user_id: Id
    forced: bool = False
