"""A new application: a name is enough. Its keys are shown in the answer, and never again."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from common.contracts.applications import (
    ApplicationExists,
    CreateApplication,
    NewApplication,
)
from common.contracts.organizations import (
    CreateOrganization,
    ListOrganizations,
    OrganizationExists,
)
from common.ids import new_id
from common.problems import Forbidden, Problem
from gateway.auth.managed_application import managed_application
from gateway.dashboard.light_replies import TeamChoice, TeamChoices
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.start import show_start
from gateway.dashboard.visit import HOME, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import errors_of
from gateway.routing import RouteSet

PATH: Final = "/dashboard/new"
CREATORS: Final = ("admin", "developer")
"""Roles of a team whose members create applications for it."""


async def ask(visit: Visit) -> GatewayResponse:
    """GET /dashboard/new"""
    if not visit.may("apps:create"):
        raise Forbidden
    return await _ask(visit)


async def _ask(visit: Visit, errors: dict[str, str] | None = None) -> GatewayResponse:
    names = ("name", "team", "owner_org_id")
    return visit.show(
        "new_application.html",
        errors=errors,
        values={name: visit.fields.text(name) for name in names if name in visit.fields},
        request_id=visit.fields.text_or_none("request_id") or new_id(),
        teams=await _teams(visit),
    )


async def _teams(visit: Visit) -> list[TeamChoice]:
    """Returns the developer's teams that may own a new application."""
    listed = await visit.read(ListOrganizations(limit=100), TeamChoices)
    return [team for team in listed.organizations if team.role in CREATORS]


async def create(visit: Visit) -> GatewayResponse:
    """POST /dashboard/new: shows the new keys. A name for a team creates the team first. Sent again,
    the form creates no second application, and no second team."""
    page = visit.open()
    fields = {
        "name": visit.fields.text("name"),
        "request_id": visit.fields.text_or_none("request_id"),
    }
    try:
        CreateApplication.model_validate(fields)  # no team for a name that is refused
        owned = fields | {"owner_org_id": await _owner(visit)}
        new = await visit.call(CreateApplication.model_validate(owned))
    except ApplicationExists:
        return redirect(at(HOME, done="exists"))
    except (Problem, ValidationError) as error:
        return await _ask(visit, errors_of(page.language, error))
    return await show_start(await _in_application(visit, new), keys=new.api_keys)


async def _owner(visit: Visit) -> str | None:
    """Returns the team that will own the application. A form that was sent before has its team."""
    name = visit.fields.text_or_none("team")
    if name is None:
        return visit.fields.text_or_none("owner_org_id")
    for team in await _teams(visit):
        if team.name.split() == name.split():
            return team.id
    new = CreateOrganization(name=name, request_id=visit.fields.text_or_none("request_id"))
    try:
        return (await visit.call(new)).id
    except OrganizationExists as existing:
        return str(existing.extra["org_id"])


async def _in_application(visit: Visit, new: NewApplication) -> Visit:
    managed = await managed_application(visit.gateway, visit.request, visit.team_ctx, new.slug)
    return visit.in_application(managed)


routes = RouteSet((dashboard_page(PATH, ask), dashboard_form(PATH, create)))
