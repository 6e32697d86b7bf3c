"""What the rbac service answers: roles, permissions, rights."""

from __future__ import annotations

from typing import Literal

from common.contracts.base import SYSTEM, Contract, Done, Id, Request


class Rights(Contract):
    """What a user holds in the context's application: global roles and permissions, and those
    of one organization where one was asked for (the organization's are in `permissions` too)."""

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
