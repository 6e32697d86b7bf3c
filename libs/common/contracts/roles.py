"""Roles. `kind` tells the application's roles from those of members of organizations: two
namespaces, each with an `admin`."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from common.contracts.base import SYSTEM, Contract, Done, Id, Page, Request
from common.contracts.fields import Timestamp, Title
from common.contracts.permissions import Description, PermissionName
from common.problems import Conflict, Forbidden, NotFound

RoleId: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=63)]
"""Readable, unique inside its application."""


Kind: TypeAlias = Literal["application", "organization"]
"""Where a role holds: in the whole application, or in an organization for its members."""


class RoleNotFound(NotFound):
    code, title = "role_not_found", "There is no such role here."


class NotHeld(Forbidden):
    """Nobody gives or takes a permission that they do not hold. `missing` names the permissions."""

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


class Role(Contract):
    """A bundle of permissions. System roles came with the application and stay as they are."""

    id: str
    name: str
    description: str | None = None
    is_system: bool = False
    permissions: list[str] = []
    created_at: Timestamp
    updated_at: Timestamp


class SeedRoles(Request[Done], subject="rbac.template.seed", needs=SYSTEM, within=5.0, safe=True):
    """Make the roles, permissions and mappings a new application starts with. Idempotent."""

    template: Literal["dashboard", "application"]


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
    name: Title
    id: RoleId | None = Field(default=None, description="Made from the name where absent.")
    description: Description | None = None
    permissions: list[PermissionName] = Field(default=[], max_length=500)


class CreateRole(NewRole, Request[Role], subject="rbac.role.create", needs="roles:write"):
    """Raises RoleTaken, PermissionNotFound, NotHeld, NotForOrganizations."""

    kind: Kind = "application"


class RoleChanges(Contract):
    """The fields to change. Omitted fields stay as they are; `permissions` replaces the whole set."""

    name: Title = ""
    description: Description | None = None
    permissions: list[PermissionName] = Field(default=[], max_length=500)


class UpdateRole(Request[Role], subject="rbac.role.update", needs="roles:write"):
    """Raises RoleNotFound, SystemRole, RoleTaken, PermissionNotFound, NotHeld,
    NotForOrganizations."""

    role_id: RoleId
    changes: RoleChanges
    kind: Kind = "application"


class DeleteRole(Request[Done], subject="rbac.role.delete", needs="roles:write"):
    """Deletes a role. Its users lose it; a role of organizations must have no members. Raises
    RoleNotFound, SystemRole, NotHeld, RoleInUse."""

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


class Holder(Contract):
    user_id: Id
    org_id: Id | None = None
    granted_by: str | None = None
    granted_at: Timestamp


class Holders(Contract):
    users: list[Holder]
    next: str | None = None


class ListHolders(
    Page, Request[Holders], subject="rbac.role.holders", needs="roles:read", safe=True
):
    """Lists the users who have a role, the latest first. Raises RoleNotFound."""

    role_id: RoleId
