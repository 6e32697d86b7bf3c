"""An application as every process sees it: by host, by id, and for a developer who manages it."""

from __future__ import annotations

from pydantic import Field

from common.contracts.app_settings import AppSettings
from common.contracts.base import OPEN, SYSTEM, Contract, Id, Request
from common.problems import Misdirected


class Branding(Contract):
    """How an application's pages and mails look."""

    logo_url: str | None = None
    favicon_url: str | None = None
    primary_color: str | None = None
    support_email: str | None = None
    homepage_url: str | None = None
    privacy_policy_url: str | None = None
    terms_url: str | None = None


class Tenant(Contract):
    """What every process needs to know of an application to serve it."""

    app_id: Id
    slug: str
    name: str
    state: str
    is_dashboard: bool = False
    host: str = Field(description="The host its links and issuer use: custom domain or slug host.")
    hosts: list[str] = Field(description="Every host it answers on, with port where not default.")
    origin: str = Field(description="Scheme and `host`.")
    branding: Branding = Branding()
    settings: AppSettings = AppSettings()


class UnknownHost(Misdirected):
    """No application answers on this host."""

    status, code, title = 404, "unknown_host", "No application answers on this host."


class ResolveHost(
    Request[Tenant], subject="tenancy.application.resolve", needs=OPEN, within=1.0, safe=True
):
    """Which application answers on a host (lower case, with port where not default)."""

    host: str = Field(max_length=260)


class GetTenant(
    Request[Tenant], subject="tenancy.application.tenant", needs=SYSTEM, within=1.0, safe=True
):
    """The application of the context."""


class Managed(Contract):
    """An application that the calling developer may manage, and with which permissions there."""

    tenant: Tenant
    permissions: list[str]


class ManageApplication(
    Request[Managed], subject="tenancy.application.manage", needs="apps:read", within=1.0, safe=True
):
    """A developer steps into an application of their team (operators: of any). In the dashboard's
    context. `apps:write` gives every permission there to the team's admins and developers;
    otherwise `apps:read` gives the reading ones. Raises ApplicationNotFound where it belongs to
    another team."""

    slug: str = Field(max_length=63)
