"""Assignments of roles to users."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import SIGNED_IN, SYSTEM, Contract, Done, Id, Request
from common.contracts.fields import Timestamp
from common.contracts.roles import RoleId


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
    """Give a user a role, in the whole application or, with `org_id`, in one organization they
    belong to. Raises RoleNotFound, NotFound, NotHeld."""

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
    granted_at: Timestamp


class AssignedRoles(Contract):
    roles: list[AssignedRole]


class ListUserRoles(
    Request[AssignedRoles], subject="rbac.assignment.list", needs="roles:read", safe=True
):
    """The roles given to a user. Raises UserNotFound."""

    user_id: Id


class ListMyRoles(
    Request[AssignedRoles], subject="rbac.assignment.mine", needs=SIGNED_IN, safe=True
):
    """The roles given to the caller. A developer acting in an application has none there."""
