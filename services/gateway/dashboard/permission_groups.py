"""Permissions in groups, each with an explanation in the language of the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from common.contracts.permissions import Permission
from common.message_ids import N_

EXPLANATIONS: Final = {
    "users:read": N_("See users, their sessions and identities"),
    "users:write": N_("Create, change and disable users, end their sessions"),
    "users:delete": N_("Delete users"),
    "users:impersonate": N_("Act as a user, where the application allows it"),
    "clients:read": N_("See OAuth clients"),
    "clients:write": N_("Register and change OAuth clients"),
    "clients:delete": N_("Delete OAuth clients"),
    "idps:read": N_("See identity providers"),
    "idps:write": N_("Set up and change identity providers"),
    "idps:delete": N_("Delete identity providers"),
    "idps:tokens": N_("Read users' tokens at identity providers, as the application's backend"),
    "roles:read": N_("See roles, permissions and who holds them"),
    "roles:write": N_("Change roles and permissions, give and take them"),
    "audit:read": N_("Read the audit log"),
    "organizations:read": N_("See all organizations and their members"),
    "organizations:write": N_("Create, change and delete any organization"),
    "authz:evaluate": N_("Ask which user may do what, as an AuthZEN enforcement point"),
}
"""The explanation of each built-in permission."""
HEADINGS: Final = {
    "users": N_("Users"),
    "organizations": N_("Organizations"),
    "clients": N_("Signing in"),
    "idps": N_("Signing in"),
    "roles": N_("Access"),
    "audit": N_("Access"),
    "webhooks": N_("Webhooks"),
    "authz": N_("Access"),
}
"""The group of a built-in permission, by its resource."""
OTHERS: Final = N_("Other built-in permissions")
OWN: Final = N_("Created by you")


@dataclass
class PermissionGroup:
    """Permissions under one heading."""

    heading: str
    permissions: list[Permission] = field(default_factory=list)


def grouped(permissions: Iterable[Permission]) -> list[PermissionGroup]:
    """Returns the permissions in groups. The application's own ones come first."""
    groups = {heading: PermissionGroup(heading) for heading in (OWN, *HEADINGS.values(), OTHERS)}
    for permission in permissions:
        heading = HEADINGS.get(permission.resource, OTHERS) if permission.is_system else OWN
        groups[heading].permissions.append(permission)
    return [group for group in groups.values() if group.permissions]
