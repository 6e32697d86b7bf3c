"""Answers which application a host belongs to, and what each process needs to know of it."""

from __future__ import annotations

from common import captcha_secret
from common.address_keys import host_key
from common.context import Context
from common.contracts.app_settings import AppSettings
from common.contracts.applications import Application, ApplicationNotFound
from common.contracts.tenants import Branding, GetTenant, ResolveHost, Tenant, UnknownHost
from tenancy.deps import Deps
from tenancy.hosts import Hosts
from tenancy.queries import applications
from tenancy.queries.applications import ApplicationRow


async def resolve(deps: Deps, ctx: Context, request: ResolveHost) -> Tenant:
    """Returns the active application that answers at the host. Raises UnknownHost."""
    host = host_key(request.host)
    slug, domain = deps.hosts.slug(host), deps.hosts.custom(host)
    async with deps.registry.reader(ctx) as db:
        if slug is not None:
            row = await applications.by_slug(db, slug=slug)
        elif domain is not None:
            row = await applications.by_domain(db, domain=domain)
        else:
            row = None
    if row is None or row.state != "active":
        raise UnknownHost
    return to_tenant(deps.hosts, row)


async def get(deps: Deps, ctx: Context, _: GetTenant) -> Tenant:
    """Returns the context's application. Raises ApplicationNotFound."""
    async with deps.registry.reader(ctx) as db:
        row = await applications.by_id(db, id=ctx.app_id)
    if row is None:
        raise ApplicationNotFound
    return to_tenant(deps.hosts, row)


def to_tenant(hosts: Hosts, row: ApplicationRow) -> Tenant:
    """Returns what each process needs to know of the application."""
    host = primary_host(hosts, row)
    platform_hosts = hosts.dashboard if row.is_dashboard else (hosts.of_slug(row.slug),)
    others = [*(hosts.of_custom(domain) for domain in row.domains), *platform_hosts]
    return Tenant(
        app_id=row.id,
        slug=row.slug,
        name=row.name,
        state=row.state,
        is_dashboard=row.is_dashboard,
        host=host,
        hosts=[host, *(other for other in others if other != host)],
        origin=hosts.origin(host),
        branding=Branding(**_branding(row)),
        settings=AppSettings.model_validate(row.settings),
        home=row.home,
        home_generation=row.home_generation,
    )


def to_application(hosts: Hosts, row: ApplicationRow) -> Application:
    """Returns the application as the API shows it, without its captcha secret."""
    host = primary_host(hosts, row)
    return Application(
        id=row.id,
        slug=row.slug,
        name=row.name,
        state=row.state,
        host=host,
        url=hosts.origin(host),
        owner_org_id=row.owner_org_id,
        is_dashboard=row.is_dashboard,
        home=row.home,
        custom_domain=row.custom_domain,
        custom_domain_verified=row.custom_domain_verified,
        settings=captcha_secret.hidden(AppSettings.model_validate(row.settings)),
        created_at=row.created_at,
        updated_at=row.updated_at,
        **_branding(row),
    )


def primary_host(hosts: Hosts, row: ApplicationRow) -> str:
    """Returns the host of the primary domain if it is verified, or else the host of the slug.

    Links and the issuer follow it.
    """
    if row.custom_domain is not None and row.custom_domain_verified:
        return hosts.of_custom(row.custom_domain)
    return hosts.of_slug(row.slug)


def _branding(row: ApplicationRow) -> dict[str, str | None]:
    return {name: getattr(row, name) for name in Branding.model_fields}
