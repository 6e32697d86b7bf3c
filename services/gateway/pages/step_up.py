"""Step-up: a signed-in user shows the second factor, for a client (RFC 9470) or before sensitive changes.

A user without any sets one up here, and then continues.
"""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from common.contracts.second_factors import (
    ConfirmFactor,
    ConfirmTotp,
    SecondFactorsOff,
    SetUpTotp,
    TotpSetupMissing,
)
from common.contracts.sessions import FreshSignInNeeded
from common.problems import Problem, Unauthenticated
from common.second_factor_rules import ENROLLED
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.mfa_setup import enrolment_shown, grouped
from gateway.pages.page_routes import user_form_route, user_page_route
from gateway.pages.render import PageView, open_page
from gateway.pages.second_factor import choice_of_factor, code_errors, proof_of
from gateway.pages.sign_in import carried, destination, signed_in
from gateway.routing import RouteSet
from gateway.state import Gateway, SignedInUser

PATH: Final = "/login/step-up"
SETUP_PATH: Final = "/login/step-up/setup"


async def show(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /login/step-up"""
    if not ENROLLED & set(user.session.second_factors):
        return redirect(at(SETUP_PATH, **carried(fields)))
    return _ask(open_page(gateway, request, user), fields, user)


def _ask(
    page: PageView, fields: Fields, user: SignedInUser, errors: dict[str, str] | None = None
) -> GatewayResponse:
    going = carried(fields)
    return page.show(
        "second_factor.html",
        address=at(PATH, use=fields.text_or_none("use"), **going),
        errors=errors,
        action=PATH,
        cancel=None,
        button=page.translate("Confirm"),
        days=0,
        back=_back(page, fields),
        passkey_path="/api/auth/passkey/confirm",
        onward=destination(page.app, fields),
        **choice_of_factor(PATH, list(user.session.second_factors), fields, going),
    )


def _back(page: PageView, fields: Fields) -> str | None:
    """Returns where a user continues who does not show the factor: the client decides then."""
    return destination(page.app, fields) if fields.text_or_none("request") else None


async def enter(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /login/step-up"""
    page = open_page(gateway, request, user)
    try:
        call = ConfirmFactor(**proof_of(fields))
        again = await gateway.bus.call(request.context(user.caller), call)
    except Unauthenticated:
        raise
    except (Problem, ValidationError) as error:
        return _ask(page, fields, user, code_errors(page, fields, error))
    return await signed_in(gateway, request, fields, again)


async def set_up(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /login/step-up/setup"""
    if ENROLLED & set(user.session.second_factors):
        return redirect(at(PATH, **carried(fields)))
    return await _ask_setup(open_page(gateway, request, user), fields, user)


async def _ask_setup(
    page: PageView, fields: Fields, user: SignedInUser, errors: dict[str, str] | None = None
) -> GatewayResponse:
    try:
        setup = await page.gateway.bus.call(page.request.context(user.caller), SetUpTotp())
    except SecondFactorsOff:
        return redirect(destination(page.app, fields))
    return page.show(
        "step_up_setup.html",
        address=at(SETUP_PATH, **carried(fields)),
        carried=carried(fields),
        setup=setup,
        grouped=grouped,
        errors=errors,
        action=SETUP_PATH,
        back=_back(page, fields),
    )


async def finish_setup(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /login/step-up/setup: shows the recovery codes, and then leads on"""
    page = open_page(gateway, request, user)
    try:
        call = ConfirmTotp(code=fields.text("code"))
        enrolled = await gateway.bus.call(request.context(user.caller), call)
    except (SecondFactorsOff, TotpSetupMissing):
        return redirect(at(PATH, **carried(fields)))
    except (FreshSignInNeeded, Unauthenticated):
        raise
    except (Problem, ValidationError) as error:
        return await _ask_setup(page, fields, user, errors_of(page.language, error))
    assert enrolled.signed_in is not None
    return await enrolment_shown(page, fields, enrolled, enrolled.signed_in)


routes = RouteSet(
    (
        user_page_route(PATH, show),
        user_form_route(PATH, enter),
        user_page_route(SETUP_PATH, set_up),
        user_form_route(SETUP_PATH, finish_setup),
    )
)
