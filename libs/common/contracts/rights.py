"""The rights of a user, from all their roles."""

from __future__ import annotations

from common.contracts.base import SIGNED_IN, SYSTEM, Contract, Id, Request


class Rights(Contract):
    """The rights of a user in the context's application: the ids of their global roles, their
    permissions, and those of one organization, if the request names one and they belong to it
    (these are in `permissions`, too). Built-in permissions act on the whole application, so an
    organization never gives them."""

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


class GetUserRights(Request[Rights], subject="rbac.rights.of_user", needs="roles:read", safe=True):
    """Effective rights of any user of the application, as GetRights. Raises UserNotFound."""

    user_id: Id
    org_id: Id | None = None


class GetMyRights(Request[Rights], subject="rbac.rights.mine", needs=SIGNED_IN, safe=True):
    """Effective rights of the caller; without `org_id`, with their active organization."""

    org_id: Id | None = None
