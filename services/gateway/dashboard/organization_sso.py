"""Single sign-on of an organization: its own identity provider, and whether its members must use it."""

from __future__ import annotations

import asyncio
from typing import Final

from common.contracts.identity_providers import IdentityProvider, ListIdentityProviders
from common.contracts.organizations import (
    GetOrganization,
    OrganizationChanges,
    UpdateOrganization,
)
from common.contracts.versioned import ChangedMeanwhile
from common.message_ids import N_
from common.problems import Forbidden
from gateway.dashboard import form_guard
from gateway.dashboard.organization_tabs import PATH, address_of, org_id_of, show_tab, tab_page
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

TAB: Final = "/sso"
NO_PROVIDER: Final = N_(
    "Add an identity provider for this organization first. Without one, no member could sign in."
)


async def show(visit: Visit, errors: Errors | None) -> GatewayResponse:
    """GET …/organizations/{org_id}/sso"""
    organization, providers = await asyncio.gather(
        visit.call(GetOrganization(org_id=org_id_of(visit))), _providers(visit)
    )
    return show_tab(
        visit,
        "organization_sso.html",
        organization,
        tab=TAB,
        errors=errors,
        providers=providers,
        version=form_guard.version(visit, organization, errors),
        sees_providers=visit.may("idps:read"),
        adds_providers=visit.may("idps:write"),
    )


async def _providers(visit: Visit) -> list[IdentityProvider]:
    """Returns the organization's own providers, as far as the developer may see them."""
    if not visit.may("idps:read"):
        return []
    listed = await visit.call(ListIdentityProviders())
    return [idp for idp in listed.idps if idp.org_id == org_id_of(visit)]


async def save(visit: Visit) -> GatewayResponse:
    """POST …/organizations/{org_id}/sso"""
    if not visit.may("organizations:write"):
        raise Forbidden
    org_id, language = org_id_of(visit), visit.open().language
    is_required = "sso_required" in visit.fields
    organization, providers = await asyncio.gather(
        visit.call(GetOrganization(org_id=org_id)), _providers(visit)
    )
    if form_guard.is_outdated(visit, organization):
        return await show(visit, form_guard.changed_meanwhile(language))
    has_provider = any(idp.enabled for idp in providers)
    if is_required and not organization.sso_required and not has_provider:
        return await show(visit, Errors({"sso_required": language.translate(NO_PROVIDER)}))
    changes = OrganizationChanges(sso_required=is_required)
    try:
        change = UpdateOrganization(org_id=org_id, changes=changes)
        await visit.call(change, version=organization.version)
    except ChangedMeanwhile:
        return await show(visit, form_guard.changed_meanwhile(language))
    return redirect(at(f"{address_of(visit)}{TAB}", done="saved"))


HERE: Final = f"{PATH}{TAB}"

routes = RouteSet((dashboard_page(HERE, tab_page(show)), dashboard_form(HERE, save)))
