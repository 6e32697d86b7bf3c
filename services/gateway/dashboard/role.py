"""One role: its name, its permissions, who has it, and deleting it."""

from __future__ import annotations

import asyncio
from typing import Final

from pydantic import ValidationError

from common import freshness
from common.contracts.audit_log import AuditRecord
from common.contracts.permissions import Permissions
from common.contracts.roles import (
    DeleteRole,
    GetRole,
    Holders,
    Kind,
    ListHolders,
    Role,
    RoleChanges,
    UpdateRole,
)
from common.contracts.versioned import ChangedMeanwhile
from common.problems import Forbidden, Problem
from gateway.dashboard import form_guard, role_nats, role_pages
from gateway.dashboard.api_call import curl
from gateway.dashboard.last_change import change_of, latest_events
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.permission_groups import EXPLANATIONS, grouped
from gateway.dashboard.problem_sentences import errors_in
from gateway.dashboard.role_pages import kind_of, role_address, roles_address
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

PATH: Final = f"{role_pages.PATH}/{{role_id}}"
HOLDERS_SHOWN: Final = 20


async def show(visit: Visit) -> GatewayResponse:
    """GET …/roles/{role_id}"""
    return await _show(visit)


async def _show(visit: Visit, errors: Errors | None = None) -> GatewayResponse:
    role, permissions, holders, events = await asyncio.gather(
        visit.call(_reading(visit)),
        role_pages.shown_permissions(visit),
        _holders(visit),
        latest_events(visit, "role_updated"),
    )
    last_event = change_of(role, events, role_id=role.id, kind=kind_of(visit))
    return _render(visit, role, permissions, errors=errors, holders=holders, last_event=last_event)


def _render(
    visit: Visit,
    role: Role,
    permissions: Permissions,
    *,
    holders: Holders | None,
    errors: Errors | None = None,
    last_event: AuditRecord | None = None,
) -> GatewayResponse:
    kind = kind_of(visit)
    is_permissions_form = errors is not None and "permissions_form" in visit.fields
    return visit.show(
        "role.html",
        errors=errors,
        values=visit.fields if errors else {},
        role=role,
        version=form_guard.version(visit, role, errors),
        changed=errors is not None and form_guard.is_outdated(visit, role),
        groups=grouped(role_pages.for_kind(permissions, kind)),
        explanations=EXPLANATIONS,
        checked=role_pages.checked(visit) if is_permissions_form else set(role.permissions),
        fixed=role_pages.has_fixed_permissions(role, kind),
        cursor=visit.fields.text("cursor"),
        more=role_address(visit, kind, role.id, cursor=permissions.next)
        if permissions.next
        else None,
        holders=holders,
        nats=role_nats.typed(visit)
        if errors is not None and role_nats.FORM in visit.fields
        else role_nats.values_of(role),
        last_event=last_event,
        notice=role_pages.notice(visit) if not errors else None,
        api=curl(visit.managed.tenant, "GET", f"/roles/{role.id}"),
        **role_pages.common_variables(visit, kind),
    )


def _reading(visit: Visit) -> GetRole:
    return GetRole(role_id=visit.parameters["role_id"], kind=kind_of(visit))


async def _holders(visit: Visit) -> Holders | None:
    """Returns users with the role. Members of organizations are not listed by their role."""
    if kind_of(visit) == "organization":
        return None
    listing = ListHolders(role_id=visit.parameters["role_id"], limit=HOLDERS_SHOWN)
    return await visit.call(listing)


async def save(visit: Visit) -> GatewayResponse:
    """POST …/roles/{role_id}: the name and the description."""
    role = await visit.call(_reading(visit))
    try:
        changes = RoleChanges(
            name=visit.fields.text("name"), description=visit.fields.text_or_none("description")
        )
    except ValidationError as error:
        return await _show(visit, errors_in(visit, error))
    return await _save(visit, role, changes)


async def save_permissions(visit: Visit) -> GatewayResponse:
    """POST …/roles/{role_id}/permissions: those that the form showed. All others stay, also those that
    this page of the list would show by now."""
    role = await visit.call(_reading(visit))
    shown = set(visit.fields.text("shown").split())
    after = (set(role.permissions) - shown) | role_pages.checked(visit)
    try:
        changes = RoleChanges(permissions=sorted(after))
    except ValidationError as error:
        return await _show(visit, errors_in(visit, error))
    return await _save(visit, role, changes)


async def save_nats(visit: Visit) -> GatewayResponse:
    """POST …/roles/{role_id}/nats: what its users may do on NATS."""
    role = await visit.call(_reading(visit))
    try:
        changes = RoleChanges(nats=role_nats.subjects(role_nats.typed(visit), kind_of(visit)))
    except ValidationError as error:
        return await _show(visit, role_nats.errors_of(visit, error))
    return await _save(visit, role, changes)


async def _save(visit: Visit, role: Role, changes: RoleChanges) -> GatewayResponse:
    """Saves the changes, unless somebody else has changed the role since the form was shown."""
    if not visit.may("roles:write"):
        raise Forbidden
    kind, language = kind_of(visit), visit.open().language
    try:
        form_guard.check(visit, role)
        change = UpdateRole(role_id=role.id, kind=kind, changes=changes)
        await visit.call(change, version=role.version)
    except ChangedMeanwhile:
        return await _show(visit, form_guard.changed_meanwhile(language))
    except Problem as error:
        return await _show(visit, errors_in(visit, error))
    cursor = visit.fields.text("cursor")
    if "matrix" in visit.fields:
        after = visit.fields.text("after")
        return redirect(roles_address(visit, kind, cursor=cursor, after=after, done="saved"))
    return redirect(role_address(visit, kind, role.id, cursor=cursor, done="saved"))


async def delete(visit: Visit) -> GatewayResponse:
    """POST …/roles/{role_id}/delete: after a fresh sign-in."""
    if not visit.may("roles:write"):
        raise Forbidden
    freshness.check(visit.user.caller)
    kind: Kind = kind_of(visit)
    role = await visit.call(_reading(visit))
    if errors := form_guard.name_errors(visit, role.name):
        return await _show(visit, errors)
    try:
        await visit.call(DeleteRole(role_id=role.id, kind=kind))
    except Problem as error:
        return await _show(visit, errors_in(visit, error))
    return redirect(roles_address(visit, kind, done="deleted"))


routes = RouteSet(
    (
        dashboard_page(PATH, show),
        dashboard_form(PATH, save),
        dashboard_form(f"{PATH}/permissions", save_permissions, page_path=PATH),
        dashboard_form(f"{PATH}/nats", save_nats, page_path=PATH),
        dashboard_form(f"{PATH}/delete", delete, page_path=PATH),
    )
)
