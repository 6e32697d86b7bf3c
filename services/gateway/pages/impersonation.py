"""The start of an impersonation by a developer's link, and its end by the button that every page has."""

from __future__ import annotations

from pydantic import ValidationError

from common.contracts.impersonation import (
    ImpersonationOff,
    ImpersonationRefused,
    RedeemImpersonation,
)
from common.contracts.sign_in import LinkSpent
from gateway.auth import browser_sessions
from gateway.auth.caller import user_even_without_rights
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.code import spent
from gateway.pages.fields import Fields
from gateway.pages.form_errors import errors_of
from gateway.pages.page_routes import form_route, page_route
from gateway.pages.render import PageView, open_page
from gateway.routing import RouteSet
from gateway.state import Gateway


async def link(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /impersonation?token=: nothing starts before a click"""
    return _ask(open_page(gateway, request), fields)


def _ask(page: PageView, fields: Fields, errors: dict[str, str] | None = None) -> GatewayResponse:
    if not fields.text_or_none("token"):
        return spent(page, "/account", page.translate("Your account"))
    return page.show(
        "link.html",
        errors=errors,
        address="/impersonation",
        carried={"token": fields.text_or_none("token")},
        action="/impersonation",
        heading=page.translate("Act as a user of %(name)s", name=page.app.name),
        says=page.translate("What you do is recorded. The user can read that you acted, and why."),
        button=page.translate("Act as this user"),
    )


async def redeem(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /impersonation"""
    page = open_page(gateway, request)
    try:
        call = RedeemImpersonation(token=fields.text("token"))
        new_session = await gateway.bus.call(request.context(), call)
    except (LinkSpent, ValidationError):
        return spent(page, "/account", page.translate("Your account"), address="/impersonation")
    except (ImpersonationOff, ImpersonationRefused) as error:
        return _ask(page, fields, errors_of(page.language, error))
    await browser_sessions.start(gateway, request, new_session)
    return redirect("/account")


async def end(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /impersonation/end: the actor continues with their own account, if it is in this browser"""
    user = await user_even_without_rights(gateway, request)
    if user is not None and user.session.actor is not None:
        await browser_sessions.end_impersonation(gateway, request, user.session.actor)
    return redirect("/account")


routes = RouteSet(
    (
        page_route("/impersonation", link),
        form_route("/impersonation", redeem),
        form_route("/impersonation/end", end, page_path="/account"),
    )
)
