"""The applications of all teams, for operators."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from common.contracts.applications import SLUG
from common.contracts.base import SYSTEM, Contract, Id, Page, Request
from common.contracts.fields import Timestamp
from common.homes import MAIN

MOST_USERS: Final = 1000
"""Users are counted up to this number."""


class OwnerTeam(Contract):
    """The team that owns an application."""

    id: Id
    slug: str
    name: str


class PlatformApplication(Contract):
    """An application in a list for operators."""

    id: Id
    slug: str
    name: str
    state: Literal["creating", "active", "deleting"]
    host: str = Field(description="The host of its links and its issuer.")
    is_dashboard: bool = False
    home: str = Field(default=MAIN, description="The database cluster that has its rows.")
    owner: OwnerTeam | None = Field(default=None, description="The team that owns it.")
    created_at: Timestamp


class PlatformApplications(Contract):
    """A page of applications."""

    applications: list[PlatformApplication]
    next: str | None = None


class PlatformApplicationDetails(PlatformApplication):
    """An application with the number of its users."""

    users: int = Field(description="The number of its users, counted up to 1,000.")
    has_more_users: bool = Field(default=False, description="Whether it has more than 1,000 users.")


class ListPlatformApplications(
    Page,
    Request[PlatformApplications],
    subject="tenancy.platform.list_applications",
    needs="apps:read:all",
    safe=True,
    impersonated=False,
):
    """Lists the applications of all teams, newest first, also those that are being created or deleted.
    With `search`, lists the application of the slug, id or host, then those by name. Raises Forbidden
    outside the Dashboard."""

    search: str | None = Field(
        default=None,
        max_length=260,
        description="A whole slug, id or host, or words. Each of them must be the beginning of a word "
        "of the name or slug. Case and accents are ignored in names.",
    )
    owner_org_id: Id | None = Field(
        default=None, description="Only those of this team, without `search`."
    )


class GetPlatformApplication(
    Request[PlatformApplicationDetails],
    subject="tenancy.platform.get_application",
    needs="apps:read:all",
    safe=True,
    impersonated=False,
):
    """Returns one application. Raises ApplicationNotFound, and Forbidden outside the Dashboard."""

    slug: str = Field(max_length=63, pattern=SLUG)


class ApplicationLabel(Contract):
    """An application as people name it."""

    id: Id
    slug: str
    name: str
    home: str = MAIN


class ApplicationLabels(Contract):
    """The applications that exist."""

    applications: list[ApplicationLabel]


class LabelApplications(
    Request[ApplicationLabels],
    subject="tenancy.platform.label_applications",
    needs=SYSTEM,
    safe=True,
):
    """Returns the slugs and names of these applications. Raises Forbidden outside the Dashboard."""

    application_ids: Annotated[list[Id], Field(max_length=100)]
