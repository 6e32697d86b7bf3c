"""The code and the link of one mail. The code works anywhere, the link only in the browser that
asked for it, and only after a click: mail scanners open links too."""

from __future__ import annotations

import re

from pydantic import ValidationError
from starlette.responses import Response

from common.contracts.email_codes import SignInWithCode, SignInWithLink
from common.contracts.me import VerifyEmail
from common.contracts.sign_in import LinkSpent, OtherBrowser
from common.problems import Problem
from gateway.auth.caller import caller_of
from gateway.http import csrf
from gateway.http.request import GatewayRequest
from gateway.pages import flow_cookie
from gateway.pages.challenge import attempt
from gateway.pages.endpoint import sent, shown
from gateway.pages.fields import Fields, at, form_key
from gateway.pages.form_errors import errors_of
from gateway.pages.render import Page, go, open_page
from gateway.pages.sign_in import begun, carried


def digits(text: str) -> str:
    """A code as it was sent: pasted ones bring spaces and dashes along."""
    return re.sub(r"[\s\-\u2010-\u2015]", "", text)[:20]


async def show(visit: GatewayRequest, fields: Fields) -> Response:
    """GET /login/code"""
    known = flow_cookie.read(visit)
    if not known.flow:
        return go(at("/login", **carried(fields)))
    return ask_code(open_page(visit), fields)


def ask_code(page: Page, fields: Fields, errors: dict[str, str] | None = None) -> Response:
    """Shows the form for the code of the mail sent last."""
    known, going = flow_cookie.read(page.visit), carried(fields)
    methods = page.app.settings.auth_methods
    start = "/signup" if known.signing_up else "/login"
    return page.show(
        "code.html",
        address=at("/login/code", **going),
        errors=errors,
        carried=going,
        email=known.email,
        signing_up=known.signing_up,
        action="/login/code",
        change=at(start, email=known.email, **going),
        resend="/signup/code/send" if known.signing_up else "/login/code/send",
        with_link="magic_link" in methods,
        with_code="email_code" in methods or known.signing_up,
        button=page.say("Create account") if known.signing_up else page.say("Sign in"),
        **known.code_times(),
    )


async def enter(visit: GatewayRequest, fields: Fields) -> Response:
    """POST /login/code"""
    page = open_page(visit)
    try:
        request = SignInWithCode(
            flow=flow_cookie.read(visit).flow,
            code=digits(fields.text("code")),
            remember=flow_cookie.read(visit).remember,
            idempotency_key=form_key(fields),
            **attempt(visit, fields, page.language.code),
        )
        signed = await visit.gateway.bus.call(visit.context(), request)
    except ValidationError:
        return go(at("/login", **carried(fields)))
    except Problem as error:
        return ask_code(page, fields, errors_of(page.language, error))
    return await begun(visit, fields, signed)


async def link(visit: GatewayRequest, fields: Fields) -> Response:
    """GET /login/link?token="""
    page = open_page(visit)
    known = flow_cookie.read(visit)
    if not fields.given("token"):
        return spent(page, at("/login"), page.say("Sign in"))
    if not csrf.known_browser(visit):
        return _elsewhere(page, fields, 200)
    heading = page.say("Sign in to %(name)s", name=visit.app.name)
    button, says = page.say("Sign in"), page.say("Click the button to sign in.")
    if known.signing_up:
        heading = button = page.say("Create your account")
        says = page.say("Click the button to create your account.")
    return page.show(
        "link.html",
        carried={"token": fields.given("token")},
        action="/login/link",
        heading=heading,
        says=says,
        button=button,
    )


def _elsewhere(page: Page, fields: Fields, status: int) -> Response:
    """The link of a sign-in was opened in another browser than the one that requested it."""
    address = at("/login/link", token=fields.text("token"))
    return other_browser(page, status, address, link="/login", button=page.say("Sign in here"))


def other_browser(page: Page, status: int, address: str, *, link: str, button: str) -> Response:
    """Telephones open mailed links in a browser of their own: the code works anywhere. `address` is
    the page of the mailed link; `link` leads to a new mail for this browser."""
    return page.close(
        page.say("This is a different browser"),
        page.say(
            "The link works only in the browser where you requested it. Enter the code from the same "
            "e-mail there, or start again here."
        ),
        status,
        link=link,
        button=button,
        address=address,
    )


async def follow(visit: GatewayRequest, fields: Fields) -> Response:
    """POST /login/link: on to where the visitor was going when he asked for it"""
    page = open_page(visit)
    try:
        request = SignInWithLink(
            token=fields.text("token"),
            remember=flow_cookie.read(visit).remember,
            idempotency_key=form_key(fields),
            **attempt(visit, fields, page.language.code),
        )
        signed = await visit.gateway.bus.call(visit.context(), request)
    except OtherBrowser:
        return _elsewhere(page, fields, 403)
    except (LinkSpent, ValidationError):
        return spent(page, at("/login"), page.say("Sign in"), address="/login/link")
    return await begun(visit, flow_cookie.read(visit).going(), signed)


def spent(page: Page, link: str, button: str, *, address: str | None = None) -> Response:
    """A link that does not work any more. `address` is where a GET says so, or leads on, too."""
    return page.close(
        page.say("This link no longer works"),
        page.say("It was already used or has expired. Request a new one."),
        410,
        link=link,
        button=button,
        address=address,
    )


async def address_link(visit: GatewayRequest, fields: Fields) -> Response:
    """GET /verify-email?token="""
    page = open_page(visit)
    if not fields.given("token"):
        return spent(page, "/account", page.say("Your account"))
    return page.show(
        "link.html",
        carried={"token": fields.given("token")},
        action="/verify-email",
        heading=page.say("Confirm your e-mail address"),
        says=page.say("Click the button to confirm that this address is yours."),
        button=page.say("Confirm address"),
    )


async def confirm_address(visit: GatewayRequest, fields: Fields) -> Response:
    """POST /verify-email"""
    page = open_page(visit)
    try:
        await visit.gateway.bus.call(
            visit.context(await caller_of(visit)), VerifyEmail(token=fields.text("token"))
        )
    except (LinkSpent, OtherBrowser, ValidationError):
        return spent(page, "/account", page.say("Your account"), address="/verify-email")
    return page.close(
        page.say("E-mail address confirmed"),
        page.say("You can close this page."),
        link="/account",
        button=page.say("Your account"),
    )


ROUTES = [
    shown("/login/code", show, guarded=True),
    sent("/login/code", enter, guarded=True),
    shown("/login/link", link),
    sent("/login/link", follow),
    shown("/verify-email", address_link),
    sent("/verify-email", confirm_address),
]
