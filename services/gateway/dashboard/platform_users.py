"""Users of all applications, for operators: the search for an address, and support views. The reason is
asked for first, and the logs have it."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from common import freshness
from common.contracts.support_views import (
    MINUTES,
    GetSupportView,
    OpenSupportView,
    SupportViewNotOpen,
)
from common.contracts.user_search import LocatedUsers, SearchUsers
from common.contracts.users import UserNotFound
from common.problems import Problem
from gateway.dashboard.api_call import curl_in_dashboard
from gateway.dashboard.event_lines import line_of
from gateway.dashboard.platform_pages import platform_form, platform_page
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.form_errors import Errors, errors_of
from gateway.routing import RouteSet

PATH: Final = "/users"
VIEW: Final = f"{PATH}/{{application_id}}/{{user_id}}"
EXAMPLE: Final = "Ticket 4711"


async def show(visit: Visit) -> GatewayResponse:
    """GET …/users: the form"""
    return _show(visit)


def _show(
    visit: Visit, located: LocatedUsers | None = None, errors: Errors | None = None
) -> GatewayResponse:
    body = {"email": "ada@example.com", "reason": EXAMPLE}
    return visit.show(
        "platform_users.html",
        located=located,
        errors=errors,
        values={name: visit.fields.text(name) for name in ("email", "reason")},
        form_path=f"{visit.home}{PATH}",
        address=f"{visit.home}{PATH}",
        api=curl_in_dashboard(visit.request.app, "POST", "/platform/user-search", body),
    )


async def search(visit: Visit) -> GatewayResponse:
    """POST …/users: the result is the answer itself, so that the address stands in no URL."""
    try:
        call = SearchUsers(email=visit.fields.text("email"), reason=visit.fields.text("reason"))
        located = await visit.call(call)
    except (Problem, ValidationError) as error:
        return _show(visit, errors=errors_of(visit.open().language, error))
    return _show(visit, located)


async def show_view(visit: Visit) -> GatewayResponse:
    """GET …/users/{application_id}/{user_id}: the data of the user, or the question for a reason. The
    question does not say whether the user exists."""
    call = GetSupportView(**visit.parameters)
    try:
        view = await visit.call(call)
    except SupportViewNotOpen:
        freshness.check(visit.user.caller)  # before they fill in the form, not after
        return _ask(visit)
    return visit.show(
        "platform_support_view.html",
        view=view,
        user=view.user,
        line_of=line_of,
        api=curl_in_dashboard(visit.request.app, "GET", _api_path(visit)),
    )


def _api_path(visit: Visit) -> str:
    return "/platform/support-views/{application_id}/{user_id}".format(**visit.parameters)


def _address(visit: Visit) -> str:
    return f"{visit.home}{PATH}/{{application_id}}/{{user_id}}".format(**visit.parameters).lower()


def _ask(visit: Visit, errors: Errors | None = None) -> GatewayResponse:
    body = {**visit.parameters, "reason": EXAMPLE}
    return visit.show(
        "platform_support_reason.html",
        minutes=MINUTES,
        errors=errors,
        values={"reason": visit.fields.text("reason")},
        form_path=_address(visit),
        address=_address(visit),
        api=curl_in_dashboard(visit.request.app, "POST", "/platform/support-views", body),
    )


async def open_view(visit: Visit) -> GatewayResponse:
    """POST …/users/{application_id}/{user_id}: opens the support view with the reason of the form"""
    GetSupportView(**visit.parameters)  # what is no id is not found
    try:
        await visit.call(OpenSupportView(**visit.parameters, reason=visit.fields.text("reason")))
    except UserNotFound:
        raise
    except (Problem, ValidationError) as error:
        return _ask(visit, errors_of(visit.open().language, error))
    return redirect(_address(visit))


routes = RouteSet(
    (
        platform_page(PATH, show, fresh=True),
        platform_form(PATH, search, fresh=True),
        platform_page(VIEW, show_view),
        platform_form(VIEW, open_view, fresh=True),
    )
)
