"""Signing in: first the address, then what the application asks for.

The answer to an address is the same whether somebody has it or not.
"""

from __future__ import annotations

from typing import Final

from markupsafe import Markup
from pydantic import ValidationError

from common.contracts.email_codes import StartEmailCode
from common.contracts.org_invitations import INVITATION_PATH
from common.contracts.passwords import SignInWithPassword
from common.contracts.sessions import HalfKind, SignedInSession
from common.contracts.sign_in import EmailUnverified, ResetNeeded
from common.contracts.sign_in_route import FindSignInRoute
from common.contracts.tenants import Tenant
from common.problems import Problem
from gateway.auth import browser_sessions
from gateway.auth.caller import guest_context, signed_in_user
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages import default_destination, flow_cookie
from gateway.pages import errors as error_pages
from gateway.pages.challenge import attempt
from gateway.pages.fields import Fields, at, form_key, local
from gateway.pages.form_errors import errors_of
from gateway.pages.page_routes import form_route, page_route
from gateway.pages.render import PageView, open_page
from gateway.pages.sign_in_ways import BY_MAIL, by_mail_label, way_of
from gateway.pages.sso_required import provider_address
from gateway.routing import RouteSet
from gateway.state import Gateway

CHALLENGE_PAGES: Final[dict[HalfKind, str]] = {
    "mfa_required": "/login/second-factor",
    "mfa_setup_required": "/mfa-setup",
}
PASSKEY_OFFER: Final = "/login/passkey-offer"  # after a sign-in with a password


def carried(fields: Fields) -> dict[str, str | None]:
    """Returns the fields that go from page to page: where the user is going, and how to sign in for it."""
    return {name: fields.text_or_none(name) for name in ("request", "return_to", "way")}


def destination(app: Tenant, fields: Fields) -> str:
    """Returns where the user continues after signing in."""
    if pending := fields.text_or_none("request"):
        return at("/oauth2/authorize/resume", request=pending)
    return local(fields.text_or_none("return_to"), default_destination.of(app))


async def signed_in(
    gateway: Gateway, request: GatewayRequest, fields: Fields, new_session: SignedInSession
) -> GatewayResponse:
    """Sets the cookie of a new session and continues. If a second factor is missing, the page that
    asks for it comes first."""
    await browser_sessions.start(gateway, request, new_session)
    if new_session.challenge is not None:
        return redirect(at(CHALLENGE_PAGES[new_session.challenge.kind], **carried(fields)))
    flow_cookie.forget(request)
    if new_session.must_change_password:
        return redirect("/account/password")
    if new_session.offers_passkey and fields.text("has_authenticator") == "1":
        return redirect(at(PASSKEY_OFFER, **carried(fields)))
    return redirect(destination(request.app, fields))


async def address(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /login"""
    if (
        over := await error_pages.sign_in_over(gateway, request, fields.text_or_none("request"))
    ) is not None:
        return over
    page = open_page(gateway, request, await signed_in_user(gateway, request))
    has_account = page.user is not None and not page.user.session.guest
    if has_account and not {"request", "again", "add", "email"} & set(fields):
        return redirect(destination(request.app, fields))
    asked_for = {"again", "add", "email", "login_hint"} & set(fields)
    if (
        not page.user
        and not asked_for
        and await browser_sessions.other_accounts(gateway, request, None)
    ):
        return redirect(at("/accounts", **carried(fields)))
    hint = (
        fields.text_or_none("email")
        or fields.text_or_none("login_hint")
        or flow_cookie.read(request).email
    )
    if not hint and page.user and "again" in fields:
        hint = page.user.session.email or ""
    return _ask_address(page, fields, values={"email": hint})


def _ask_address(page: PageView, fields: Fields, **more: dict[str, str]) -> GatewayResponse:
    settings, going = page.app.settings, carried(fields)
    return page.show(
        "sign_in.html",
        address=at("/login", **going, email=more.get("values", {}).get("email")),
        carried=going | {"again": "1" if page.user and "again" in fields else None},
        client=flow_cookie.read(page.request).client_of(fields),
        mails=way_of(page.app, fields) in BY_MAIL,
        offered=way_of(page.app, fields) is not None or page.request.state.sign_in_by_address,
        work_only=way_of(page.app, fields) is None,
        passkeys="passkey" in settings.auth_methods,
        onward=destination(page.app, fields),
        sign_up=_sign_up(page, fields),
        others=at("/accounts", **going) if page.user else None,
        may_stay=not page.app.is_dashboard,
        stay="remember" in fields and page.request.method == "POST",
        **more,  # type: ignore[arg-type]
    )


async def choose(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /login: on to the provider of the address's organization, or to the password, or a code is
    sent, as the application prefers."""
    page = open_page(gateway, request)
    email = fields.text("email")
    try:
        email = StartEmailCode(email=email).email
    except ValidationError as error:
        errors = errors_of(page.language, error)
        return _ask_address(page, fields, errors=errors, values={"email": email})
    flow_cookie.write(request, email=email, remember="remember" in fields)
    route = await gateway.bus.call(request.context(), FindSignInRoute(email=email))
    if route.idp is not None:
        target = provider_address(route.idp.name, destination(request.app, fields), email=email)
        return redirect(target)
    way = way_of(request.app, fields)
    if way is None:  # the domain decides: nothing is said about accounts
        says = page.translate("No organization signs in with this address. Use another way.")
        return _ask_address(page, fields, errors={"email": says}, values={"email": email})
    if way in BY_MAIL:
        return await send_code(gateway, request, Fields(fields, email=email))
    return redirect(at("/login/password", **carried(fields)))


async def password(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /login/password"""
    if (
        over := await error_pages.sign_in_over(gateway, request, fields.text_or_none("request"))
    ) is not None:
        return over
    email = flow_cookie.read(request).email
    if not email:
        return redirect(at("/login", **carried(fields)))
    return _ask_password(open_page(gateway, request), fields, email)


def _ask_password(
    page: PageView, fields: Fields, email: str, errors: dict[str, str] | None = None
) -> GatewayResponse:
    going = carried(fields)
    forgot = Markup('<a href="%s">%s</a>') % (
        at("/reset", **going),
        page.translate("Forgot password?"),
    )
    return page.show(
        "password.html",
        address=at("/login/password", **going),
        errors=errors,
        carried=going,
        email=email,
        action="/login/password",
        change=at("/login", email=email, **going),
        forgot=forgot,
        by_mail=by_mail_label(page),
        offers_passkey="passkey" in page.app.settings.auth_methods,
        sign_up=_sign_up(page, fields, email=email),
        button=page.translate("Sign in"),
    )


def _sign_up(page: PageView, fields: Fields, **more: str) -> str | None:
    """Returns where to create an account. It does not depend on whether the address has one. In a closed
    application only people whom an organization has invited may create one."""
    path = (fields.text_or_none("return_to") or "").partition("?")[0]
    if page.app.settings.signup_mode == "invite_only" and path != INVITATION_PATH:
        return None
    return at("/signup", **more, **carried(fields))


async def try_password(
    gateway: Gateway, request: GatewayRequest, fields: Fields
) -> GatewayResponse:
    """POST /login/password"""
    page = open_page(gateway, request)
    email = fields.text("email") or flow_cookie.read(request).email
    flow_cookie.write(request, email=email)
    try:
        call = SignInWithPassword(
            email=email,
            password=fields.get("password", ""),
            remember=flow_cookie.read(request).remember,
            idempotency_key=form_key(fields),
            **attempt(gateway, request, fields, page.language.code),
        )
        ctx = await guest_context(gateway, request)
        return await signed_in(gateway, request, fields, await gateway.bus.call(ctx, call))
    except EmailUnverified:
        return await send_code(gateway, request, Fields(fields, email=email))
    except ResetNeeded:
        return redirect(at("/reset", needed="1", **carried(fields)))
    except (Problem, ValidationError) as error:
        return _ask_password(page, fields, email, errors_of(page.language, error))


async def send_code(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /login/code/send"""
    page = open_page(gateway, request)
    email = fields.text("email")
    try:
        call = StartEmailCode(
            email=email,
            **attempt(gateway, request, fields, page.language.code),
        )
        flow = await gateway.bus.call(request.context(), call)
    except (Problem, ValidationError) as error:
        errors = errors_of(page.language, error)
        return _ask_address(page, fields, errors=errors, values={"email": email})
    flow_cookie.remember_mail(request, email, flow, carried(fields))
    return redirect(at("/login/code", **carried(fields)))


routes = RouteSet(
    (
        page_route("/login", address, challenged=True),
        form_route("/login", choose, challenged=True),
        page_route("/login/password", password, challenged=True),
        form_route("/login/password", try_password, challenged=True),
        form_route("/login/code/send", send_code, page_path="/login", challenged=True),
    )
)
