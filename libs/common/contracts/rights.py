"""Rights: the permissions of a user from all their roles."""

from __future__ import annotations

from common.contracts.base import SIGNED_IN, SYSTEM, Contract, Id, Request


class Rights(Contract):
    """The roles and permissions of a user in an application. With an organization, `permissions`
    also has the permissions from the user's role there. Organizations never give built-in
    permissions, because those apply to the whole application."""

    roles: list[str] = []
    permissions: list[str] = []
    teams: list[Id] = []
    org_id: Id | None = None
    org_role: str | None = None
    org_permissions: list[str] = []


class GetRights(Request[Rights], subject="rbac.rights.get", needs=SYSTEM, within=1.0, safe=True):
    """Returns the rights of a user. In the Dashboard, `teams` has the developer's teams."""

    user_id: Id
    org_id: Id | None = None


class GetUserRights(Request[Rights], subject="rbac.rights.of_user", needs="roles:read", safe=True):
    """Returns the rights of any user of the application, like GetRights. Raises UserNotFound."""

    user_id: Id
    org_id: Id | None = None


class GetMyRights(Request[Rights], subject="rbac.rights.mine", needs=SIGNED_IN, safe=True):
    """Returns the rights of the caller. Default for `org_id`: their active organization."""

    org_id: Id | None = None
