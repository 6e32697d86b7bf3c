"""What the rbac service answers: roles, permissions, rights."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from common.contracts.base import SYSTEM, Contract, Done, Id, Request
from common.problems import Conflict, Forbidden, NotFound

RoleId: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=63)]
"""Readable, unique inside its application."""


class RoleNotFound(NotFound):
    code, title = "role_not_found", "There is no such role here."


class NotHeld(Forbidden):
    """Nobody gives or takes what he does not hold. `missing` names the permissions."""

    code, title = "not_held", "You can only give and take what you hold yourself."


class LastHolder(Conflict):
    code, title = "last_operator", "Somebody has to remain who holds this role."


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


class AssignRole(Request[Done], subject="rbac.assignment.create", needs="roles:write", safe=True):
    """Give a user a role, in the whole application or, with `org_id`, in one organization he
    belongs to. Raises RoleNotFound, NotFound, NotHeld."""

    user_id: Id
    role_id: RoleId
    org_id: Id | None = None


class UnassignRole(Request[Done], subject="rbac.assignment.delete", needs="roles:write"):
    """Take it again. Raises RoleNotFound, NotHeld, LastHolder."""

    user_id: Id
    role_id: RoleId
    org_id: Id | None = None
