"""The e-mail address of the signed-in user."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from common.contracts.me import ChangeEmail, ConfirmEmail
from common.problems import Problem
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages import flow_cookie
from gateway.pages.account import opened
from gateway.pages.code import digits
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.page_routes import user_form_route, user_page_route
from gateway.pages.render import PageView, open_page
from gateway.routing import RouteSet
from gateway.state import Gateway, SignedInUser


async def email(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /account/email"""
    return _email(open_page(gateway, request, user), fields)


def _email(page: PageView, fields: Fields, flow: str | None = None, **more: Any) -> GatewayResponse:
    mailed = flow_cookie.read(page.request)
    return opened(
        page,
        "email.html",
        "/account",
        fields,
        flow=flow,
        email=mailed.email,
        carried={},
        address="/account/email/code" if flow else "/account/email",
        **mailed.code_times(),
        **more,
    )


async def change_email(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /account/email"""
    page = open_page(gateway, request, user)
    new_email = fields.text("email")
    try:
        call = ChangeEmail(email=new_email)
        flow = await gateway.bus.call(request.context(user.caller), call)
    except (Problem, ValidationError) as error:
        errors = errors_of(page.language, error)
        return _email(page, fields, errors=errors, values={"email": new_email})
    flow_cookie.remember_mail(request, call.email, flow)
    return redirect("/account/email/code")


async def email_code(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /account/email/code"""
    flow = flow_cookie.read(request).flow
    return (
        _email(open_page(gateway, request, user), fields, flow)
        if flow
        else redirect("/account/email")
    )


async def confirm_email(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /account/email/code"""
    page = open_page(gateway, request, user)
    flow = flow_cookie.read(request).flow
    try:
        call = ConfirmEmail(flow=flow, code=digits(fields.text("code")))
        await gateway.bus.call(request.context(user.caller), call)
    except (Problem, ValidationError) as error:
        return _email(page, fields, flow, errors=errors_of(page.language, error))
    flow_cookie.forget(request)
    return redirect(at("/account", done="address"))


routes = RouteSet(
    (
        user_page_route("/account/email", email, fresh=True),
        user_form_route("/account/email", change_email),
        user_page_route("/account/email/code", email_code),
        user_form_route("/account/email/code", confirm_email),
    )
)
