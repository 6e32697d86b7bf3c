"""Roles and permissions."""

from __future__ import annotations

from common.events.base import Event


class RoleCreated(Event, type="role_created"):
    """A role was made; `kind` tells the application's from the organizations'."""

    role_id: str
    kind: str = "application"
    permissions: list[str] = []


class RoleUpdated(Event, type="role_updated"):
    """A role's name, description or permissions changed."""

    role_id: str
    kind: str = "application"
    fields: list[str] = []
    added: list[str] = []
    removed: list[str] = []


class RoleDeleted(Event, type="role_deleted"):
    """A role is gone, and with it what it gave."""

    role_id: str
    kind: str = "application"


class RoleAssigned(Event, type="role_assigned"):
    """A user was given a role."""

    user_id: str
    role_id: str
    org_id: str | None = None


class RoleUnassigned(Event, type="role_unassigned"):
    """A role was taken from a user."""

    user_id: str
    role_id: str
    org_id: str | None = None


class PermissionCreated(Event, type="permission_created"):
    """An application got a permission of its own."""

    permission_id: str


class PermissionUpdated(Event, type="permission_updated"):
    """A permission's description changed."""

    permission_id: str


class PermissionDeleted(Event, type="permission_deleted"):
    """A permission is gone from every role."""

    permission_id: str
