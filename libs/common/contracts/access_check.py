"""Whether somebody may do this, and why."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.contracts.base import KNOWN, Contract, Id, Request
from common.contracts.permissions import PermissionName


class Question(Contract):
    """May this user do this, in the whole application or as a member of one organization?"""

    user_id: Id | None = Field(default=None, description="The caller where absent.")
    permission: PermissionName
    org_id: Id | None = None


class Reason(Contract):
    """The role that grants it, and where the user has that role."""

    role_id: str
    role: str
    via: Literal["application", "organization_role", "role_in_organization"]
    org_id: Id | None = None


class Verdict(Contract):
    """`why_not`: `unknown_permission`, `unknown_user`, `disabled`, `not_a_member` or `not_granted`."""

    user_id: Id
    permission: str
    org_id: Id | None = None
    allowed: bool
    reasons: list[Reason] = []
    why_not: str | None = None


class Verdicts(Contract):
    results: list[Verdict]


class CheckAccess(
    Request[Verdicts], subject="rbac.access.check", needs=KNOWN, within=2.0, safe=True
):
    """Answers in the order of the questions. About others only with `roles:read`."""

    checks: list[Question] = Field(min_length=1, max_length=100)
