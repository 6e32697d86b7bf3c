"""Developers, for operators: the list with its search, and a page for each."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from common.contracts.assignments import AssignRole, UnassignRole
from common.contracts.base import Request
from common.contracts.developers import GetDeveloper, GetDeveloperTeams, ListDevelopers
from common.contracts.users import DisableUser, EnableUser
from common.message_ids import N_
from common.operator_rules import ROLE
from common.problems import Problem
from gateway.dashboard.api_call import curl_in_dashboard
from gateway.dashboard.organization_tabs import member_roles
from gateway.dashboard.platform_pages import platform_form, platform_page
from gateway.dashboard.user_errors import user_errors
from gateway.dashboard.users import LONGEST_SEARCH, STATES
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

PATH: Final = "/developers"
ONE: Final = f"{PATH}/{{user_id}}"
READS: Final = "developers:read"
WRITES: Final = "developers:write"
NOTICES: Final = {
    "disabled": N_("Developer disabled. All their sessions have ended."),
    "enabled": N_("Developer enabled. They can sign in again."),
    "added": N_("They are an operator now."),
    "removed": N_("They are no longer an operator."),
}


async def show(visit: Visit) -> GatewayResponse:
    """GET …/developers: the newest first. Filters stand in the address."""
    state = visit.fields.text("state")
    filters = {
        "q": visit.fields.text("q")[:LONGEST_SEARCH] or None,
        "state": state if state in STATES else None,
    }
    query = ListDevelopers(
        search=filters["q"],
        disabled=STATES.get(filters["state"] or ""),
        cursor=visit.fields.text_or_none("cursor"),
    )
    path = f"{visit.home}{PATH}"
    listed = await visit.call(query)
    return visit.show(
        "platform_developers.html",
        part="platform_developers_list.html",
        developers=listed.developers,
        filters=filters,
        link=lambda **changes: at(path, **{**filters, **changes}),
        more=at(path, **filters, cursor=listed.next) if listed.next else None,
        first_page=query.cursor is None,
        api=curl_in_dashboard(
            visit.request.app, "GET", at("/platform/developers", search=filters["q"])
        ),
    )


async def show_one(visit: Visit) -> GatewayResponse:
    """GET …/developers/{user_id}"""
    return await _show_one(visit, None)


async def _show_one(visit: Visit, errors: Errors | None) -> GatewayResponse:
    id = visit.parameters["user_id"]
    developer, teams = await asyncio.gather(
        visit.call(GetDeveloper(user_id=id)), visit.call(GetDeveloperTeams(user_id=id))
    )
    done = NOTICES.get(visit.fields.text("done")) if visit.request.method == "GET" else None
    return visit.show(
        "platform_developer.html",
        developer=developer,
        teams=teams.teams,
        roles=await member_roles(visit),
        applications=teams.applications,
        errors=errors,
        notice=visit.open().translate(done) if done else None,
        base=f"{visit.home}{PATH}/{developer.id}",
        is_self=developer.id == visit.user.session.user_id,
        writes=visit.may(WRITES) and visit.may("users:write"),
        promotes=visit.may("roles:write"),
        address=f"{visit.home}{PATH}/{developer.id}",
        api=curl_in_dashboard(visit.request.app, "GET", f"/platform/developers/{developer.id}"),
    )


async def _act(visit: Visit, call: Request[Any], done: str) -> GatewayResponse:
    """Calls a service and returns to the developer's page. A refusal stands on that page."""
    try:
        await visit.call(call)
    except Problem as error:
        return await _show_one(visit, user_errors(visit, error))
    path = f"{visit.home}{PATH}/{visit.parameters['user_id'].lower()}"
    return redirect(at(path, done=done))


async def disable(visit: Visit) -> GatewayResponse:
    """POST …/developers/{user_id}/disable"""
    return await _act(visit, DisableUser(user_id=visit.parameters["user_id"]), "disabled")


async def enable(visit: Visit) -> GatewayResponse:
    """POST …/developers/{user_id}/enable"""
    return await _act(visit, EnableUser(user_id=visit.parameters["user_id"]), "enabled")


async def add_operator(visit: Visit) -> GatewayResponse:
    """POST …/developers/{user_id}/operator/add"""
    call = AssignRole(user_id=visit.parameters["user_id"], role_id=ROLE)
    return await _act(visit, call, "added")


async def remove_operator(visit: Visit) -> GatewayResponse:
    """POST …/developers/{user_id}/operator/remove. Operators who demote themselves cannot see the page
    any more."""
    call = UnassignRole(user_id=visit.parameters["user_id"], role_id=ROLE)
    response = await _act(visit, call, "removed")
    is_self = call.user_id == visit.user.session.user_id
    return redirect("/dashboard") if is_self and response.status == 303 else response


routes = RouteSet(
    (
        platform_page(PATH, show, needs=READS),
        platform_page(ONE, show_one, needs=READS),
        platform_form(f"{ONE}/disable", disable, page_path=ONE, needs=WRITES),
        platform_form(f"{ONE}/enable", enable, page_path=ONE, needs=WRITES),
        platform_form(
            f"{ONE}/operator/add", add_operator, page_path=ONE, needs="roles:write", fresh=True
        ),
        platform_form(
            f"{ONE}/operator/remove",
            remove_operator,
            page_path=ONE,
            needs="roles:write",
            fresh=True,
        ),
    )
)
