"""Applications, as their developers see them."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from common.contracts.api_keys import NewApiKey
from common.contracts.app_settings import AppSettings
from common.contracts.base import SYSTEM, Contract, Done, Id, Page, Request
from common.contracts.fields import Email, Timestamp, Title
from common.contracts.settings_change import Color, HttpsUrl, SettingsChange
from common.contracts.tenants import Branding
from common.problems import Conflict, Forbidden, NotFound


class ApplicationNotFound(NotFound):
    """There is no such application, or it is not yours."""

    code, title = "application_not_found", "There is no such application."


SLUG = r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$"


class Application(Branding):
    """An application with its branding and its whole settings."""

    id: Id
    slug: str
    name: str
    state: Literal["creating", "active", "deleting"] = Field(
        description="It answers on its host once `active`: roles, signing keys and API keys stand."
    )
    host: str = Field(description="The host its links and issuer use.")
    url: str = Field(description="Its origin, and its issuer.")
    owner_org_id: Id | None = Field(default=None, description="The developer team that owns it.")
    is_dashboard: bool = False
    custom_domain: str | None = None
    custom_domain_verified: bool = False
    settings: AppSettings
    created_at: Timestamp
    updated_at: Timestamp


class NewApplication(Application):
    """With its first keys, whose secrets are shown this once."""

    api_keys: list[NewApiKey] = []


class Applications(Contract):
    applications: list[Application]
    next: str | None = None


class SlugTaken(Conflict):
    """Another application has this slug, had it not long ago, or it is reserved."""

    code, title = "slug_taken", "This slug cannot be had."


class CreateApplication(
    Request[NewApplication],
    subject="tenancy.application.create",
    needs="apps:create",
    within=10.0,
):
    """A new application of one of the caller's teams, with a generated slug and its first keys."""

    name: Title
    owner_org_id: Id | None = Field(
        default=None,
        description="The team that owns it. You may leave it out if you have only one.",
    )
    slug: str | None = Field(
        default=None, pattern=SLUG, description="Only operators may choose; else it is generated."
    )


class EnsureApplication(
    Request[NewApplication], subject="tenancy.application.ensure", needs=SYSTEM, within=10.0
):
    """The application with this slug, made where it is missing. Keys are shown only when made."""

    slug: str = Field(pattern=SLUG)
    name: Title


class GetApplication(
    Request[Application], subject="tenancy.application.get", needs="apps:read", safe=True
):
    """One application of the caller's teams; operators see any."""

    slug: str = Field(max_length=63)


class ListApplications(
    Page, Request[Applications], subject="tenancy.application.list", needs="apps:read", safe=True
):
    """The applications of the caller's teams, oldest first; operators see all."""

    owner_org_id: Id | None = Field(default=None, description="Only those of this team.")


class ApplicationPatch(Contract):
    """What to change; what is left out stays, null clears."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Title = ""
    logo_url: HttpsUrl | None = None
    favicon_url: HttpsUrl | None = None
    primary_color: Color | None = Field(default=None, examples=["#3355ff"])
    support_email: Email | None = None
    homepage_url: HttpsUrl | None = None
    privacy_policy_url: HttpsUrl | None = None
    terms_url: HttpsUrl | None = None
    settings: SettingsChange = Field(default=SettingsChange(), description="Merged, name by name.")


class UpdateApplication(
    Request[Application], subject="tenancy.application.update", needs="apps:write"
):
    """Change name, branding or settings. Effective everywhere before the answer is read."""

    slug: str = Field(max_length=63)
    changes: ApplicationPatch


class DeletionNotConfirmed(Conflict):
    """The slug was not typed back."""

    code, title = "deletion_not_confirmed", "Type the slug to confirm the deletion."


class DashboardStays(Forbidden):
    """The built-in application is neither deleted nor handed over."""

    code, title = "dashboard_stays", "The Dashboard can be neither deleted nor transferred."


class DeleteApplication(
    Request[Done], subject="tenancy.application.delete", needs="apps:delete", within=60.0
):
    """The end of an application and of everything in it, at once and for good."""

    slug: str = Field(max_length=63)
    confirm: str = Field(max_length=63, description="The slug again.")


class TransferApplication(
    Request[Application], subject="tenancy.application.transfer", needs="apps:transfer"
):
    """Hand an application to another team of the caller's; operators to any team."""

    slug: str = Field(max_length=63)
    owner_org_id: Id
