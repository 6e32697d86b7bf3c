"""Signing in: first the address, then what the application asks for.

The answer to an address is the same whether somebody has it or not.
"""

from __future__ import annotations

from typing import Final

from markupsafe import Markup
from pydantic import ValidationError
from starlette.responses import Response

from common.contracts.email_codes import StartEmailCode
from common.contracts.me import GetMe
from common.contracts.org_invitations import INVITATION_PATH
from common.contracts.passwords import Reauthenticate, SignInWithPassword
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import EmailUnverified, ResetNeeded
from common.contracts.tenants import Tenant
from common.problems import Problem
from gateway.auth import browser_sessions as browser
from gateway.auth.caller import session_of
from gateway.http.request import GatewayRequest
from gateway.pages import errors as error_pages
from gateway.pages import flow_cookie
from gateway.pages.challenge import attempt
from gateway.pages.endpoint import own, sent, shown
from gateway.pages.fields import Fields, at, form_key, local
from gateway.pages.form_errors import errors_of
from gateway.pages.render import Page, go, open_page
from gateway.state import Signed

BY_MAIL: Final = {"email_code", "magic_link"}


def carried(fields: Fields) -> dict[str, str | None]:
    """Where the visitor is going, from page to page, and how he has to sign in for it."""
    return {name: fields.given(name) for name in ("request", "return_to", "way")}


def destination(fields: Fields) -> str:
    """Where whoever has signed in goes on."""
    if pending := fields.given("request"):
        return at("/oauth2/authorize/resume", request=pending)
    return local(fields.given("return_to"), "/account")


async def begun(visit: GatewayRequest, fields: Fields, signed: SignedInSession) -> Response:
    """A session has begun."""
    await browser.begin(visit, signed)
    flow_cookie.forget(visit)
    if signed.must_change_password:
        return go("/account/password")
    return go(destination(fields))


async def address(visit: GatewayRequest, fields: Fields) -> Response:
    """GET /login"""
    if (over := await error_pages.sign_in_over(visit, fields.given("request"))) is not None:
        return over
    page = open_page(visit, await session_of(visit))
    if page.signed and not {"request", "again", "add", "email"} & set(fields):
        return go(destination(fields))
    asked_for = {"again", "add", "email", "login_hint"} & set(fields)
    if not page.signed and not asked_for and await browser.others(visit, None):
        return go(at("/accounts", **carried(fields)))
    hint = fields.given("email") or fields.given("login_hint") or flow_cookie.read(visit).email
    if not hint and page.signed and "again" in fields:
        hint = page.signed.session.email or ""
    return _ask_address(page, fields, values={"email": hint})


def _ask_address(page: Page, fields: Fields, **more: dict[str, str]) -> Response:
    settings, going = page.app.settings, carried(fields)
    return page.show(
        "sign_in.html",
        address=at("/login", **going, email=more.get("values", {}).get("email")),
        carried=going,
        client=flow_cookie.read(page.visit).client_of(fields),
        mails=_way(page.app, fields) in BY_MAIL,
        offered=bool({"password"} | BY_MAIL & set(settings.auth_methods)),
        sign_up=_sign_up(page, fields),
        others=at("/accounts", **going) if page.signed else None,
        may_stay=not page.app.is_dashboard,
        stay="remember" in fields and page.visit.method == "POST",
        **more,  # type: ignore[arg-type]
    )


def _way(app: Tenant, fields: Fields) -> str:
    """How to sign in, of what these pages can do: as the client that sent the visitor wants it,
    else as the application would rather have it."""
    ways = [way for way in app.settings.auth_methods if way == "password" or way in BY_MAIL]
    wanted = {"password": {"password"}, "mail": BY_MAIL}.get(fields.given("way") or "", set())
    return next((way for way in ways if way in wanted), ways[0] if ways else "password")


async def choose(visit: GatewayRequest, fields: Fields) -> Response:
    """POST /login: on to the password, or a code is sent, as the application prefers."""
    page = open_page(visit)
    email = fields.text("email")
    try:
        email = StartEmailCode(email=email).email
    except ValidationError as error:
        errors = errors_of(page.language, error)
        return _ask_address(page, fields, errors=errors, values={"email": email})
    flow_cookie.write(visit, email=email, remember="remember" in fields)
    if _way(visit.app, fields) in BY_MAIL:
        return await send_code(visit, Fields(fields, email=email))
    return go(at("/login/password", **carried(fields)))


async def password(visit: GatewayRequest, fields: Fields) -> Response:
    """GET /login/password"""
    if (over := await error_pages.sign_in_over(visit, fields.given("request"))) is not None:
        return over
    email = flow_cookie.read(visit).email
    if not email:
        return go(at("/login", **carried(fields)))
    return _ask_password(open_page(visit), fields, email)


def _ask_password(
    page: Page, fields: Fields, email: str, errors: dict[str, str] | None = None
) -> Response:
    going = carried(fields)
    forgot = Markup('<a href="%s">%s</a>') % (at("/reset", **going), page.say("Forgot password?"))
    return page.show(
        "password.html",
        address=at("/login/password", **going),
        errors=errors,
        carried=going,
        email=email,
        action="/login/password",
        change=at("/login", email=email, **going),
        forgot=forgot,
        by_mail=_by_mail(page),
        sign_up=_sign_up(page, fields, email=email),
        button=page.say("Sign in"),
    )


def _sign_up(page: Page, fields: Fields, **more: str) -> str | None:
    """Where to create an account; the same whether the address has one, so it tells nothing. In a
    closed application only people whom an organization has invited may."""
    path = (fields.given("return_to") or "").partition("?")[0]
    if page.app.settings.signup_mode == "invite_only" and path != INVITATION_PATH:
        return None
    return at("/signup", **more, **carried(fields))


def _by_mail(page: Page) -> str | None:
    """What the other button says, where there is another way."""
    methods = page.app.settings.auth_methods
    if "email_code" in methods:
        return str(page.say("E-mail me a code instead"))
    return str(page.say("E-mail me a link instead")) if "magic_link" in methods else None


async def try_password(visit: GatewayRequest, fields: Fields) -> Response:
    """POST /login/password"""
    page = open_page(visit)
    email = fields.text("email") or flow_cookie.read(visit).email
    flow_cookie.write(visit, email=email)
    try:
        request = SignInWithPassword(
            email=email,
            password=fields.get("password", ""),
            remember=flow_cookie.read(visit).remember,
            idempotency_key=form_key(fields),
            **attempt(visit, fields, page.language.code),
        )
        return await begun(visit, fields, await visit.gateway.bus.call(visit.context(), request))
    except EmailUnverified:
        return await send_code(visit, Fields(fields, email=email))
    except ResetNeeded:
        return go(at("/reset", needed="1", **carried(fields)))
    except (Problem, ValidationError) as error:
        return _ask_password(page, fields, email, errors_of(page.language, error))


async def send_code(visit: GatewayRequest, fields: Fields) -> Response:
    """POST /login/code/send"""
    page = open_page(visit)
    email = fields.text("email")
    try:
        request = StartEmailCode(
            email=email,
            **attempt(visit, fields, page.language.code),
        )
        flow = await visit.gateway.bus.call(visit.context(), request)
    except (Problem, ValidationError) as error:
        errors = errors_of(page.language, error)
        return _ask_address(page, fields, errors=errors, values={"email": email})
    flow_cookie.mailed(visit, email, flow, carried(fields))
    return go(at("/login/code", **carried(fields)))


async def confirm(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """GET /login/confirm: that it is really you, before what matters"""
    ctx = visit.context(signed.caller)
    me = await visit.gateway.bus.call(ctx, GetMe())
    if not me.has_password:
        return go(at("/login", again="1", email=me.email, return_to=fields.given("return_to")))
    return _ask_confirmation(open_page(visit, signed), fields, me.email or "")


def _ask_confirmation(
    page: Page, fields: Fields, email: str, errors: dict[str, str] | None = None
) -> Response:
    return page.show(
        "password.html",
        address=at("/login/confirm", return_to=fields.given("return_to")),
        errors=errors,
        carried={"return_to": fields.given("return_to")},
        email=email,
        action="/login/confirm",
        change=at("/login", add="1"),
        forgot=None,
        by_mail=None,
        sign_up=None,
        button=page.say("Confirm"),
    )


async def try_confirmation(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """POST /login/confirm"""
    page = open_page(visit, signed)
    try:
        request = Reauthenticate(password=fields.get("password", ""))
        again = await visit.gateway.bus.call(visit.context(signed.caller), request)
    except (Problem, ValidationError) as error:
        errors = errors_of(page.language, error)
        return _ask_confirmation(page, fields, signed.session.email or "", errors)
    return await begun(visit, fields, again)


ROUTES = [
    shown("/login", address, guarded=True),
    sent("/login", choose, guarded=True),
    shown("/login/password", password, guarded=True),
    sent("/login/password", try_password, guarded=True),
    sent("/login/code/send", send_code, guarded=True),
    shown("/login/confirm", own(confirm)),
    sent("/login/confirm", own(try_confirmation)),
]
