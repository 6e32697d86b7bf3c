"""Nobody acts on what holds more than they do: the one rule, asked by every service."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import OPEN, Done, Id, Request
from common.contracts.roles import RoleId


class CheckDelegation(Request[Done], subject="rbac.delegation_check.check", needs=OPEN, safe=True):
    """Checks that the caller of the context holds every right of the user, of the roles, and every
    permission named here. Raises NotHeld naming what is missing, RoleNotFound. Only our own
    services ask, for the caller they answer; never inside a transaction."""

    user_id: Id | None = None
    role_ids: list[RoleId] = Field(default=[], max_length=100)
    permissions: list[str] = Field(default=[], max_length=1000)
    everything: bool = Field(
        default=False, description="The rights of the role that administers the application."
    )
