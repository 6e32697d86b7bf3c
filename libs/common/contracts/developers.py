"""Developers: the users of the Dashboard, for operators."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import Contract, Id, Page, Request
from common.contracts.fields import Timestamp
from common.contracts.platform_applications import PlatformApplication
from common.contracts.users import UserSearch


class Developer(Contract):
    """A user of the Dashboard."""

    id: Id
    email: str | None = None
    email_verified: bool = False
    name: str | None = None
    disabled: bool = False
    last_sign_in_at: Timestamp | None = None
    created_at: Timestamp


class Developers(Contract):
    """A page of developers."""

    developers: list[Developer]
    next: str | None = None


class DeveloperState(Developer):
    """A developer, and whether they are an operator now."""

    is_operator: bool = Field(
        default=False,
        description="Whether they have `platform:manage`. A disabled user has nothing.",
    )


class ListDevelopers(
    Page,
    Request[Developers],
    subject="identity.developer.list",
    needs="developers:read",
    safe=True,
    impersonated=False,
):
    """Lists the users of the Dashboard, newest first. With `search`, lists them by the word that
    matches. Raises Forbidden outside the Dashboard."""

    search: UserSearch = None
    disabled: bool | None = None


class GetDeveloper(
    Request[DeveloperState],
    subject="identity.developer.get",
    needs="developers:read",
    safe=True,
    impersonated=False,
):
    """Returns one developer. Raises UserNotFound, and Forbidden outside the Dashboard."""

    user_id: Id


class DeveloperTeam(Contract):
    """A team of a developer, with their role there."""

    id: Id
    slug: str
    name: str
    is_personal: bool = False
    role: str


class DeveloperTeams(Contract):
    """The teams of a developer and the applications that these own, at most 100 of each."""

    teams: list[DeveloperTeam]
    applications: list[PlatformApplication]


class GetDeveloperTeams(
    Request[DeveloperTeams],
    subject="tenancy.developer.teams",
    needs="developers:read",
    safe=True,
    impersonated=False,
):
    """Returns the teams of a developer and their applications. Raises Forbidden outside the
    Dashboard."""

    user_id: Id


class DeveloperDetails(DeveloperState, DeveloperTeams):
    """A developer with their teams and the applications of these teams, at most 100 of each."""
