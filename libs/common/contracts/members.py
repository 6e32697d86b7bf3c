"""Members of an organization."""

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
    """An organization always keeps somebody who manages it."""

    code, title = "last_admin", "Somebody else has to become admin first."


class AlreadyMember(Conflict):
    code, title = "already_member", "This person is a member already."


class MemberNotFound(NotFound):
    code, title = "member_not_found", "There is no such member."


class Member(Contract):
    user_id: Id
    email: str | None = None
    name: str | None = None
    picture: str | None = None
    role: str
    created_at: Timestamp


class Members(Contract):
    members: list[Member]
    next: str | None = None


class ListMembers(Page, Request[Members], subject="tenancy.member.list", needs=KNOWN, safe=True):
    """In the order they joined, for members. Raises OrganizationNotFound."""

    org_id: Id


class NewMember(Contract):
    user_id: Id
    role: RoleId = "member"


class AddMember(
    NewMember, Request[Member], subject="tenancy.member.create", needs="organizations:write"
):
    """Put a user into an organization without asking them. Raises OrganizationNotFound,
    UserNotFound, RoleNotFound, AlreadyMember."""

    org_id: Id


class MemberRole(Contract):
    role: RoleId


class ChangeMemberRole(MemberRole, Request[Member], subject="tenancy.member.update", needs=KNOWN):
    """By its admins. Raises OrganizationNotFound, MemberNotFound, RoleNotFound, LastAdmin."""

    org_id: Id
    user_id: Id


class RemoveMember(Request[Done], subject="tenancy.member.delete", needs=KNOWN):
    """Remove a member. Admins remove anybody; a member removes themselves to leave. Raises
    OrganizationNotFound, MemberNotFound, LastAdmin."""

    org_id: Id
    user_id: Id


class LeaveOrganizations(
    Request[Done], subject="tenancy.member.leave_all", needs=SYSTEM, within=5.0
):
    """End all memberships of a user who is about to be deleted. A personal team of theirs alone is
    deleted, too. Idempotent. Unless `forced`, raises LastAdmin where others would stay
    behind without an admin, and TeamOwnsApplications where applications would without anybody;
    both name the `organizations`."""

    user_id: Id
    forced: bool = False
