"""The organizations of an application: the list, and a new one."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from common.contracts.organizations import (
    CreateOrganization,
    ListOrganizations,
    OrganizationExists,
)
from common.contracts.users import UserNotFound
from common.ids import new_id
from common.problems import Forbidden, Problem
from gateway.dashboard.api_call import curl
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.problem_sentences import errors_in
from gateway.dashboard.user_reference import unknown_user, user_id_of
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

PATH: Final = f"{APPLICATIONS}/{{slug}}/organizations"
MAX_SEARCH: Final = 100
"""Characters."""


async def show(visit: Visit) -> GatewayResponse:
    """GET …/organizations"""
    search = visit.fields.text("search")[:MAX_SEARCH].strip()
    listing = ListOrganizations(
        all=True, limit=50, search=search or None, cursor=visit.fields.text_or_none("cursor")
    )
    listed = await visit.call(listing)
    here = f"{visit.home}/organizations"
    return visit.show(
        "organizations.html",
        part="organizations_list.html",
        organizations=listed.organizations,
        search=search,
        more=at(here, search=search, cursor=listed.next) if listed.next else None,
        manages=visit.may("organizations:write"),
        notice=visit.open().translate("Organization deleted.") if _is_deleted(visit) else None,
        api=curl(visit.managed.tenant, "GET", "/organizations?all=true"),
        create_api=curl(visit.managed.tenant, "POST", "/organizations", {"name": "Acme"}),
    )


def _is_deleted(visit: Visit) -> bool:
    return visit.fields.text("done") == "deleted"


async def ask(visit: Visit) -> GatewayResponse:
    """GET …/organizations/new"""
    if not visit.may("organizations:write"):
        raise Forbidden
    return _ask(visit)


def _ask(visit: Visit, errors: Errors | None = None) -> GatewayResponse:
    return visit.show(
        "new_organization.html",
        errors=errors,
        values=visit.fields if errors else {},
        finds=visit.may("users:read"),
        request_id=visit.fields.text_or_none("request_id") or new_id(),
        api=curl(visit.managed.tenant, "POST", "/organizations", {"name": "Acme"}),
    )


async def create(visit: Visit) -> GatewayResponse:
    """POST …/organizations/new. Sent again, the form creates no second organization."""
    if not visit.may("organizations:write"):
        raise Forbidden
    language = visit.open().language
    admin = visit.fields.text("admin")
    try:
        new = CreateOrganization(
            name=visit.fields.text("name"),
            slug=visit.fields.text_or_none("slug"),
            admin_user_id=await user_id_of(visit, admin) if admin else None,
            request_id=visit.fields.text_or_none("request_id"),
        )
        organization = await visit.call(new)
    except OrganizationExists as existing:
        there = f"{visit.home}/organizations/{existing.extra['org_id']}"
        return redirect(at(there, done="exists"))
    except UserNotFound:
        return _ask(visit, unknown_user(language, "admin"))
    except (Problem, ValidationError) as error:
        return _ask(visit, errors_in(visit, error))
    return redirect(at(f"{visit.home}/organizations/{organization.id}", done="created"))


routes = RouteSet(
    (
        dashboard_page(PATH, show),
        dashboard_page(f"{PATH}/new", ask),
        dashboard_form(f"{PATH}/new", create),
    )
)
