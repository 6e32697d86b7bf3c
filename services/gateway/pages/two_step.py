"""Two-step verification in the account: the authenticator app, recovery codes, remembered devices."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from common.contracts.second_factors import (
    ConfirmTotp,
    DeviceNotFound,
    EnrolledTotp,
    GetSecondFactors,
    LastSecondFactor,
    NoSecondFactor,
    RegenerateRecoveryCodes,
    RemoveTotp,
    RevokeDevice,
    SecondFactorsOff,
    SetUpTotp,
    TotpNotFound,
    TotpSetupMissing,
)
from common.contracts.sessions import FreshSignInNeeded
from common.problems import Problem, Unauthenticated
from gateway.auth import browser_sessions
from gateway.auth.cache import session_by_token
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.account import opened
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.mfa_setup import grouped, text_file
from gateway.pages.page_routes import user_form_route, user_page_route
from gateway.pages.render import PageView, open_page
from gateway.routing import RouteSet
from gateway.state import Gateway, SignedInUser

HERE = "/account/two-step"
APP = "/account/two-step/app"
DEVICES = "/account/devices"


async def show(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /account/two-step"""
    return await _overview(open_page(gateway, request, user), fields, user)


async def _overview(
    page: PageView, fields: Fields, user: SignedInUser, **more: Any
) -> GatewayResponse:
    ctx = page.request.context(user.caller)
    factors = await page.gateway.bus.call(ctx, GetSecondFactors())
    offered = page.app.settings.mfa_policy != "off"
    return opened(page, "two_step.html", HERE, fields, factors=factors, offered=offered, **more)


async def change(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /account/two-step: turns the app off, or creates recovery codes"""
    page, ctx = open_page(gateway, request, user), request.context(user.caller)
    try:
        if fields.text("action") == "codes":
            created = await gateway.bus.call(ctx, RegenerateRecoveryCodes())
            return _codes(page, fields, created.recovery_codes)
        if fields.text("action") == "off":
            await gateway.bus.call(ctx, RemoveTotp())
            return redirect(at(HERE, done="two_step_off"))
    except (TotpNotFound, LastSecondFactor, NoSecondFactor) as error:
        errors = errors_of(page.language, error)
        return await _overview(page, fields, user, errors=errors)
    return redirect(HERE)


def _codes(
    page: PageView, fields: Fields, codes: list[str], *, turned_on: bool = False
) -> GatewayResponse:
    return opened(
        page,
        "recovery_codes.html",
        HERE,
        fields,
        codes=codes,
        download=text_file(page, codes),
        onward=HERE,
        turned_on=turned_on,
    )


async def app(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /account/two-step/app: the same secret, as often as this session asks"""
    return await _set_up(open_page(gateway, request, user), fields, user)


async def _set_up(
    page: PageView, fields: Fields, user: SignedInUser, **more: Any
) -> GatewayResponse:
    try:
        setup = await page.gateway.bus.call(page.request.context(user.caller), SetUpTotp())
    except SecondFactorsOff:
        return redirect(HERE)
    return opened(
        page,
        "authenticator_app.html",
        HERE,
        fields,
        address=APP,
        setup=setup,
        grouped=grouped,
        carried={},
        **more,
    )


async def confirm(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /account/two-step/app"""
    page = open_page(gateway, request, user)
    try:
        call = ConfirmTotp(code=fields.text("code"))
        enrolled = await gateway.bus.call(request.context(user.caller), call)
    except (SecondFactorsOff, TotpSetupMissing):
        return redirect(APP)
    except (FreshSignInNeeded, Unauthenticated):
        raise
    except (Problem, ValidationError) as error:
        return await _set_up(page, fields, user, errors=errors_of(page.language, error))
    return await _turned_on(page, fields, enrolled)


async def _turned_on(page: PageView, fields: Fields, enrolled: EnrolledTotp) -> GatewayResponse:
    """Sets the cookie of the new session, and shows the recovery codes in it."""
    assert enrolled.signed_in is not None
    await browser_sessions.start(page.gateway, page.request, enrolled.signed_in)
    if not enrolled.recovery_codes:
        return redirect(at(HERE, done="two_step"))
    page.user = await session_by_token(page.gateway, page.request, enrolled.signed_in.token)
    return _codes(page, fields, enrolled.recovery_codes, turned_on=True)


async def devices(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /account/devices"""
    return await _devices(open_page(gateway, request, user), fields, user)


async def _devices(
    page: PageView, fields: Fields, user: SignedInUser, **more: Any
) -> GatewayResponse:
    ctx = page.request.context(user.caller)
    listed = (await page.gateway.bus.call(ctx, GetSecondFactors())).devices
    return opened(page, "devices.html", HERE, fields, address=DEVICES, devices=listed, **more)


async def forget(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /account/devices"""
    page = open_page(gateway, request, user)
    try:
        call = RevokeDevice(device_id=fields.text("device_id"))
        await gateway.bus.call(request.context(user.caller), call)
    except DeviceNotFound as error:
        return await _devices(page, fields, user, errors=errors_of(page.language, error))
    return redirect(at(DEVICES, done="forgotten"))


routes = RouteSet(
    (
        user_page_route(HERE, show),
        user_form_route(HERE, change),
        user_page_route(APP, app),
        user_form_route(APP, confirm),
        user_page_route(DEVICES, devices),
        user_form_route(DEVICES, forget),
    )
)
