"""Confirming a sign-in before sensitive changes: with the second factor if the user is asked for one,
else with a passkey, the password, a provider, or a mailed code. The session stays that of this user."""

from __future__ import annotations

import asyncio
from typing import Final

from pydantic import ValidationError

from common.contracts.email_codes import ConfirmWithCode, StartEmailCode
from common.contracts.identities import Identity, ListMyIdentities
from common.contracts.identity_providers import ProviderNotFound
from common.contracts.me import GetMe
from common.contracts.passwords import Reauthenticate
from common.contracts.provider_sign_in import ProviderAway
from common.contracts.sign_in import MethodOff
from common.problems import Problem
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages import flow_cookie, provider_confirmation
from gateway.pages.challenge import attempt
from gateway.pages.code import digits
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.page_routes import user_form_route, user_page_route
from gateway.pages.render import PageView, open_page
from gateway.pages.sign_in import destination, signed_in
from gateway.pages.step_up import PATH as STEP_UP
from gateway.routing import RouteSet
from gateway.state import Gateway, SignedInUser

PATH: Final = "/login/confirm"
PROVIDER: Final = f"{PATH}/provider"
SEND: Final = f"{PATH}/send"
CODE: Final = f"{PATH}/code"
REFUSALS: Final = (MethodOff, ProviderNotFound, ProviderAway)


def _going(fields: Fields) -> dict[str, str | None]:
    return {"return_to": fields.text_or_none("return_to")}


async def confirm(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /login/confirm: that it is really you, before what matters"""
    if user.caller.two_factors:
        return redirect(at(STEP_UP, **_going(fields)))
    return await _ask(open_page(gateway, request, user), fields, user)


async def _ask(
    page: PageView, fields: Fields, user: SignedInUser, errors: dict[str, str] | None = None
) -> GatewayResponse:
    """Shows every way in which this user can confirm. If there is none, they sign in again."""
    ctx, methods = page.request.context(user.caller), page.app.settings.auth_methods
    me, providers = await asyncio.gather(
        page.gateway.bus.call(ctx, GetMe()), _providers(page, user)
    )
    by_mail = not me.has_password and me.email is not None and "email_code" in methods
    going = _going(fields)
    has_passkey = "passkey" in user.session.second_factors
    again = at("/login", again="1", email=me.email, **going)
    if not (me.has_password or providers or by_mail or has_passkey or errors):
        return redirect(again)
    return page.show(
        "confirm.html",
        address=at(PATH, **going),
        errors=errors,
        carried=going,
        email=me.email or "",
        has_password=me.has_password,
        has_passkey=has_passkey,
        providers=providers,
        by_mail=by_mail,
        again=None if me.has_password or by_mail else again,
        onward=destination(page.app, fields),
    )


async def _providers(page: PageView, user: SignedInUser) -> list[Identity]:
    """Returns the user's connected accounts that can confirm who they are, one of each provider."""
    if "oauth" not in page.app.settings.auth_methods:
        return []
    reply = await page.gateway.bus.call(page.request.context(user.caller), ListMyIdentities())
    able = {one.provider_name: one for one in reply.identities if one.can_confirm}
    return list(able.values())


async def try_password(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /login/confirm"""
    page = open_page(gateway, request, user)
    try:
        call = Reauthenticate(password=fields.get("password", ""))
        again = await gateway.bus.call(request.context(user.caller), call)
    except (Problem, ValidationError) as error:
        return await _ask(page, fields, user, errors_of(page.language, error))
    return await signed_in(gateway, request, fields, again)


async def to_provider(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /login/confirm/provider: to the provider, which asks its user to sign in"""
    page = open_page(gateway, request, user)
    try:
        return await provider_confirmation.to_provider(
            page, user, fields.text("idp"), destination(request.app, fields)
        )
    except ValidationError:
        return redirect(at(PATH, **_going(fields)))
    except REFUSALS as error:
        return await _ask(page, fields, user, errors_of(page.language, error))


async def send(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /login/confirm/send: mails a code to the user's own address. The form names none."""
    page = open_page(gateway, request, user)
    ctx = request.context(user.caller)
    me = await gateway.bus.call(ctx, GetMe())
    if me.email is None:
        return redirect(at(PATH, **_going(fields)))
    try:
        facts = attempt(gateway, request, fields, page.language.code)
        flow = await gateway.bus.call(ctx, StartEmailCode(email=me.email, **facts))
    except (Problem, ValidationError) as error:
        return await _ask(page, fields, user, errors_of(page.language, error))
    flow_cookie.remember_mail(request, me.email, flow, _going(fields))
    return redirect(at(CODE, **_going(fields)))


async def code(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /login/confirm/code"""
    if not flow_cookie.read(request).flow:
        return redirect(at(PATH, **_going(fields)))
    return _ask_code(open_page(gateway, request, user), fields)


def _ask_code(
    page: PageView, fields: Fields, errors: dict[str, str] | None = None
) -> GatewayResponse:
    cookie, going = flow_cookie.read(page.request), _going(fields)
    return page.show(
        "code.html",
        address=at(CODE, **going),
        errors=errors,
        carried=going,
        email=cookie.email,
        signing_up=False,
        own_address=True,
        action=CODE,
        change=None,
        resend=SEND,
        with_link=False,
        with_code=True,
        button=page.translate("Confirm"),
        **cookie.code_times(),
    )


async def enter_code(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /login/confirm/code"""
    page = open_page(gateway, request, user)
    try:
        call = ConfirmWithCode(
            flow=flow_cookie.read(request).flow, code=digits(fields.text("code"))
        )
        again = await gateway.bus.call(request.context(user.caller), call)
    except ValidationError:
        return redirect(at(PATH, **_going(fields)))
    except Problem as error:
        return _ask_code(page, fields, errors_of(page.language, error))
    return await signed_in(gateway, request, fields, again)


routes = RouteSet(
    (
        user_page_route(PATH, confirm, challenged=True),
        user_form_route(PATH, try_password, challenged=True),
        user_form_route(PROVIDER, to_provider, page_path=PATH, challenged=True),
        user_form_route(SEND, send, page_path=PATH, challenged=True),
        user_page_route(CODE, code, challenged=True),
        user_form_route(CODE, enter_code, challenged=True),
    )
)
