"""Acting as a user: the reason is asked for first, and the answer has the link to the application's host."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from common.contracts.impersonation import StartImpersonation
from common.contracts.profiles import User
from common.problems import Forbidden, Problem
from gateway.dashboard.api_call import curl
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.user_errors import user_errors
from gateway.dashboard.user_frame import USER, get_user, show_user
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

PATH: Final = f"{USER}/impersonate"
MINUTES: Final = ("5", "15", "30", "60")


async def ask(visit: Visit) -> GatewayResponse:
    """GET …/users/{user_id}/impersonate"""
    if not visit.may("users:impersonate"):
        raise Forbidden
    user = await visit.call(get_user(visit))
    return _show(visit, user)


def _show(
    visit: Visit, user: User, errors: Errors | None = None, url: str | None = None
) -> GatewayResponse:
    terms = {"reason": "Ticket 4711", "minutes": 15}
    return show_user(
        visit,
        "user_impersonation.html",
        user,
        "",
        errors=errors,
        values={name: visit.fields.text(name) for name in ("reason", "minutes")},
        lengths=MINUTES,
        url=url,
        api=curl(visit.managed.tenant, "POST", f"/users/{user.id}/impersonate", terms),
    )


async def start(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}/impersonate: the policy `form-action` forbids a redirect to the application's
    host, so the answer is a page with the link. It works once, for a minute."""
    if not visit.may("users:impersonate"):
        raise Forbidden
    user = await visit.call(get_user(visit))
    try:
        call = StartImpersonation(
            user_id=user.id,
            reason=visit.fields.text("reason"),
            minutes=visit.fields.text("minutes"),
        )
        impersonation = await visit.call(call)
    except (Problem, ValidationError) as error:
        return _show(visit, user, user_errors(visit, error))
    return _show(visit, user, url=impersonation.url)


routes = RouteSet((dashboard_page(PATH, ask, fresh=True), dashboard_form(PATH, start)))
