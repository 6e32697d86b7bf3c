"""The permissions of an application: the built-in ones, and its own."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from common.contracts.permissions import (
    CreatePermission,
    DeletePermission,
    GetPermission,
    Permission,
    UpdatePermission,
)
from common.contracts.versioned import ChangedMeanwhile
from common.problems import Forbidden, Problem
from gateway.dashboard import form_guard, role_pages
from gateway.dashboard.api_call import curl
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.permission_groups import EXPLANATIONS, grouped
from gateway.dashboard.problem_sentences import errors_in
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

PATH: Final = f"{role_pages.PATH}/permissions"
ONE: Final = f"{PATH}/{{permission_id}}"


def _here(visit: Visit) -> str:
    return f"{visit.home}/roles/permissions"


async def show(visit: Visit) -> GatewayResponse:
    """GET …/roles/permissions"""
    return await _list(visit)


async def _list(visit: Visit, errors: Errors | None = None) -> GatewayResponse:
    listed = await role_pages.shown_permissions(visit)
    new = {"name": "invoices:read"}
    return visit.show(
        "permissions.html",
        errors=errors,
        values=visit.fields if errors else {},
        groups=grouped(listed.permissions),
        explanations=EXPLANATIONS,
        more=at(_here(visit), cursor=listed.next) if listed.next else None,
        notice=role_pages.notice(visit) if not errors else None,
        api=curl(visit.managed.tenant, "POST", "/permissions", new),
        **role_pages.common_variables(visit, "application"),
    )


async def create(visit: Visit) -> GatewayResponse:
    """POST …/roles/permissions"""
    if not visit.may("roles:write"):
        raise Forbidden
    try:
        new = CreatePermission(
            name=visit.fields.text("name"), description=visit.fields.text_or_none("description")
        )
        await visit.call(new)
    except (Problem, ValidationError) as error:
        return await _list(visit, _errors_of(visit, error))
    return redirect(at(_here(visit), done="permission"))


def _errors_of(visit: Visit, error: Problem | ValidationError) -> Errors:
    """Returns the errors of the form for a permission. The rules of its name are not those of other names."""
    language = visit.open().language
    errors = errors_in(visit, error)
    if isinstance(error, ValidationError) and "name" in errors:
        errors["name"] = language.translate("Enter a name like invoices:read, in lower case.")
    return errors


async def show_one(visit: Visit) -> GatewayResponse:
    """GET …/roles/permissions/{permission_id}"""
    return _show_one(visit, await _permission(visit))


async def _permission(visit: Visit) -> Permission:
    return await visit.call(GetPermission(permission_id=visit.parameters["permission_id"]))


def _show_one(
    visit: Visit, permission: Permission, errors: Errors | None = None
) -> GatewayResponse:
    return visit.show(
        "permission.html",
        errors=errors,
        values=visit.fields if errors else {},
        permission=permission,
        changed=errors is not None and "" in errors,
        explanations=EXPLANATIONS,
        notice=role_pages.notice(visit) if not errors else None,
        api=curl(visit.managed.tenant, "GET", f"/permissions/{permission.id}"),
        **role_pages.common_variables(visit, "application"),
    )


async def save(visit: Visit) -> GatewayResponse:
    """POST …/roles/permissions/{permission_id}: the description."""
    if not visit.may("roles:write"):
        raise Forbidden
    permission, language = await _permission(visit), visit.open().language
    try:
        form_guard.check(visit, permission)
        description = visit.fields.text_or_none("description")
        changes = UpdatePermission(permission_id=permission.id, description=description)
        await visit.call(changes, version=permission.version)
    except ChangedMeanwhile:
        errors = form_guard.changed_meanwhile(language)
        return _show_one(visit, await _permission(visit), errors)
    except (Problem, ValidationError) as error:
        return _show_one(visit, permission, errors_in(visit, error))
    return redirect(at(_here(visit), done="permission_saved"))


async def delete(visit: Visit) -> GatewayResponse:
    """POST …/roles/permissions/{permission_id}/delete"""
    if not visit.may("roles:write"):
        raise Forbidden
    permission = await _permission(visit)
    if errors := form_guard.name_errors(visit, permission.name):
        return _show_one(visit, permission, errors)
    try:
        await visit.call(DeletePermission(permission_id=permission.id))
    except Problem as error:
        return _show_one(visit, permission, errors_in(visit, error))
    return redirect(at(_here(visit), done="permission_deleted"))


routes = RouteSet(
    (
        dashboard_page(PATH, show),
        dashboard_form(PATH, create),
        dashboard_page(ONE, show_one),
        dashboard_form(ONE, save, page_path=ONE),
        dashboard_form(f"{ONE}/delete", delete, page_path=ONE),
    )
)
