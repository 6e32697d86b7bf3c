"""One organization of an application: its profile, and deleting it."""

from __future__ import annotations

from typing import Any, Final

import orjson
from pydantic import ValidationError

from common import freshness
from common.contracts.organizations import (
    DeleteOrganization,
    GetOrganization,
    Organization,
    OrganizationChanges,
    UpdateOrganization,
)
from common.contracts.versioned import ChangedMeanwhile
from common.problems import NotFound, Problem
from gateway.dashboard import form_guard
from gateway.dashboard.json_texts import read_object
from gateway.dashboard.organization_tabs import (
    PATH,
    TEAM,
    address_of,
    check_manages,
    list_address,
    org_id_of,
    show_tab,
    tab_page,
)
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.problem_sentences import errors_in
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

METADATA: Final = ("public_metadata", "private_metadata")


async def show(visit: Visit, errors: Errors | None) -> GatewayResponse:
    """GET …/organizations/{org_id}"""
    organization = await visit.call(GetOrganization(org_id=org_id_of(visit)))
    return _show(visit, organization, errors)


def _show(
    visit: Visit, organization: Organization, errors: Errors | None = None
) -> GatewayResponse:
    return show_tab(
        visit,
        "organization.html",
        organization,
        errors=errors,
        version=form_guard.version(visit, organization, errors),
        changed=bool(errors) and form_guard.is_outdated(visit, organization),
        metadata={name: _pretty(getattr(organization, name)) for name in METADATA},
    )


def _pretty(value: dict[str, Any] | None) -> str:
    return orjson.dumps(value or {}, option=orjson.OPT_INDENT_2).decode()


async def save(visit: Visit) -> GatewayResponse:
    """POST …/organizations/{org_id}"""
    fields = visit.fields
    changes = {"name": fields.text("name"), "slug": fields.text("slug")}
    return await _save(visit, {**changes, "logo_url": fields.text_or_none("logo_url")})


async def save_metadata(visit: Visit) -> GatewayResponse:
    """POST …/organizations/{org_id}/metadata"""
    changes: dict[str, Any] = {}
    errors = Errors()
    language = visit.open().language
    for name in METADATA:
        try:
            changes[name] = read_object(language, visit.fields.text(name))
        except ValueError as error:
            errors[name] = str(error)
    return await show(visit, errors) if errors else await _save(visit, changes)


async def _save(visit: Visit, changes: dict[str, Any]) -> GatewayResponse:
    """Saves the changes, unless somebody else has changed the organization since the form was shown."""
    check_manages(visit)
    org_id, language = org_id_of(visit), visit.open().language
    organization = await visit.call(GetOrganization(org_id=org_id))
    try:
        form_guard.check(visit, organization)
        wanted = OrganizationChanges.model_validate(changes)
        change = UpdateOrganization(org_id=org_id, changes=wanted)
        await visit.call(change, version=organization.version)
    except ChangedMeanwhile:
        return await show(visit, form_guard.changed_meanwhile(language))
    except (Problem, ValidationError) as error:
        return _show(visit, organization, _errors_of(visit, error))
    return redirect(at(address_of(visit), done="saved"))


def _errors_of(visit: Visit, error: Problem | ValidationError) -> Errors:
    if isinstance(error, NotFound):
        raise error
    return errors_in(visit, error)


async def delete(visit: Visit) -> GatewayResponse:
    """POST …/organizations/{org_id}/delete: after a fresh sign-in."""
    check_manages(visit)
    freshness.check(visit.user.caller)
    organization = await visit.call(GetOrganization(org_id=org_id_of(visit)))
    if errors := form_guard.name_errors(visit, organization.name):
        return _show(visit, organization, errors)
    try:
        await visit.call(DeleteOrganization(org_id=organization.id))
    except Problem as error:
        return _show(visit, organization, _errors_of(visit, error))
    return redirect(at(list_address(visit), done="deleted"))


routes = RouteSet(
    (
        dashboard_page(PATH, tab_page(show)),
        dashboard_form(PATH, save),
        dashboard_form(f"{PATH}/metadata", save_metadata, page_path=PATH),
        dashboard_form(f"{PATH}/delete", delete, page_path=PATH),
        dashboard_page(TEAM, tab_page(show)),
        dashboard_form(TEAM, save),
        dashboard_form(f"{TEAM}/delete", delete, page_path=TEAM),
    )
)
