"""What the rbac service answers: roles, permissions, rights."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from common.contracts.base import KNOWN, SIGNED_IN, SYSTEM, Contract, Done, Id, Page, Request
from common.problems import Conflict, Forbidden, NotFound

RoleId: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=63)]
"""Readable, unique inside its application."""

PermissionName: TypeAlias = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_.-]*:[a-z][a-z0-9_.-]*(?::[a-z][a-z0-9_.-]*)?$", max_length=100),
]
"""`resource:action`, or `resource:action:scope`. It is the permission's id, too."""
Description: TypeAlias = Annotated[str, Field(max_length=500)]
Kind: TypeAlias = Literal["application", "organization"]
"""Where a role holds: in the whole application, or in an organization for its members."""


class RoleNotFound(NotFound):
    code, title = "role_not_found", "There is no such role here."


class NotHeld(Forbidden):
    """Nobody gives or takes what he does not hold. `missing` names the permissions."""

    code, title = "not_held", "You can only give and take what you hold yourself."


class LastHolder(Conflict):
    code, title = "last_operator", "Somebody has to remain who holds this role."


class RoleTaken(Conflict):
    code, title = "role_taken", "There is a role of this name."


class RoleInUse(Conflict):
    code, title = "role_in_use", "Members of organizations have this role."


class SystemRole(Conflict):
    """System roles, and system permissions, are the same in every application."""

    code, title = "system_role", "It came with the application and cannot be changed."


class PermissionNotFound(NotFound):
    code, title = "permission_not_found", "There is no such permission here."


class PermissionTaken(Conflict):
    code, title = "permission_taken", "There is a permission of this name."


class NotForOrganizations(Conflict):
    """A built-in permission acts on the whole application."""

    code = "not_for_organizations"
    title = "Built-in permissions act on the whole application: no organization gives them."


class Role(Contract):
    """A bundle of permissions. System roles came with the application and stay as they are."""

    id: str
    name: str
    description: str | None = None
    is_system: bool = False
    permissions: list[str] = []
    created_at: datetime
    updated_at: datetime


class Rights(Contract):
    """What a user holds in the context's application: ids of his global roles, permissions, and
    those of one organization where one was asked for and he belongs to it (the organization's are
    in `permissions` too). Built-in permissions act on the whole application, so an organization
    never gives them."""

    roles: list[str] = []
    permissions: list[str] = []
    teams: list[Id] = []
    org_id: Id | None = None
    org_role: str | None = None
    org_permissions: list[str] = []


class GetRights(Request[Rights], subject="rbac.rights.get", needs=SYSTEM, within=1.0, safe=True):
    """Effective rights of a user. In the dashboard `teams` are the developer's teams."""

    user_id: Id
    org_id: Id | None = None


class SeedRoles(Request[Done], subject="rbac.template.seed", needs=SYSTEM, within=5.0, safe=True):
    """Make the roles, permissions and mappings a new application starts with. Idempotent."""

    template: Literal["dashboard", "application"]


class AssignDefaultRole(
    Request[Done], subject="rbac.assignment.default", needs=SYSTEM, within=2.0, safe=True
):
    """Give a new user the role that users of this application start with; in the dashboard
    `operator` where `operator` is set (bootstrap address verified), else `developer`. Idempotent."""

    user_id: Id
    operator: bool = False


class Assignment(Contract):
    role_id: RoleId
    org_id: Id | None = Field(default=None, description="Only inside this organization.")


class AssignRole(
    Assignment, Request[Done], subject="rbac.assignment.create", needs="roles:write", safe=True
):
    """Give a user a role, in the whole application or, with `org_id`, in one organization he
    belongs to. Raises RoleNotFound, NotFound, NotHeld."""

    user_id: Id


class UnassignRole(Request[Done], subject="rbac.assignment.delete", needs="roles:write"):
    """Take it again. Raises RoleNotFound, NotHeld, LastHolder."""

    user_id: Id
    role_id: RoleId
    org_id: Id | None = None


class AssignedRole(Contract):
    """A role somebody has; `org_id` says in which organization alone."""

    id: str
    name: str
    description: str | None = None
    permissions: list[str] = []
    org_id: Id | None = None
    granted_by: str | None = None
    granted_at: datetime


class AssignedRoles(Contract):
    roles: list[AssignedRole]


class ListUserRoles(
    Request[AssignedRoles], subject="rbac.assignment.list", needs="roles:read", safe=True
):
    """The roles given to a user."""

    user_id: Id


class ListMyRoles(
    Request[AssignedRoles], subject="rbac.assignment.mine", needs=SIGNED_IN, safe=True
):
    """The roles given to the caller. A developer acting in an application has none there."""


class GetUserRights(Request[Rights], subject="rbac.rights.of_user", needs="roles:read", safe=True):
    """Effective rights of any user of the application, as GetRights."""

    user_id: Id
    org_id: Id | None = None


class GetMyRights(Request[Rights], subject="rbac.rights.mine", needs=SIGNED_IN, safe=True):
    """Effective rights of the caller; without `org_id`, with his active organization."""

    org_id: Id | None = None


class Holder(Contract):
    user_id: Id
    org_id: Id | None = None
    granted_by: str | None = None
    granted_at: datetime


class Holders(Contract):
    users: list[Holder]
    next: str | None = None


class ListHolders(
    Page, Request[Holders], subject="rbac.role.holders", needs="roles:read", safe=True
):
    """Who has a role, the latest first. Raises RoleNotFound."""

    role_id: RoleId


# Roles. `kind` tells the application's roles from those of members of organizations: two
# namespaces, each with an `admin`.


class Roles(Contract):
    roles: list[Role]
    next: str | None = None


class ListRoles(Page, Request[Roles], subject="rbac.role.list", needs="roles:read", safe=True):
    """By id."""

    kind: Kind = "application"


class GetRole(Request[Role], subject="rbac.role.get", needs="roles:read", safe=True):
    """Raises RoleNotFound."""

    role_id: RoleId
    kind: Kind = "application"


class NewRole(Contract):
    name: str = Field(min_length=1, max_length=100)
    id: RoleId | None = Field(default=None, description="Made from the name where absent.")
    description: Description | None = None
    permissions: list[PermissionName] = Field(default=[], max_length=500)


class CreateRole(NewRole, Request[Role], subject="rbac.role.create", needs="roles:write"):
    """Raises RoleTaken, PermissionNotFound, NotHeld, NotForOrganizations."""

    kind: Kind = "application"


class RoleChanges(Contract):
    """What is absent stays; `permissions` replaces the whole set."""

    name: str | None = Field(default=None, min_length=1, max_length=100)
    description: Description | None = None
    permissions: list[PermissionName] | None = Field(default=None, max_length=500)


class UpdateRole(Request[Role], subject="rbac.role.update", needs="roles:write"):
    """Raises RoleNotFound, SystemRole, RoleTaken, PermissionNotFound, NotHeld,
    NotForOrganizations."""

    role_id: RoleId
    changes: RoleChanges
    kind: Kind = "application"


class DeleteRole(Request[Done], subject="rbac.role.delete", needs="roles:write"):
    """Whoever had it loses it; a role of organizations must have no members. Raises RoleNotFound,
    SystemRole, NotHeld, RoleInUse."""

    role_id: RoleId
    kind: Kind = "application"


class PermissionGiven(Contract):
    permission_id: PermissionName


class AddPermission(
    PermissionGiven,
    Request[Role],
    subject="rbac.role.add_permission",
    needs="roles:write",
    safe=True,
):
    """Raises RoleNotFound, SystemRole, PermissionNotFound, NotHeld, NotForOrganizations."""

    role_id: RoleId
    kind: Kind = "application"


class RemovePermission(
    Request[Role], subject="rbac.role.remove_permission", needs="roles:write", safe=True
):
    """Raises RoleNotFound, SystemRole, NotHeld."""

    role_id: RoleId
    permission_id: PermissionName
    kind: Kind = "application"


# Permissions


class Permission(Contract):
    """`is_system`: built in, it governs Aero2's own API."""

    id: str
    name: str
    resource: str
    action: str
    description: str | None = None
    is_system: bool = False
    created_at: datetime


class Permissions(Contract):
    permissions: list[Permission]
    next: str | None = None


class ListPermissions(
    Page, Request[Permissions], subject="rbac.permission.list", needs="roles:read", safe=True
):
    """By name."""


class GetPermission(
    Request[Permission], subject="rbac.permission.get", needs="roles:read", safe=True
):
    """Raises PermissionNotFound."""

    permission_id: PermissionName


class CreatePermission(Request[Permission], subject="rbac.permission.create", needs="roles:write"):
    """One of the application's own. The role that holds everything holds it from now on. Raises
    PermissionTaken."""

    name: PermissionName
    description: Description | None = None


class PermissionChanges(Contract):
    description: Description | None = None


class UpdatePermission(
    PermissionChanges,
    Request[Permission],
    subject="rbac.permission.update",
    needs="roles:write",
):
    """Raises PermissionNotFound, SystemRole."""

    permission_id: PermissionName


class DeletePermission(Request[Done], subject="rbac.permission.delete", needs="roles:write"):
    """Every role loses it. Raises PermissionNotFound, SystemRole, NotHeld."""

    permission_id: PermissionName


# Asking


class Question(Contract):
    """May this user do this, in the whole application or as a member of one organization?"""

    user_id: Id | None = Field(default=None, description="The caller where absent.")
    permission: PermissionName
    org_id: Id | None = None


class Reason(Contract):
    """The role that grants it, and where he has that role."""

    role_id: str
    role: str
    via: Literal["application", "organization_role", "role_in_organization"]
    org_id: Id | None = None


class Verdict(Contract):
    """`why_not`: `unknown_permission`, `unknown_user`, `disabled`, `not_a_member` or `not_granted`."""

    user_id: Id
    permission: str
    org_id: Id | None = None
    allowed: bool
    reasons: list[Reason] = []
    why_not: str | None = None


class Verdicts(Contract):
    results: list[Verdict]


class CheckAccess(
    Request[Verdicts], subject="rbac.access.check", needs=KNOWN, within=2.0, safe=True
):
    """Answers in the order of the questions. About others only with `roles:read`."""

    checks: list[Question] = Field(min_length=1, max_length=100)
