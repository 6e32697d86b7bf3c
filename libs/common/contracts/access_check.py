"""Access checks: whether a user has a permission, and why."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.contracts.base import KNOWN, Contract, Id, Request
from common.contracts.permissions import PermissionName


class Question(Contract):
    """One check: a user and a permission, in the whole application or in one organization."""

    user_id: Id | None = Field(default=None, description="Default: the caller.")
    permission: PermissionName
    org_id: Id | None = None


class Reason(Contract):
    """A role that grants the permission, and where the user has it."""

    role_id: str
    role: str
    via: Literal["application", "organization_role", "role_in_organization"]
    org_id: Id | None = None


class Verdict(Contract):
    """The result of one check. If it is not allowed, `why_not` is `unknown_permission`,
    `unknown_user`, `disabled`, `not_a_member` or `not_granted`."""

    user_id: Id
    permission: str
    org_id: Id | None = None
    allowed: bool
    reasons: list[Reason] = []
    why_not: str | None = None


class Verdicts(Contract):
    """The results of an access check, in the order of the checks."""

    results: list[Verdict]


class CheckAccess(
    Request[Verdicts], subject="rbac.access.check", needs=KNOWN, within=2.0, safe=True
):
    """Checks permissions of users. Checks of other users need `roles:read`."""

    checks: list[Question] = Field(min_length=1, max_length=100)
