"""Permissions of an application."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from common.contracts.base import Contract, Done, Page, Request
from common.contracts.fields import Timestamp
from common.contracts.versioned import Versioned
from common.problems import Conflict, NotFound

PermissionName: TypeAlias = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_.-]*:[a-z][a-z0-9_.-]*(?::[a-z][a-z0-9_.-]*)?$", max_length=100),
]
"""`resource:action`, or `resource:action:scope`. It is the permission's id, too."""


Description: TypeAlias = Annotated[str, Field(max_length=500)]


class PermissionNotFound(NotFound):
    """The application has no permission with this name."""

    code, title = "permission_not_found", "This permission does not exist."


class PermissionTaken(Conflict):
    """The application has a permission with this name."""

    code, title = "permission_taken", "A permission with this name already exists."


class NotForOrganizations(Conflict):
    """Built-in permissions apply to the whole application, so organization roles cannot have
    them."""

    code = "not_for_organizations"
    title = "Organization roles cannot have built-in permissions."


class Permission(Versioned):
    """A permission. `is_system` marks the built-in permissions, which control this API."""

    id: str
    name: str
    resource: str
    action: str
    description: str | None = None
    is_system: bool = False
    created_at: Timestamp


class Permissions(Contract):
    """A page of permissions."""

    permissions: list[Permission]
    next: str | None = None


class ListPermissions(
    Page, Request[Permissions], subject="rbac.permission.list", needs="roles:read", safe=True
):
    """Lists the permissions by name."""


class GetPermission(
    Request[Permission], subject="rbac.permission.get", needs="roles:read", safe=True
):
    """Returns one permission. Raises PermissionNotFound."""

    permission_id: PermissionName


class CreatePermission(Request[Permission], subject="rbac.permission.create", needs="roles:write"):
    """Creates a permission. The role that holds all permissions gets it, too. Raises
    PermissionTaken."""

    name: PermissionName
    description: Description | None = None


class PermissionChanges(Contract):
    """The new description of a permission."""

    description: Description | None = None


class UpdatePermission(
    PermissionChanges,
    Request[Permission],
    subject="rbac.permission.update",
    needs="roles:write",
    conditional=True,
):
    """Changes the description of a permission. Raises PermissionNotFound, SystemRole."""

    permission_id: PermissionName


class DeletePermission(
    Request[Done], subject="rbac.permission.delete", needs="roles:write", conditional=True
):
    """Deletes a permission and removes it from every role. Raises PermissionNotFound, SystemRole,
    NotHeld."""

    permission_id: PermissionName
