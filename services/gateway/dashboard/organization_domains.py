"""The e-mail domains of an organization, and the DNS records that prove them."""

from __future__ import annotations

import asyncio
from typing import Final

from common.contracts.org_domains import (
    AddOrganizationDomain,
    DeleteOrganizationDomain,
    ListOrganizationDomains,
    OrganizationDomainChanges,
    UpdateOrganizationDomain,
    VerifyOrganizationDomain,
)
from common.contracts.organizations import GetOrganization
from gateway.dashboard.organization_tabs import (
    PATH,
    member_roles,
    org_id_of,
    show_tab,
    tab_form,
    tab_page,
)
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

TAB: Final = "/domains"


async def show(visit: Visit, errors: Errors | None) -> GatewayResponse:
    """GET …/organizations/{org_id}/domains"""
    org_id = org_id_of(visit)
    organization, listed, roles = await asyncio.gather(
        visit.call(GetOrganization(org_id=org_id)),
        visit.call(ListOrganizationDomains(org_id=org_id)),
        member_roles(visit),
    )
    return show_tab(
        visit,
        "organization_domains.html",
        organization,
        tab=TAB,
        errors=errors,
        domains=listed.domains,
        roles=roles,
    )


def _add(visit: Visit) -> AddOrganizationDomain:
    return AddOrganizationDomain(
        org_id=org_id_of(visit),
        domain=visit.fields.text("domain"),
        auto_join="auto_join" in visit.fields,
        role=visit.fields.text("role"),
    )


def _save(visit: Visit) -> UpdateOrganizationDomain:
    changes = OrganizationDomainChanges(
        auto_join="auto_join" in visit.fields, role=visit.fields.text("role")
    )
    return UpdateOrganizationDomain(
        org_id=org_id_of(visit), domain_id=visit.parameters["domain_id"], changes=changes
    )


def _verify(visit: Visit) -> VerifyOrganizationDomain:
    return VerifyOrganizationDomain(
        org_id=org_id_of(visit), domain_id=visit.parameters["domain_id"]
    )


def _remove(visit: Visit) -> DeleteOrganizationDomain:
    return DeleteOrganizationDomain(
        org_id=org_id_of(visit), domain_id=visit.parameters["domain_id"]
    )


HERE: Final = f"{PATH}{TAB}"
DOMAIN: Final = f"{HERE}/{{domain_id}}"

routes = RouteSet(
    (
        dashboard_page(HERE, tab_page(show)),
        dashboard_form(HERE, tab_form(_add, page=show, tab=TAB, done="domain")),
        dashboard_form(DOMAIN, tab_form(_save, page=show, tab=TAB, done="saved"), page_path=HERE),
        dashboard_form(
            f"{DOMAIN}/verify",
            tab_form(_verify, page=show, tab=TAB, done="verified"),
            page_path=HERE,
        ),
        dashboard_form(
            f"{DOMAIN}/remove",
            tab_form(_remove, page=show, tab=TAB, done="domain_removed"),
            page_path=HERE,
        ),
    )
)
