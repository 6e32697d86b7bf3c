"""A new password after the old one is forgotten, by code or by link."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from common.contracts.passwords import ResetPassword, StartReset
from common.contracts.sign_in import LinkSpent, OtherBrowser
from common.problems import Problem
from gateway.auth.caller import guest_context
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages import flow_cookie
from gateway.pages.challenge import attempt
from gateway.pages.code import digits, other_browser, spent
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.page_routes import form_route, page_route
from gateway.pages.render import PageView, open_page
from gateway.pages.sign_in import carried, signed_in
from gateway.pages.sign_up import password_hint
from gateway.routing import RouteSet
from gateway.state import Gateway


async def show(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /reset; from a mail with ?token="""
    page = open_page(gateway, request)
    if fields.text_or_none("token"):
        return _choose(page, fields)
    return _ask(page, fields, values={"email": flow_cookie.read(request).email})


def _ask(page: PageView, fields: Fields, **more: Any) -> GatewayResponse:
    going, needed = carried(fields), fields.text_or_none("needed")
    return page.show(
        "reset.html",
        address=at("/reset", needed=needed, **going),
        carried={**going, "needed": needed},
        needed=needed,
        back=at("/login", **going),
        **more,
    )


async def send(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /reset: whatever is known of the address, a mail is on its way"""
    page = open_page(gateway, request)
    email = fields.text("email")
    try:
        call = StartReset(
            email=email,
            **attempt(gateway, request, fields, page.language.code),
        )
        flow = await gateway.bus.call(request.context(), call)
    except (Problem, ValidationError) as error:
        errors = errors_of(page.language, error)
        return _ask(page, fields, errors=errors, values={"email": email})
    flow_cookie.remember_mail(request, email, flow, carried(fields))
    return redirect(at("/reset/code", **carried(fields)))


async def code(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /reset/code"""
    if not flow_cookie.read(request).flow:
        return redirect(at("/reset", **carried(fields)))
    return _choose(open_page(gateway, request), fields)


def _choose(
    page: PageView, fields: Fields, errors: dict[str, str] | None = None
) -> GatewayResponse:
    cookie, token = flow_cookie.read(page.request), fields.text_or_none("token")
    return page.show(
        "new_password.html",
        address=at("/reset" if token else "/reset/code", token=token, **carried(fields)),
        errors=errors,
        values={"code": "" if "code" in (errors or {}) else fields.text("code")},
        carried={**carried(fields), "token": token},
        action="/reset/code",
        flow=None if token else cookie.flow,
        email=cookie.email,
        password_hint=password_hint(page),
        **cookie.code_times(),
    )


async def finish(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /reset/code: with the code, or with the link's token"""
    page = open_page(gateway, request)
    token = fields.text_or_none("token")
    try:
        call = ResetPassword(
            token=token,
            flow=None if token else flow_cookie.read(request).flow,
            code=None if token else digits(fields.text("code")),
            password=fields.get("password", ""),
            **attempt(gateway, request, fields, page.language.code),
        )
        ctx = await guest_context(gateway, request)
        new_session = await gateway.bus.call(ctx, call)
    except OtherBrowser:
        address = at("/reset", token=token)
        return other_browser(
            page, 403, address, link="/reset", button=page.translate("Send a new link")
        )
    except LinkSpent:
        return spent(page, "/reset", page.translate("Send a new link"), address="/reset")
    except (Problem, ValidationError) as error:
        return _choose(page, fields, errors_of(page.language, error))
    return await signed_in(
        gateway,
        request,
        flow_cookie.read(request).onward_fields() if token else fields,
        new_session,
    )


routes = RouteSet(
    (
        page_route("/reset", show, challenged=True),
        form_route("/reset", send, challenged=True),
        page_route("/reset/code", code, challenged=True),
        form_route("/reset/code", finish, challenged=True),
    )
)
