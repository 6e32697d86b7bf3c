"""Assignments of roles to users."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import SIGNED_IN, SYSTEM, Contract, Done, Id, Request
from common.contracts.fields import Timestamp
from common.contracts.roles import RoleId


class AssignDefaultRole(
    Request[Done], subject="rbac.assignment.default", needs=SYSTEM, within=2.0, safe=True
):
    """Assigns the default role to a new user. In the Dashboard this is `operator` if `operator` is
    set (the bootstrap address is verified), else `developer`. Idempotent."""

    user_id: Id
    operator: bool = False


class Assignment(Contract):
    """A role to assign, in the whole application or in one organization."""

    role_id: RoleId
    org_id: Id | None = Field(
        default=None, description="The organization. Default: the whole application."
    )


class AssignRole(
    Assignment, Request[Done], subject="rbac.assignment.create", needs="roles:write", safe=True
):
    """Assigns a role to a user, in the whole application or, with `org_id`, in one organization
    that they belong to. A role that makes an operator needs a fresh sign-in. Raises RoleNotFound,
    NotFound, NotHeld, FreshSignInNeeded."""

    user_id: Id


class UnassignRole(Request[Done], subject="rbac.assignment.delete", needs="roles:write"):
    """Removes a role from a user. A role that makes an operator needs a fresh sign-in. Raises
    RoleNotFound, NotHeld, LastHolder, FreshSignInNeeded."""

    user_id: Id
    role_id: RoleId
    org_id: Id | None = None


class AssignedRole(Contract):
    """A role of a user. With `org_id`, the role applies only in this organization."""

    id: str
    name: str
    description: str | None = None
    permissions: list[str] = []
    org_id: Id | None = None
    granted_by: str | None = None
    granted_at: Timestamp


class AssignedRoles(Contract):
    """The roles of a user."""

    roles: list[AssignedRole]


class ListUserRoles(
    Request[AssignedRoles], subject="rbac.assignment.list", needs="roles:read", safe=True
):
    """Lists the roles of a user. Raises UserNotFound."""

    user_id: Id


class ListMyRoles(
    Request[AssignedRoles], subject="rbac.assignment.mine", needs=SIGNED_IN, safe=True
):
    """Lists the roles of the caller. A developer who manages an application has none there."""


class SetMappedRoles(
    Request[Done], subject="rbac.assignment.set_mapped", needs=SYSTEM, within=2.0, safe=True
):
    """Sets the roles that a user has because of an identity provider's claims. Roles that the provider
    gave before and that are absent now are taken away. Roles that somebody else assigned stay. Unknown
    roles are left out. Idempotent. Raises NotFound for an unknown user."""

    user_id: Id
    idp_id: Id
    role_ids: list[RoleId] = Field(default=[], max_length=50)
