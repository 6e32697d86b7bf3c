"""Confirming a sign-in before sensitive changes: with the second factor if the user is asked for one,
else with the password. Users without a password sign in again: by mail, with a passkey, or with a provider
that says when it asked them."""

from __future__ import annotations

from pydantic import ValidationError

from common.contracts.me import GetMe
from common.contracts.passwords import Reauthenticate
from common.problems import Problem
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.page_routes import user_form_route, user_page_route
from gateway.pages.render import PageView, open_page
from gateway.pages.sign_in import destination, signed_in
from gateway.pages.step_up import PATH as STEP_UP
from gateway.routing import RouteSet
from gateway.state import Gateway, SignedInUser


async def confirm(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /login/confirm: that it is really you, before what matters"""
    if user.caller.two_factors:
        return redirect(at(STEP_UP, return_to=fields.text_or_none("return_to")))
    ctx = request.context(user.caller)
    me = await gateway.bus.call(ctx, GetMe())
    if not me.has_password:
        return redirect(
            at("/login", again="1", email=me.email, return_to=fields.text_or_none("return_to"))
        )
    return _ask_confirmation(open_page(gateway, request, user), fields, me.email or "")


def _ask_confirmation(
    page: PageView, fields: Fields, email: str, errors: dict[str, str] | None = None
) -> GatewayResponse:
    return page.show(
        "password.html",
        address=at("/login/confirm", return_to=fields.text_or_none("return_to")),
        errors=errors,
        carried={"return_to": fields.text_or_none("return_to")},
        email=email,
        action="/login/confirm",
        change=at("/login", add="1"),
        forgot=None,
        by_mail=None,
        sign_up=None,
        offers_passkey=False,
        passkey_confirms=page.user is not None and "passkey" in page.user.session.second_factors,
        onward=destination(fields),
        button=page.translate("Confirm"),
    )


async def try_confirmation(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /login/confirm"""
    page = open_page(gateway, request, user)
    try:
        call = Reauthenticate(password=fields.get("password", ""))
        again = await gateway.bus.call(request.context(user.caller), call)
    except (Problem, ValidationError) as error:
        errors = errors_of(page.language, error)
        return _ask_confirmation(page, fields, user.session.email or "", errors)
    return await signed_in(gateway, request, fields, again)


routes = RouteSet(
    (
        user_page_route("/login/confirm", confirm),
        user_form_route("/login/confirm", try_confirmation),
    )
)
