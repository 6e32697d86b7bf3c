"""Delegation: nobody can act on users or roles with permissions that they do not hold themselves."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import OPEN, Done, Id, Request
from common.contracts.roles import RoleId


class CheckDelegation(Request[Done], subject="rbac.delegation.check", needs=OPEN, safe=True):
    """Checks that the caller holds every permission of the user, of the roles, and every permission
    named here. Roles that make operators also need a fresh sign-in. Raises NotHeld with the missing
    permissions, RoleNotFound and FreshSignInNeeded. Only the services call it, for their caller, and
    never inside a transaction."""

    user_id: Id | None = None
    role_ids: list[RoleId] = Field(default=[], max_length=100)
    permissions: list[str] = Field(default=[], max_length=1000)
    everything: bool = Field(
        default=False,
        description="Also check the permissions of the role that administers the application.",
    )
