"""The second step of a sign-in: a code of the authenticator app, or a recovery code."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from common.contracts.second_factors import (
    CancelSignIn,
    CompleteSignIn,
    GetSecondFactorChallenge,
    WrongFactorCode,
)
from common.contracts.sessions import NoSession, SecondFactorChallenge
from common.problems import Problem
from gateway.auth import browser_sessions, remembered_devices
from gateway.auth.caller import signed_in_user
from gateway.http import csrf
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import Errors, errors_of
from gateway.pages.page_routes import form_route, page_route
from gateway.pages.render import PageView, open_page
from gateway.pages.sign_in import CHALLENGE_PAGES, carried, destination, signed_in
from gateway.routing import RouteSet
from gateway.state import Gateway

PATH = "/login/second-factor"
RECOVERY = "recovery"


async def waiting(
    gateway: Gateway, request: GatewayRequest, fields: Fields
) -> SecondFactorChallenge | GatewayResponse:
    """Returns what the sign-in of this browser waits for, or the page that says that none does."""
    token = browser_sessions.half_session(gateway, request)
    if token is None:
        user = await signed_in_user(gateway, request)
        return redirect(
            destination(request.app, fields) if user else at("/login", **carried(fields))
        )
    try:
        return await gateway.bus.call(request.context(), GetSecondFactorChallenge(token=token))
    except NoSession:
        return ended(open_page(gateway, request), fields)


def ended(page: PageView, fields: Fields) -> GatewayResponse:
    """Says that the sign-in has ended, and leads to a new one."""
    browser_sessions.forget_half(page.gateway, page.request)
    return page.close(
        page.translate("Sign in again"),
        page.translate("This sign-in took too long, or there were too many wrong codes."),
        410,
        link=at("/login", **carried(fields)),
        button=page.translate("Sign in"),
        primary=True,
        address=at("/login", **carried(fields)),
    )


async def show(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /login/second-factor"""
    challenge = await waiting(gateway, request, fields)
    if isinstance(challenge, GatewayResponse):
        return challenge
    if challenge.kind != "mfa_required":
        return redirect(at(CHALLENGE_PAGES[challenge.kind], **carried(fields)))
    return _ask(open_page(gateway, request), fields, challenge)


def _ask(
    page: PageView,
    fields: Fields,
    challenge: SecondFactorChallenge,
    errors: dict[str, str] | None = None,
) -> GatewayResponse:
    going = carried(fields)
    days = page.app.settings.mfa_remember_device_days
    return page.show(
        "second_factor.html",
        address=at(PATH, use=fields.text_or_none("use"), **going),
        errors=errors,
        action=PATH,
        cancel=f"{PATH}/cancel",
        button=page.translate("Sign in"),
        days=days,
        back=None,
        passkey_path="/api/auth/passkey/second-factor",
        onward=destination(page.app, fields),
        remember_device="remember_device" in fields,
        **choice_of_factor(PATH, challenge.factors, fields, going),
    )


def choice_of_factor(
    path: str, factors: list[Any], fields: Fields, going: dict[str, str | None]
) -> dict[str, Any]:
    """Returns which code the page asks for, and where it asks for the other one."""
    has_app, has_codes = "totp" in factors, "recovery_code" in factors
    wanted = fields.text_or_none("use")
    by_recovery = has_codes and (wanted == RECOVERY or factors == ["recovery_code"])
    by_app = has_app and not by_recovery
    other = None
    if by_recovery and has_app:
        other = at(path, **going)
    elif has_codes and not by_recovery:
        other = at(path, use=RECOVERY, **going)
    return {
        "factors": factors,
        "by_app": by_app,
        "by_recovery": by_recovery,
        "other": other,
        "carried": {**going, "use": RECOVERY if by_recovery else None},
    }


def proof_of(fields: Fields) -> dict[str, str]:
    """Returns the code of a posted form, as the contracts have it."""
    name = "recovery_code" if "recovery_code" in fields else "code"
    return {name: fields.text(name)}


def code_errors(page: PageView, fields: Fields, error: Problem | ValidationError) -> Errors:
    """Returns the sentence beside the field that the form has."""
    if isinstance(error, WrongFactorCode) and "recovery_code" in fields:
        sentence = page.translate("This recovery code is wrong or was already used.")
        return Errors({"recovery_code": sentence})
    return errors_of(page.language, error)


async def enter(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /login/second-factor"""
    page = open_page(gateway, request)
    token = browser_sessions.half_session(gateway, request)
    if token is None:
        return ended(page, fields)
    try:
        call = CompleteSignIn(
            token=token,
            browser=csrf.browser_id(gateway.settings, request),
            remember_device="remember_device" in fields,
            **proof_of(fields),
        )
        done = await gateway.bus.call(request.context(), call)
    except NoSession:
        return ended(page, fields)
    except (Problem, ValidationError) as error:
        errors = code_errors(page, fields, error)
        challenge = await waiting(gateway, request, fields)
        if isinstance(challenge, GatewayResponse):
            return challenge
        return _ask(page, fields, challenge, errors)
    remembered_devices.remember(gateway, request, done.signed_in.full().user_id, done.device)
    return await signed_in(gateway, request, fields, done.signed_in)


async def cancel(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /login/second-factor/cancel"""
    token = browser_sessions.half_session(gateway, request)
    if token is not None:
        await gateway.bus.call(request.context(), CancelSignIn(token=token))
        browser_sessions.forget_half(gateway, request)
    return redirect(at("/login", **carried(fields)))


routes = RouteSet(
    (
        page_route(PATH, show),
        form_route(PATH, enter),
        form_route(f"{PATH}/cancel", cancel, page_path=PATH),
    )
)
