"""The enrolment of a second factor that the application requires, before the session starts."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from pydantic import ValidationError

from common.contracts.second_factors import (
    ConfirmTotpAtSignIn,
    EnrolledTotp,
    FactorNeeded,
    SetUpTotpAtSignIn,
    TotpSetup,
    TotpSetupMissing,
)
from common.contracts.sessions import NoSession, SignedInSession
from common.problems import Problem
from gateway.auth import browser_sessions
from gateway.http import csrf
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.page_routes import form_route, page_route
from gateway.pages.render import PageView, open_page
from gateway.pages.second_factor import PATH as SECOND_FACTOR
from gateway.pages.second_factor import ended, waiting
from gateway.pages.sign_in import carried, destination, signed_in
from gateway.routing import RouteSet
from gateway.state import Gateway

GROUP = 4
"""Characters of the secret that stand together."""


def grouped(secret: str) -> str:
    """Returns a secret in groups, as people copy it."""
    return " ".join(secret[start : start + GROUP] for start in range(0, len(secret), GROUP))


def text_file(page: PageView, codes: list[str]) -> str:
    """Returns the file with recovery codes to download, in base 64."""
    heading = page.translate("Recovery codes for %(name)s", name=page.app.name)
    text = "\r\n".join([heading, "", *codes, ""])
    return b64encode(text.encode()).decode()


async def show(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /mfa-setup"""
    return await _ask(open_page(gateway, request), fields)


async def _ask(
    page: PageView, fields: Fields, errors: dict[str, str] | None = None
) -> GatewayResponse:
    gateway, request = page.gateway, page.request
    challenge = await waiting(gateway, request, fields)
    if isinstance(challenge, GatewayResponse):
        return challenge
    token = browser_sessions.half_session(gateway, request) or ""
    try:
        setup = await gateway.bus.call(request.context(), SetUpTotpAtSignIn(token=token))
    except FactorNeeded:
        return redirect(at(SECOND_FACTOR, **carried(fields)))
    return show_setup(
        page,
        "mfa_setup.html",
        setup,
        carried(fields),
        errors=errors,
        passkeys="passkey" in page.app.settings.auth_methods,
        onward=destination(page.app, fields),
    )


def show_setup(
    page: PageView, template: str, setup: TotpSetup, going: dict[str, str | None], **more: Any
) -> GatewayResponse:
    """Shows the QR code and the field for the first code."""
    return page.show(
        template,
        address=at("/mfa-setup", **going),
        carried=going,
        setup=setup,
        grouped=grouped,
        **more,
    )


async def confirm(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /mfa-setup: shows the recovery codes, and then leads on"""
    page, token = open_page(gateway, request), browser_sessions.half_session(gateway, request)
    if token is None:
        return ended(page, fields)
    try:
        call = ConfirmTotpAtSignIn(
            token=token,
            code=fields.text("code"),
            browser=csrf.browser_id(gateway.settings, request),
        )
        enrolled = await gateway.bus.call(request.context(), call)
    except NoSession:
        return ended(page, fields)
    except (TotpSetupMissing, FactorNeeded):
        return redirect(at("/mfa-setup", **carried(fields)))
    except (Problem, ValidationError) as error:
        return await _ask(page, fields, errors_of(page.language, error))
    assert enrolled.signed_in is not None
    return await enrolment_shown(page, fields, enrolled, enrolled.signed_in)


async def enrolment_shown(
    page: PageView, fields: Fields, enrolled: EnrolledTotp, new_session: SignedInSession
) -> GatewayResponse:
    """Sets the cookie of the new session. Shows the recovery codes first if there are new ones, and then
    leads on."""
    leads_on = await signed_in(page.gateway, page.request, fields, new_session)
    if not enrolled.recovery_codes:
        return leads_on
    onward = (
        "/account/password" if new_session.must_change_password else destination(page.app, fields)
    )
    return page.show(
        "recovery_codes.html",
        address=destination(page.app, fields),
        codes=enrolled.recovery_codes,
        download=text_file(page, enrolled.recovery_codes),
        onward=onward,
    )


routes = RouteSet((page_route("/mfa-setup", show), form_route("/mfa-setup", confirm)))
