"""Applications, for their developers."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import ConfigDict, Field

from common.contracts.api_keys import NewApiKey
from common.contracts.app_settings import AppSettings
from common.contracts.base import SYSTEM, Contract, Done, Id, Page, Request
from common.contracts.fields import Email, Timestamp, Title
from common.contracts.settings_change import Color, HttpsUrl, SettingsChange
from common.contracts.tenants import Branding
from common.contracts.versioned import Versioned
from common.homes import MAIN
from common.problems import Conflict, Forbidden, NotFound


class ApplicationNotFound(NotFound):
    """The application does not exist, or belongs to another team."""

    code, title = "application_not_found", "This application does not exist or is not yours."


SLUG = r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$"


class Application(Branding, Versioned):
    """An application with its branding and all its settings."""

    volatile: ClassVar[frozenset[str]] = frozenset(
        {"state", "host", "url", "home", "custom_domain", "custom_domain_verified", "updated_at"}
    )

    id: Id
    slug: str
    name: str
    state: Literal["creating", "active", "deleting"] = Field(
        description="Once `active`, the application answers on its host."
    )
    host: str = Field(description="The host of its links and its issuer.")
    url: str = Field(description="Its origin, which is also its issuer.")
    owner_org_id: Id | None = Field(default=None, description="The team that owns it.")
    is_dashboard: bool = False
    home: str = Field(default=MAIN, description="The database cluster that has its rows.")
    custom_domain: str | None = None
    custom_domain_verified: bool = False
    settings: AppSettings
    created_at: Timestamp
    updated_at: Timestamp


class NewApplication(Application):
    """A new application with its first API keys, which are shown only once."""

    api_keys: list[NewApiKey] = []


class Applications(Contract):
    """A page of applications."""

    applications: list[Application]
    next: str | None = None


class SlugTaken(Conflict):
    """Another application has this slug or had it recently, or the slug is reserved."""

    code, title = "slug_taken", "This slug is taken or reserved. Choose another one."


class ApplicationExists(Conflict):
    """The caller has already created an application with this `request_id`. `slug` names it."""

    code = "application_exists"
    title = "This application was already created. Its keys cannot be shown again."


class CreateApplication(
    Request[NewApplication],
    subject="tenancy.application.create",
    needs="apps:create",
    within=10.0,
):
    """Creates an application of one of the caller's teams, with its first API keys. Raises
    ApplicationExists."""

    name: Title
    owner_org_id: Id | None = Field(
        default=None,
        description="The team that will own it. You can leave it out if you have only one team.",
    )
    slug: str | None = Field(
        default=None,
        pattern=SLUG,
        description="Only operators can choose it. By default it is generated.",
    )
    home: str | None = Field(
        default=None,
        max_length=31,
        description="The database cluster for its rows. Only operators can choose it.",
    )
    request_id: Id | None = Field(
        default=None,
        description="A new UUID. If you send the request twice, the second one creates no application "
        "and is answered with 409 `application_exists`, also at the team's limit.",
    )


class EnsureApplication(
    Request[NewApplication], subject="tenancy.application.ensure", needs=SYSTEM, within=10.0
):
    """Returns the application with this slug and creates it if it is missing. API keys are shown
    only if it is created."""

    slug: str = Field(pattern=SLUG)
    name: Title


class GetApplication(
    Request[Application], subject="tenancy.application.get", needs="apps:read", safe=True
):
    """Returns one application of the caller's teams. Operators can get any."""

    slug: str = Field(max_length=63)


class ListApplications(
    Page, Request[Applications], subject="tenancy.application.list", needs="apps:read", safe=True
):
    """Lists the applications of the caller's teams, oldest first. Operators see all, and with `search`
    without a team those of all teams, sorted by the word that matches."""

    owner_org_id: Id | None = Field(default=None, description="Only those of this team.")
    search: str | None = Field(
        default=None,
        max_length=100,
        description="Each word must be the beginning of a word of the name or slug. Case and accents are "
        "ignored.",
    )


class ApplicationPatch(Contract):
    """Changes of an application. Fields that you leave out stay as they are. `null` clears a
    field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Title = ""
    logo_url: HttpsUrl | None = None
    favicon_url: HttpsUrl | None = None
    primary_color: Color | None = Field(default=None, examples=["#3355ff"])
    support_email: Email | None = None
    homepage_url: HttpsUrl | None = None
    privacy_policy_url: HttpsUrl | None = None
    terms_url: HttpsUrl | None = None
    settings: SettingsChange = Field(
        default=SettingsChange(), description="Only the settings that you send change."
    )


class UpdateApplication(
    Request[Application],
    subject="tenancy.application.update",
    needs="apps:write",
    conditional=True,
):
    """Changes name, branding or settings. The change is effective everywhere with the answer."""

    slug: str = Field(max_length=63)
    changes: ApplicationPatch


class DeletionNotConfirmed(Conflict):
    """`confirm` is not the slug of the application."""

    code, title = "deletion_not_confirmed", "Enter the slug of the application to confirm."


class ApplicationMoving(Conflict):
    """The application is being moved to another database cluster. It can be deleted afterwards."""

    code, title = "application_moving", "This application is being moved. Delete it afterwards."


class DashboardStays(Forbidden):
    """The Dashboard cannot be deleted or transferred."""

    code, title = "dashboard_stays", "The Dashboard cannot be deleted or transferred."


class DeleteApplication(
    Request[Done],
    subject="tenancy.application.delete",
    needs="apps:delete",
    within=60.0,
    fresh=True,
    conditional=True,
):
    """Deletes an application and everything in it. This cannot be undone."""

    slug: str = Field(max_length=63)
    confirm: str = Field(max_length=63, description="The slug again, to confirm.")


class TransferApplication(
    Request[Application], subject="tenancy.application.transfer", needs="apps:transfer", fresh=True
):
    """Transfers an application to another team of the caller. Operators can choose any team."""

    slug: str = Field(max_length=63)
    owner_org_id: Id
