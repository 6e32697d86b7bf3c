"""The code and the link of one mail. The code works in every browser. The link works only in the browser
that requested it, and only after a click, because mail scanners open links, too."""

from __future__ import annotations

import re

from pydantic import ValidationError

from common.contracts.email_codes import SignInWithCode, SignInWithLink
from common.contracts.me import VerifyEmail
from common.contracts.sign_in import LinkSpent, OtherBrowser
from common.problems import Problem
from gateway.auth.caller import caller_of, guest_context
from gateway.http import csrf
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages import flow_cookie
from gateway.pages.challenge import attempt
from gateway.pages.fields import Fields, at, form_key
from gateway.pages.form_errors import errors_of
from gateway.pages.page_routes import form_route, page_route
from gateway.pages.render import PageView, open_page
from gateway.pages.sign_in import carried, signed_in
from gateway.routing import RouteSet
from gateway.state import Gateway


def digits(text: str) -> str:
    """Returns the code as it was mailed. A pasted code may have spaces and dashes."""
    return re.sub(r"[\s\-\u2010-\u2015]", "", text)[:20]


async def show(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /login/code"""
    cookie = flow_cookie.read(request)
    if not cookie.flow:
        return redirect(at("/login", **carried(fields)))
    return ask_code(open_page(gateway, request), fields)


def ask_code(
    page: PageView, fields: Fields, errors: dict[str, str] | None = None
) -> GatewayResponse:
    """Shows the form for the code of the mail sent last."""
    cookie, going = flow_cookie.read(page.request), carried(fields)
    methods = page.app.settings.auth_methods
    start = "/signup" if cookie.signing_up else "/login"
    return page.show(
        "code.html",
        address=at("/login/code", **going),
        errors=errors,
        carried=going,
        email=cookie.email,
        signing_up=cookie.signing_up,
        action="/login/code",
        change=at(start, email=cookie.email, **going),
        resend="/signup/code/send" if cookie.signing_up else "/login/code/send",
        with_link="magic_link" in methods,
        with_code="email_code" in methods or cookie.signing_up,
        button=page.translate("Create account") if cookie.signing_up else page.translate("Sign in"),
        **cookie.code_times(),
    )


async def enter(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /login/code"""
    page = open_page(gateway, request)
    try:
        call = SignInWithCode(
            flow=flow_cookie.read(request).flow,
            code=digits(fields.text("code")),
            remember=flow_cookie.read(request).remember,
            idempotency_key=form_key(fields),
            **attempt(gateway, request, fields, page.language.code),
        )
        new_session = await gateway.bus.call(await guest_context(gateway, request), call)
    except ValidationError:
        return redirect(at("/login", **carried(fields)))
    except Problem as error:
        return ask_code(page, fields, errors_of(page.language, error))
    return await signed_in(gateway, request, fields, new_session)


async def link(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /login/link?token="""
    page = open_page(gateway, request)
    cookie = flow_cookie.read(request)
    if not fields.text_or_none("token"):
        return spent(page, at("/login"), page.translate("Sign in"))
    if not csrf.has_browser_id(gateway.settings, request):
        return _elsewhere(page, fields, 200)
    heading = page.translate("Sign in to %(name)s", name=request.app.name)
    button, says = page.translate("Sign in"), page.translate("Click the button to sign in.")
    if cookie.signing_up:
        heading = button = page.translate("Create your account")
        says = page.translate("Click the button to create your account.")
    return page.show(
        "link.html",
        carried={"token": fields.text_or_none("token")},
        action="/login/link",
        heading=heading,
        says=says,
        button=button,
    )


def _elsewhere(page: PageView, fields: Fields, status: int) -> GatewayResponse:
    """The link of a sign-in was opened in another browser than the one that requested it."""
    address = at("/login/link", token=fields.text("token"))
    return other_browser(
        page, status, address, link="/login", button=page.translate("Sign in here")
    )


def other_browser(
    page: PageView, status: int, address: str, *, link: str, button: str
) -> GatewayResponse:
    """Says that the link belongs to another browser. Phones open mailed links in a browser of their own,
    where the code still works. `address` is the page of the mailed link, and `link` leads to a new mail
    for this browser."""
    return page.close(
        page.translate("This is a different browser"),
        page.translate(
            "The link works only in the browser where you requested it. Enter the code from the same "
            "e-mail there, or start again here."
        ),
        status,
        link=link,
        button=button,
        address=address,
    )


async def follow(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /login/link: continues where the user was going when they requested it"""
    page = open_page(gateway, request)
    try:
        call = SignInWithLink(
            token=fields.text("token"),
            remember=flow_cookie.read(request).remember,
            idempotency_key=form_key(fields),
            **attempt(gateway, request, fields, page.language.code),
        )
        new_session = await gateway.bus.call(await guest_context(gateway, request), call)
    except OtherBrowser:
        return _elsewhere(page, fields, 403)
    except (LinkSpent, ValidationError):
        return spent(page, at("/login"), page.translate("Sign in"), address="/login/link")
    return await signed_in(gateway, request, flow_cookie.read(request).onward_fields(), new_session)


def spent(page: PageView, link: str, button: str, *, address: str | None = None) -> GatewayResponse:
    """Says that a link does not work any more. `address` is where a GET says the same, or continues."""
    return page.close(
        page.translate("This link no longer works"),
        page.translate("It was already used or has expired. Request a new one."),
        410,
        link=link,
        button=button,
        address=address,
    )


async def address_link(
    gateway: Gateway, request: GatewayRequest, fields: Fields
) -> GatewayResponse:
    """GET /verify-email?token="""
    page = open_page(gateway, request)
    if not fields.text_or_none("token"):
        return spent(page, "/account", page.translate("Your account"))
    return page.show(
        "link.html",
        carried={"token": fields.text_or_none("token")},
        action="/verify-email",
        heading=page.translate("Confirm your e-mail address"),
        says=page.translate("Click the button to confirm that this address is yours."),
        button=page.translate("Confirm address"),
    )


async def confirm_address(
    gateway: Gateway, request: GatewayRequest, fields: Fields
) -> GatewayResponse:
    """POST /verify-email"""
    page = open_page(gateway, request)
    try:
        await gateway.bus.call(
            request.context(await caller_of(gateway, request)),
            VerifyEmail(token=fields.text("token")),
        )
    except (LinkSpent, OtherBrowser, ValidationError):
        return spent(page, "/account", page.translate("Your account"), address="/verify-email")
    return page.close(
        page.translate("E-mail address confirmed"),
        page.translate("You can close this page."),
        link="/account",
        button=page.translate("Your account"),
    )


routes = RouteSet(
    (
        page_route("/login/code", show, challenged=True),
        form_route("/login/code", enter, challenged=True),
        page_route("/login/link", link),
        form_route("/login/link", follow),
        page_route("/verify-email", address_link),
        form_route("/verify-email", confirm_address),
    )
)
