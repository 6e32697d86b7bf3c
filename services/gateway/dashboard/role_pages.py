"""The common parts of the pages about roles: the kind of role, and the permissions that a page shows."""

from __future__ import annotations

from typing import Any, Final

from common.contracts.permissions import ListPermissions, Permission, Permissions
from common.contracts.roles import Kind, Role
from common.message_ids import N_
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.pages.fields import at

PATH: Final = f"{APPLICATIONS}/{{slug}}/roles"
PERMISSIONS_SHOWN: Final = 60
"""Permissions on one page. A form has at most 100 fields."""
CHECKED: Final = "permission:"
"""The beginning of the name of a checkbox. Its end is the permission."""
NOTICES: Final = {
    "created": N_("Role created."),
    "saved": N_("Role saved."),
    "deleted": N_("Role deleted."),
    "permission": N_("Permission created."),
    "permission_saved": N_("Permission saved."),
    "permission_deleted": N_("Permission deleted."),
}


def kind_of(visit: Visit) -> Kind:
    """Returns the kind of role that the page is about."""
    return "organization" if visit.fields.text("kind") == "organization" else "application"


def roles_address(visit: Visit, kind: Kind, **parameters: str | None) -> str:
    """Returns the address of the matrix."""
    return at(f"{visit.home}/roles", kind=_in_query(kind), **parameters)


def role_address(visit: Visit, kind: Kind, role_id: str, **parameters: str | None) -> str:
    """Returns the address of a role's page."""
    return at(f"{visit.home}/roles/{role_id}", kind=_in_query(kind), **parameters)


def _in_query(kind: Kind) -> str | None:
    return kind if kind == "organization" else None


def notice(visit: Visit) -> str | None:
    """Returns the sentence about what was just done. It is one of NOTICES."""
    sentence = NOTICES.get(visit.fields.text("done"))
    return visit.open().translate(sentence) if sentence else None


def has_fixed_permissions(role: Role, kind: Kind) -> bool:
    """Returns whether nobody can change the permissions of the role."""
    return role.is_system and kind == "application"


async def shown_permissions(visit: Visit) -> Permissions:
    """Returns the permissions of this page of the list."""
    cursor = visit.fields.text_or_none("cursor")
    return await visit.call(ListPermissions(limit=PERMISSIONS_SHOWN, cursor=cursor))


def for_kind(listed: Permissions, kind: Kind) -> list[Permission]:
    """Returns the permissions that a role of this kind can have. Built-in ones apply to the whole
    application, so organization roles cannot have them."""
    return [one for one in listed.permissions if kind == "application" or not one.is_system]


def checked(visit: Visit) -> set[str]:
    """Returns the permissions whose boxes are checked in the posted form."""
    return {name.removeprefix(CHECKED) for name in visit.fields if name.startswith(CHECKED)}


def common_variables(visit: Visit, kind: Kind) -> dict[str, Any]:
    """Returns the variables of every template of these pages."""
    return {
        "kind": kind,
        "base": f"{visit.home}/roles",
        "kind_query": "?kind=organization" if kind == "organization" else "",
        "manages": visit.may("roles:write"),
    }
