"""Tenants: applications as every process needs them, by host, by id, or for their developer."""

from __future__ import annotations

from pydantic import Field

from common.contracts.app_settings import AppSettings
from common.contracts.base import OPEN, SYSTEM, Contract, Id, Request
from common.homes import MAIN
from common.problems import Misdirected


class Branding(Contract):
    """The branding of an application's pages and e-mails."""

    logo_url: str | None = None
    favicon_url: str | None = None
    primary_color: str | None = None
    support_email: str | None = None
    homepage_url: str | None = None
    privacy_policy_url: str | None = None
    terms_url: str | None = None


class Tenant(Contract):
    """The data of an application that every process needs to serve it."""

    app_id: Id
    slug: str
    name: str
    state: str
    is_dashboard: bool = False
    host: str = Field(
        description="The host of links and of the issuer: a custom domain or the slug's host."
    )
    hosts: list[str] = Field(
        description="Every host it answers on, with a port that is not the default."
    )
    origin: str = Field(description="The scheme and `host`.")
    branding: Branding = Branding()
    settings: AppSettings = AppSettings()
    home: str = Field(default=MAIN, description="The database cluster that has its rows.")
    home_generation: int = Field(default=0, description="Grows whenever the home changes.")


class UnknownHost(Misdirected):
    """No application answers on this host."""

    status, code, title = 404, "unknown_host", "No application answers on this host."


class ResolveHost(
    Request[Tenant], subject="tenancy.application.resolve", needs=OPEN, within=1.0, safe=True
):
    """Returns the application that answers on a host. The host is in lower case, with a port that
    is not the default."""

    host: str = Field(max_length=260)


class GetTenant(
    Request[Tenant], subject="tenancy.application.tenant", needs=SYSTEM, within=1.0, safe=True
):
    """Returns the application of the context."""


class Managed(Contract):
    """An application that the calling developer can manage, and their permissions there."""

    tenant: Tenant
    permissions: list[str]


class ManageApplication(
    Request[Managed], subject="tenancy.application.manage", needs="apps:read", within=1.0, safe=True
):
    """Returns an application of the developer's teams and their permissions in it. Operators can
    manage any application. With `apps:write`, admins and developers of the team get every
    permission. With `apps:read` they get those that read. Called in the context of the Dashboard.
    Raises ApplicationNotFound if it belongs to another team."""

    slug: str = Field(max_length=63)
