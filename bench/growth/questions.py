"""What is asked of the services: hot contracts, lists, searches, filters, exports and jobs.

A new list needs a question here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from tests.kit.callers import ADMIN, as_user

from bench.growth.application import BenchApplication, Place
from bench.growth.rows import RARE_ADDRESS, RARE_EVENT
from common.contracts.api_keys import ListApiKeys
from common.contracts.applications import ListApplications
from common.contracts.audit_log import (
    CountAudit,
    ExportAudit,
    ListAudit,
    ListCheckpoints,
    ListOwnAudit,
    ListUserAudit,
)
from common.contracts.base import Request
from common.contracts.client_registration import ListInitialAccessTokens
from common.contracts.clients import ListClients
from common.contracts.consents import ListClientGrants
from common.contracts.developers import ListDevelopers
from common.contracts.invitations import ListInvitations
from common.contracts.members import ListMembers
from common.contracts.org_invitations import ListOrganizationInvitations
from common.contracts.organizations import ListOrganizations, ListUserOrganizations
from common.contracts.permissions import ListPermissions
from common.contracts.platform_applications import ListPlatformApplications
from common.contracts.roles import ListHolders, ListRoles
from common.contracts.sessions import ListUserSessions
from common.contracts.usage import CountUsage
from common.contracts.user_import import ExportUsers
from common.contracts.users import CountUsers, ListUsers
from common.ids import DASHBOARD
from common.keyset import LOWEST_ID

Group = Literal["hot", "list", "filter", "search", "export", "count", "job"]
Act = Callable[[BenchApplication], Awaitable[object]]
LIMIT: Final = 50


@dataclass(frozen=True)
class Question:
    """One thing that is asked. With `place`, it is asked there too: far from the first page."""

    group: Group
    name: str
    ask: Act
    place: Callable[[BenchApplication], Place] | None = None
    contract: type[Request[Any]] | None = None


def _page(
    group: Group,
    name: str,
    contract: type[Request[Any]],
    place: Callable[[BenchApplication], Place] | None = None,
    fields: Callable[[BenchApplication], dict[str, Any]] = lambda _: {},
    *,
    by: Literal["key", "user", "operator"] = "key",
) -> Question:
    """Returns the question for a page, asked with a secret key unless `by` names somebody else."""

    async def ask(app: BenchApplication) -> object:
        limit = {"limit": LIMIT} if "limit" in contract.model_fields else {}
        request = contract(**limit, **fields(app))
        if by == "operator":
            return await app.ask(request, app.operator, DASHBOARD)
        return await app.ask(request, ADMIN if by == "key" else as_user(app.reader))

    return Question(group, name, ask, place, contract)


def _filter(name: str, **fields: Any) -> Question:
    return _page("filter", f"users: {name}", ListUsers, lambda app: app.middle("user"),
                 lambda _: fields)  # fmt: skip


def _search(name: str, word: str | None, **fields: Any) -> Question:
    """A search of users: with `word`, it is also continued after that one, in the middle of its
    users."""
    place = None if word is None else lambda _: (word, "7" * 8 + LOWEST_ID[8:])
    return _page("search", name, ListUsers, place, lambda _: fields)


LISTS: Final = (
    _page("list", "users", ListUsers, lambda app: app.middle("user")),
    _page("list", "holders of a role", ListHolders,
          lambda app: app.middle("user", LOWEST_ID), lambda _: {"role_id": "user"}),
    _page("list", "members of an organization", ListMembers,
          lambda app: app.middle("user"), lambda app: {"org_id": app.organization.id}),
    _page("list", "organizations", ListOrganizations,
          lambda app: (app.middle_id("organization"),), lambda _: {"all": True}),
    _page("list", "grants of a client", ListClientGrants,
          lambda app: app.middle("user"), lambda app: {"client": app.client.client_id}),
    _page("list", "invitations", ListInvitations, lambda app: app.middle("invitation")),
    _page("list", "invitations into an organization", ListOrganizationInvitations,
          lambda app: app.middle("invitation"), lambda app: {"org_id": app.organization.id}),
    _page("list", "audit log", ListAudit, lambda app: app.middle("record")),
    _page("list", "audit log of a user", ListUserAudit, None,
          lambda app: {"user_id": app.reader.full().user_id}),
    _page("list", "own audit log", ListOwnAudit, by="user"),
    _page("list", "sessions of a user", ListUserSessions, None,
          lambda app: {"user_id": app.reader.full().user_id}),
    _page("list", "organizations of a user", ListUserOrganizations, None,
          lambda app: {"user_id": app.reader.full().user_id}),
    _page("list", "own organizations", ListOrganizations, by="user"),
    _page("list", "clients", ListClients),
    _page("list", "initial access tokens", ListInitialAccessTokens),
    _page("list", "roles", ListRoles),
    _page("list", "permissions", ListPermissions),
    _page("list", "API keys", ListApiKeys),
    _page("list", "checkpoints", ListCheckpoints),
    _page("list", "applications of teams", ListApplications, by="operator"),
    _page("list", "applications of the platform", ListPlatformApplications, by="operator"),
)  # fmt: skip

FILTERS: Final = (
    _filter("disabled", disabled=True),
    _filter("not disabled", disabled=False),
    _filter("address not verified", email_verified=False),
    _filter("disabled, not verified", disabled=True, email_verified=False),
    _page("filter", "audit log: a rare event", ListAudit,
          lambda app: app.middle("record"), lambda _: {"event_type": RARE_EVENT}),
    _page("filter", "audit log: an address", ListAudit,
          lambda app: app.middle("record"), lambda _: {"ip_address": RARE_ADDRESS}),
    _page("filter", "audit log: a user", ListAudit, None, lambda app: {"user_id": app.reader.full().user_id}),
    _page("filter", "audit log: before the middle", ListAudit, None,
          lambda app: {"end_date": app.middle("record")[0]}),
)  # fmt: skip

SEARCHES: Final = (
    _search("a given name", "anna", search="anna"),
    _search("the beginning of a family name", "merfa", search="mer"),
    _search("a letter", "ad", search="a"),
    _search("an address", None, search="sample@mail.example"),
    _search("the beginning of an address", "ada.mer", search="ada.m@"),
    _search("a domain", "mail.example", search="mail.example"),
    _search("given and family name", None, search="anna mer"),
    _search("a common and an unknown word", None, search="anneliese xyz"),
    _search("two common words that nobody has both", None, search="mail.example corp"),
    _search("an unknown word", None, search="xyzzy"),
    _search("a name, of disabled users", None, search="anna", disabled=True),
    _search("a name, of users not verified", None, search="anna", email_verified=False),
    _page("search", "organizations", ListOrganizations,
          lambda app: ("team-5", LOWEST_ID), lambda _: {"all": True, "search": "team"}),
    _page("search", "organizations by name", ListOrganizations,
          lambda app: ("merfa", LOWEST_ID), lambda _: {"all": True, "search": "mer"}),
    _page("search", "applications of the platform", ListPlatformApplications, None,
          lambda _: {"search": "neigh"}, by="operator"),
    _page("search", "applications of all teams", ListApplications, None,
          lambda _: {"search": "neigh"}, by="operator"),
    _page("search", "developers", ListDevelopers, None, lambda _: {"search": "a"}, by="operator"),
)  # fmt: skip

EXPORTS: Final = (
    _page("export", "users with password hashes", ExportUsers,
          lambda app: app.middle("user"), lambda _: {"password_hashes": True}),
    _page("export", "audit log", ExportAudit, lambda app: (app.middle_seq(),)),
    _page("export", "audit log: a rare event", ExportAudit,
          lambda app: (app.middle_seq(),), lambda _: {"event_type": RARE_EVENT}),
)  # fmt: skip

COUNTS: Final = (
    _page("count", "users", CountUsers),
    _page("count", "disabled users", CountUsers, None, lambda _: {"disabled": True}),
    _page("count", "users with a name", CountUsers, None, lambda _: {"search": "anna"}),
    _page("count", "events", CountAudit),
    _page("count", "sign-ins of 90 days", CountUsage, None, lambda _: {"window": "90d"}),
)

PAGES: Final = (*LISTS, *FILTERS, *SEARCHES, *EXPORTS, *COUNTS)
