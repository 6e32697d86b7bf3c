"""Roles and permissions."""

from __future__ import annotations

from common.events.base import Event


class RoleCreated(Event, type="role_created"):
    """A role was created. `kind` is `application` or `organization`."""

    role_id: str
    kind: str = "application"
    permissions: list[str] = []


class RoleUpdated(Event, type="role_updated"):
    """The name, description, permissions or NATS subjects of a role were changed."""

    role_id: str
    kind: str = "application"
    fields: list[str] = []
    added: list[str] = []
    removed: list[str] = []


class RoleDeleted(Event, type="role_deleted"):
    """A role was deleted. Its users lost its permissions."""

    role_id: str
    kind: str = "application"


class RoleAssigned(Event, type="role_assigned"):
    """A role was assigned to a user."""

    user_id: str
    role_id: str
    org_id: str | None = None


class RoleUnassigned(Event, type="role_unassigned"):
    """A role was removed from a user."""

    user_id: str
    role_id: str
    org_id: str | None = None


class PermissionCreated(Event, type="permission_created"):
    """A permission was created."""

    permission_id: str


class PermissionUpdated(Event, type="permission_updated"):
    """The description of a permission was changed."""

    permission_id: str


class PermissionDeleted(Event, type="permission_deleted"):
    """A permission was deleted and removed from every role."""

    permission_id: str
