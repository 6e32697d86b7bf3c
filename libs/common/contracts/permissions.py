"""An application's permissions."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from common.contracts.base import Contract, Done, Page, Request
from common.contracts.fields import Timestamp
from common.problems import Conflict, NotFound

PermissionName: TypeAlias = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_.-]*:[a-z][a-z0-9_.-]*(?::[a-z][a-z0-9_.-]*)?$", max_length=100),
]
"""`resource:action`, or `resource:action:scope`. It is the permission's id, too."""


Description: TypeAlias = Annotated[str, Field(max_length=500)]


class PermissionNotFound(NotFound):
    code, title = "permission_not_found", "There is no such permission here."


class PermissionTaken(Conflict):
    code, title = "permission_taken", "There is a permission of this name."


class NotForOrganizations(Conflict):
    """A built-in permission acts on the whole application."""

    code = "not_for_organizations"
    title = "Built-in permissions act on the whole application: no organization gives them."


class Permission(Contract):
    """`is_system`: built in, it governs Aero2's own API."""

    id: str
    name: str
    resource: str
    action: str
    description: str | None = None
    is_system: bool = False
    created_at: Timestamp


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
