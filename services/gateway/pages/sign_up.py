"""A new account: by oneself, by an invitation, or as the first operator of this deployment."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from pydantic import ValidationError

from common.contracts.invitations import AcceptInvitation, GetInvitation
from common.contracts.org_invitations import INVITATION_PATH
from common.contracts.owner import ClaimOwner, GetOwnerLink
from common.contracts.sign_in import CodeSpent, LinkSpent
from common.contracts.sign_up import ResendSignUp, SignUp
from common.contracts.users import EmailTaken
from common.problems import Problem
from gateway.auth.caller import guest_context
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages import errors as error_pages
from gateway.pages import flow_cookie, passkey_rules
from gateway.pages.challenge import attempt
from gateway.pages.code import ask_code, spent
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.page_routes import form_route, page_route
from gateway.pages.render import PageView, open_page
from gateway.pages.sign_in import carried, signed_in
from gateway.pages.sign_in_ways import BY_MAIL
from gateway.routing import RouteSet
from gateway.state import Gateway


def _ask(
    page: PageView, action: str, errors: dict[str, str] | None = None, **more: Any
) -> GatewayResponse:
    methods = set(page.app.settings.auth_methods)
    choices = {
        "says": None,
        "closed": None,
        "fixed_email": None,
        "with_password": "password" in methods,
        "without_too": bool(BY_MAIL & methods),
        "password_hint": password_hint(page),
        "sign_in": None,
        "with_passkey": False,
        "button": page.translate("Create account"),
    }
    address = at(action, **more["carried"], email=more.get("values", {}).get("email"))
    return page.show(
        "sign_up.html", errors=errors, address=address, action=action, **{**choices, **more}
    )


def password_hint(page: PageView) -> str:
    return page.language.count(
        "At least %(num)d character. Several unrelated words make a strong password.",
        "At least %(num)d characters. Several unrelated words make a strong password.",
        page.app.settings.password_min_length,
    )


async def show(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /signup"""
    if (
        over := await error_pages.sign_in_over(gateway, request, fields.text_or_none("request"))
    ) is not None:
        return over
    hint = fields.text_or_none("email") or flow_cookie.read(request).email
    return show_sign_up(open_page(gateway, request), fields, values={"email": hint})


def show_sign_up(page: PageView, fields: Fields, **more: Any) -> GatewayResponse:
    """Shows the form for a new account."""
    closed = None
    if page.app.settings.signup_mode == "invite_only" and invitation_token(fields) is None:
        closed = page.translate(
            "You need an invitation to create an account here. Ask the people who run this site."
        )
    return _ask(
        page,
        "/signup",
        heading=page.own_text("sign_up_heading", page.translate("Create an account")),
        says=page.own_text("sign_up_text"),
        carried=carried(fields),
        closed=closed,
        sign_in=at("/login", **carried(fields)),
        with_passkey=passkey_rules.offer_sign_up(page.app.settings),
        **more,
    )


async def begin(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /signup: whatever is known of the address, a mail is on its way"""
    page = open_page(gateway, request)
    email, name = fields.text("email"), fields.text_or_none("name")
    try:
        call = SignUp(
            email=email,
            password=fields.get("password") or None,
            name=name,
            **attempt(gateway, request, fields, page.language.code),
            invitation=invitation_token(fields)
            if page.app.settings.signup_mode != "open"
            else None,
        )
        flow = await gateway.bus.call(request.context(), call)
    except (Problem, ValidationError) as error:
        values = {"email": email, "name": name or ""}
        errors = errors_of(page.language, error)
        return show_sign_up(page, fields, errors=errors, values=values)
    flow_cookie.remember_mail(request, email, flow, carried(fields), signing_up=True)
    return redirect(at("/login/code", **carried(fields)))


async def send_again(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /signup/code/send: another mail, with everything that was entered"""
    page, cookie = open_page(gateway, request), flow_cookie.read(request)
    try:
        call = ResendSignUp(
            flow=cookie.flow, **attempt(gateway, request, fields, page.language.code)
        )
        flow = await gateway.bus.call(request.context(), call)
    except (CodeSpent, ValidationError):
        says = page.translate("This sign-up is finished or has expired. Enter your details again.")
        return show_sign_up(page, fields, errors={"": says}, values={"email": cookie.email})
    except Problem as error:
        return ask_code(page, fields, errors_of(page.language, error))
    flow_cookie.remember_mail(request, cookie.email, flow, carried(fields), signing_up=True)
    return redirect(at("/login/code", **carried(fields)))


def invitation_token(fields: Fields) -> str | None:
    """Returns the token of an organization's invitation, if the user accepts it after signing up."""
    path, _, asked = (fields.text_or_none("return_to") or "").partition("?")
    tokens = parse_qs(asked).get("token", [])
    return tokens[0] if path == INVITATION_PATH and tokens else None


def _spent(page: PageView, fields: Fields, path: str) -> GatewayResponse:
    """The link of the mail, or of `aero2 up`, does not work any more."""
    address = at(path, token=fields.text("token"))
    return spent(page, "/login", page.translate("Sign in"), address=address)


async def invitation(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /invitation?token="""
    return await _invitation(open_page(gateway, request), fields)


async def _invitation(page: PageView, fields: Fields, **more: Any) -> GatewayResponse:
    gateway, request = page.gateway, page.request
    try:
        call = GetInvitation(token=fields.text("token"))
        offer = await gateway.bus.call(request.context(), call)
    except (LinkSpent, ValidationError):
        return _spent(page, fields, "/invitation")
    values = {"name": offer.name or "", **more.pop("values", {})}
    return _ask(
        page,
        "/invitation",
        heading=page.translate("Join %(name)s", name=request.app.name),
        says=page.translate("You've been invited. This link has confirmed your e-mail address."),
        carried={"token": fields.text("token")},
        fixed_email=offer.email,
        values=values,
        **more,
    )


async def accept(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /invitation"""
    page = open_page(gateway, request)
    name = fields.text_or_none("name")
    try:
        call = AcceptInvitation(
            token=fields.text("token"),
            password=fields.get("password") or None,
            name=name,
            **attempt(gateway, request, fields, page.language.code),
        )
        new_session = await gateway.bus.call(await guest_context(gateway, request), call)
    except (LinkSpent, EmailTaken):
        return _spent(page, fields, "/invitation")
    except (Problem, ValidationError) as error:
        errors = errors_of(page.language, error)
        return await _invitation(page, fields, errors=errors, values={"name": name or ""})
    return await signed_in(gateway, request, fields, new_session)


async def welcome(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /welcome?token=: the owner link that `aero2 up` prints"""
    return await _welcome(open_page(gateway, request), fields)


async def _welcome(page: PageView, fields: Fields, **more: Any) -> GatewayResponse:
    gateway, request = page.gateway, page.request
    try:
        call = GetOwnerLink(token=fields.text("token"))
        await gateway.bus.call(request.context(), call)
    except (LinkSpent, ValidationError):
        return _spent(page, fields, "/welcome")
    return _ask(
        page,
        "/welcome",
        heading=page.translate("Welcome"),
        says=page.translate("Create your operator account. You'll manage this deployment with it."),
        carried={"token": fields.text("token")},
        **more,
    )


async def claim(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /welcome"""
    page = open_page(gateway, request)
    email, name = fields.text("email"), fields.text_or_none("name")
    try:
        call = ClaimOwner(
            token=fields.text("token"),
            email=email,
            password=fields.get("password") or None,
            name=name,
            **attempt(gateway, request, fields, page.language.code),
        )
        new_session = await gateway.bus.call(request.context(), call)
    except LinkSpent:
        return _spent(page, fields, "/welcome")
    except (Problem, ValidationError) as error:
        values = {"email": email, "name": name or ""}
        return await _welcome(page, fields, errors=errors_of(page.language, error), values=values)
    await signed_in(gateway, request, fields, new_session)
    return redirect("/dashboard")


routes = RouteSet(
    (
        page_route("/signup", show, challenged=True),
        form_route("/signup", begin, challenged=True),
        form_route("/signup/code/send", send_again, page_path="/signup", challenged=True),
        page_route("/invitation", invitation, challenged=True),
        form_route("/invitation", accept, challenged=True),
        page_route("/welcome", welcome),
        form_route("/welcome", claim),
    )
)
