"""Transfer and deletion of an application. Both need a fresh sign-in."""

from __future__ import annotations

import asyncio
from typing import Final

from pydantic import ValidationError

from common.contracts.applications import (
    ApplicationNotFound,
    DeleteApplication,
    GetApplication,
    TransferApplication,
)
from common.contracts.organizations import ListOrganizations
from common.problems import Forbidden, Problem
from gateway.dashboard.api_call import curl_in_dashboard
from gateway.dashboard.new_application import CREATORS
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.visit import APPLICATIONS, HOME, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors, errors_of
from gateway.routing import RouteSet

HERE: Final = f"{APPLICATIONS}/{{slug}}/danger"
DELETES: Final = "apps:delete"
TRANSFERS: Final = "apps:transfer"


async def show(visit: Visit) -> GatewayResponse:
    """GET …/danger"""
    return await _show(visit)


async def _show(visit: Visit, errors: Errors | None = None) -> GatewayResponse:
    _check_may(visit, DELETES, TRANSFERS)
    slug, stays = visit.managed.tenant.slug, visit.managed.tenant.is_dashboard
    application, listed = await asyncio.gather(
        visit.call_dashboard(GetApplication(slug=slug)),
        visit.call_dashboard(ListOrganizations(limit=100)),
    )
    return visit.show(
        "danger.html",
        errors=errors,
        values={name: visit.fields.text(name) for name in ("confirm", "owner_org_id")},
        owner=next(
            (org for org in listed.organizations if org.id == application.owner_org_id), None
        ),
        teams=[
            org
            for org in listed.organizations
            if org.role in CREATORS and org.id != application.owner_org_id
        ],
        transferred=visit.fields.text("done") == "transferred",
        stays=stays,
        deletes=visit.may_in_dashboard(DELETES) and not stays,
        transfers=visit.may_in_dashboard(TRANSFERS) and not stays,
        address=f"{visit.home}/danger",
        api=curl_in_dashboard(visit.request.app, "DELETE", f"/applications/{slug}?confirm={slug}"),
    )


def _check_may(visit: Visit, *permissions: str) -> None:
    """Raises Forbidden if the developer has none of the permissions, or may only read here."""
    may = any(visit.may_in_dashboard(permission) for permission in permissions)
    if not may or not visit.may("apps:write"):
        raise Forbidden


async def transfer(visit: Visit) -> GatewayResponse:
    """POST …/danger/transfer. The developer may not see the application after it."""
    _check_may(visit, TRANSFERS)
    slug, team = visit.managed.tenant.slug, visit.fields.text("owner_org_id")
    language = visit.open().language
    try:
        await visit.call_dashboard(TransferApplication(slug=slug, owner_org_id=team))
    except ApplicationNotFound:
        raise
    except (Problem, ValidationError) as error:
        return await _show(visit, errors_of(language, error))
    return redirect(at(f"{visit.home}/danger", done="transferred"))


async def delete(visit: Visit) -> GatewayResponse:
    """POST …/danger/delete. The service compares the slug that was typed."""
    _check_may(visit, DELETES)
    slug, typed = visit.managed.tenant.slug, visit.fields.text("confirm")
    language = visit.open().language
    try:
        await visit.call_dashboard(DeleteApplication(slug=slug, confirm=typed))
    except ApplicationNotFound:
        raise
    except (Problem, ValidationError) as error:
        return await _show(visit, errors_of(language, error))
    return redirect(HOME)


routes = RouteSet(
    (
        dashboard_page(HERE, show, fresh=True),
        dashboard_form(f"{HERE}/transfer", transfer, page_path=HERE),
        dashboard_form(f"{HERE}/delete", delete, page_path=HERE),
    )
)
