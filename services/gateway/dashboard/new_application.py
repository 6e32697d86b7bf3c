"""A new application: a name is enough. Its keys are shown in the answer, and never again."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from common.contracts.applications import CreateApplication, NewApplication
from common.contracts.organizations import CreateOrganization, ListOrganizations, Organization
from common.problems import Forbidden, Problem
from gateway.auth.managed_application import managed_application
from gateway.dashboard.dashboard_request import DashboardRequest
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.start import show_start
from gateway.http.response import GatewayResponse
from gateway.pages.form_errors import errors_of
from gateway.routing import RouteSet

PATH: Final = "/dashboard/new"
CREATORS: Final = ("admin", "developer")
"""Roles of a team whose members create applications for it."""


async def ask(call: DashboardRequest) -> GatewayResponse:
    """GET /dashboard/new"""
    if not call.may("apps:create"):
        raise Forbidden
    return await _ask(call)


async def _ask(call: DashboardRequest, errors: dict[str, str] | None = None) -> GatewayResponse:
    names = ("name", "team", "owner_org_id")
    return call.show(
        "new_application.html",
        errors=errors,
        values={name: call.fields.text(name) for name in names if name in call.fields},
        teams=await _teams(call),
    )


async def _teams(call: DashboardRequest) -> list[Organization]:
    """Returns the developer's teams that may own a new application."""
    listed = await call.call(ListOrganizations(limit=100))
    return [team for team in listed.organizations if team.role in CREATORS]


async def create(call: DashboardRequest) -> GatewayResponse:
    """POST /dashboard/new: shows the new keys. A name for a team creates the team first."""
    page = call.open()
    try:
        wanted = CreateApplication(
            name=call.fields.text("name"), owner_org_id=await _owner(call)
        )
        new = await call.call(wanted)
    except (Problem, ValidationError) as error:
        return await _ask(call, errors_of(page.language, error))
    return await show_start(await _in_application(call, new), keys=new.api_keys)


async def _owner(call: DashboardRequest) -> str | None:
    if name := call.fields.text_or_none("team"):
        return (await call.call(CreateOrganization(name=name))).id
    return call.fields.text_or_none("owner_org_id")


async def _in_application(call: DashboardRequest, new: NewApplication) -> DashboardRequest:
    managed = await managed_application(call.gateway, call.request, call.team_ctx, new.slug)
    return call.in_application(managed)


routes = RouteSet((dashboard_page(PATH, ask), dashboard_form(PATH, create)))
