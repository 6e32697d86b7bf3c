"""Roles. There are two kinds, each with names of its own: roles of the application, and roles of
members of organizations."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from common.contracts.base import SYSTEM, Contract, Done, Id, Page, Request
from common.contracts.fields import Timestamp, Title
from common.contracts.nats_subjects import NatsSubjects
from common.contracts.permissions import Description, PermissionName
from common.contracts.versioned import Versioned
from common.problems import Conflict, Forbidden, NotFound

RoleId: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=63)]
"""Readable, unique inside its application."""


Kind: TypeAlias = Literal["application", "organization"]
"""Where a role holds: in the whole application, or in an organization for its members."""


NATS = "What its users may do on a NATS server that asks Aero2. `null`: the role gives them nothing there."


class RoleNotFound(NotFound):
    """The application has no role with this id."""

    code, title = "role_not_found", "This role does not exist."


class NotHeld(Forbidden):
    """The caller does not hold a permission that they want to give or take. `missing` lists
    those."""

    code, title = "not_held", "You can only give or take permissions that you hold yourself."


class LastHolder(Conflict):
    """The role must have at least one user."""

    code = "last_operator"
    title = "This is the last user with this role. Assign it to another first."


class RoleTaken(Conflict):
    """A role with this id or name exists."""

    code, title = "role_taken", "A role with this name already exists."


class RoleInUse(Conflict):
    """Members of organizations have this role."""

    code, title = "role_in_use", "Members have this role. Give them another role first."


class SystemRole(Conflict):
    """Built-in roles and permissions are the same in every application and cannot be changed."""

    code, title = "system_role", "Built-in roles and permissions cannot be changed."


class Role(Versioned):
    """A named set of permissions. Built-in roles (`is_system`) cannot be changed."""

    id: str
    name: str
    description: str | None = None
    is_system: bool = False
    permissions: list[str] = []
    created_at: Timestamp
    updated_at: Timestamp
    nats: NatsSubjects | None = Field(default=None, description=NATS)


class SeedRoles(Request[Done], subject="rbac.template.seed", needs=SYSTEM, within=5.0, safe=True):
    """Creates the roles and permissions of a new application. Idempotent."""

    template: Literal["dashboard", "application"]


class Roles(Contract):
    """A page of roles."""

    roles: list[Role]
    next: str | None = None


class ListRoles(Page, Request[Roles], subject="rbac.role.list", needs="roles:read", safe=True):
    """Lists the roles of one kind by id."""

    kind: Kind = "application"


class GetRole(Request[Role], subject="rbac.role.get", needs="roles:read", safe=True):
    """Returns one role. Raises RoleNotFound."""

    role_id: RoleId
    kind: Kind = "application"


class NewRole(Contract):
    """A role to create."""

    name: Title
    id: RoleId | None = Field(default=None, description="Default: made from the name.")
    description: Description | None = None
    permissions: list[PermissionName] = Field(default=[], max_length=500)
    nats: NatsSubjects | None = Field(default=None, description=NATS)


class CreateRole(NewRole, Request[Role], subject="rbac.role.create", needs="roles:write"):
    """Creates a role. Raises RoleTaken, PermissionNotFound, NotHeld, NotForOrganizations."""

    kind: Kind = "application"


class RoleChanges(Contract):
    """Changes of a role. Fields that you leave out stay as they are. `permissions` and `nats` replace
    the whole. Somebody who changes `nats` must hold everything, as for an API key."""

    name: Title = ""
    description: Description | None = None
    permissions: list[PermissionName] = Field(default=[], max_length=500)
    nats: NatsSubjects | None = Field(default=None, description=NATS)


class UpdateRole(Request[Role], subject="rbac.role.update", needs="roles:write", conditional=True):
    """Changes a role. Raises RoleNotFound, SystemRole, RoleTaken, PermissionNotFound, NotHeld,
    NotForOrganizations."""

    role_id: RoleId
    changes: RoleChanges
    kind: Kind = "application"


class DeleteRole(
    Request[Done], subject="rbac.role.delete", needs="roles:write", fresh=True, conditional=True
):
    """Deletes a role. All its users lose it. An organization role can be deleted only if no member
    has it. Needs a fresh sign-in. Raises RoleNotFound, SystemRole, NotHeld, RoleInUse,
    FreshSignInNeeded."""

    role_id: RoleId
    kind: Kind = "application"


class PermissionGiven(Contract):
    """A permission to add to a role."""

    permission_id: PermissionName


class AddPermission(
    PermissionGiven,
    Request[Role],
    subject="rbac.role.add_permission",
    needs="roles:write",
    safe=True,
):
    """Adds a permission to a role. Raises RoleNotFound, SystemRole, PermissionNotFound, NotHeld,
    NotForOrganizations."""

    role_id: RoleId
    kind: Kind = "application"


class RemovePermission(
    Request[Role], subject="rbac.role.remove_permission", needs="roles:write", safe=True
):
    """Removes a permission from a role. Raises RoleNotFound, SystemRole, NotHeld."""

    role_id: RoleId
    permission_id: PermissionName
    kind: Kind = "application"


class Holder(Contract):
    """A user with a role, and who assigned it."""

    user_id: Id
    org_id: Id | None = None
    granted_by: str | None = None
    granted_at: Timestamp


class Holders(Contract):
    """A page of users with a role."""

    users: list[Holder]
    next: str | None = None


class ListHolders(
    Page, Request[Holders], subject="rbac.role.holders", needs="roles:read", safe=True
):
    """Lists the users with a role. The latest assignment comes first. Raises RoleNotFound."""

    role_id: RoleId
