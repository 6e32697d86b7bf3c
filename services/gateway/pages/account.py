"""The account of the signed-in user: profile, e-mail address, password, data."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from common.contracts.me import GetMe, UpdateMe
from common.contracts.passwords import ChangePassword
from common.contracts.profiles import Me, MyChanges
from common.contracts.sign_in import WrongCredentials
from common.message_ids import N_
from common.problems import Problem
from gateway.auth import browser_sessions
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.page_routes import page_route, user_form_route, user_page_route
from gateway.pages.render import LANGUAGE_COOKIE, PageView, open_page
from gateway.pages.sign_up import password_hint
from gateway.routing import RouteSet
from gateway.state import Gateway, SignedInUser

NOTICES: Final = {
    "profile": N_("Profile saved."),
    "address": N_("E-mail address changed."),
    "password": N_("Password changed. You're signed out everywhere else."),
    "two_step": N_("Two-step verification is on."),
    "two_step_off": N_("The authenticator app was removed."),
    "forgotten": N_("This device asks for the second step again."),
    "passkey": N_("Passkey added."),
    "passkey_renamed": N_("Passkey renamed."),
    "passkey_removed": N_("Passkey removed."),
    "revoked": N_("Session signed out."),
    "others": N_("All other sessions signed out."),
    "withdrawn": N_("Access removed."),
    "device": N_("Device signed out."),
    "connected": N_("Account connected."),
    "disconnected": N_("Account disconnected."),
    "active": N_("Active organization changed."),
    "inactive": N_("No organization is active."),
    "left": N_("You left the organization."),
    "role": N_("Role changed."),
    "removed": N_("Member removed."),
    "invited": N_("Invitation sent."),
    "uninvited": N_("Invitation revoked."),
}
PROFILE: Final = ("name", "given_name", "family_name", "nickname", "picture", "locale")
"""The claims that the profile page changes."""


def notice(page: PageView, fields: Fields) -> str | None:
    """Returns the sentence about what was just done. It is one of NOTICES."""
    sentence = NOTICES.get(fields.text("done"))
    return page.translate(sentence) if sentence else None


def opened(
    page: PageView, template: str, here: str, fields: Fields, **more: Any
) -> GatewayResponse:
    """Shows a page of the account."""
    done = notice(page, fields) if page.request.method == "GET" else None
    page.away = False
    more.setdefault("address", here)
    return page.show(f"account/{template}", here=here, notice=done, **more)


async def me_of(gateway: Gateway, request: GatewayRequest, user: SignedInUser) -> Me:
    return await gateway.bus.call(request.context(user.caller), GetMe())


async def home(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /"""
    return redirect("/account")


async def profile(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /account"""
    page = open_page(gateway, request, user)
    return opened(page, "profile.html", "/account", fields, me=await me_of(gateway, request, user))


async def save(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /account"""
    page = open_page(gateway, request, user)
    try:
        changes = MyChanges(
            **{name: fields.text_or_none(name) for name in PROFILE if name in fields}
        )
        await gateway.bus.call(request.context(user.caller), UpdateMe(changes=changes))
    except (Problem, ValidationError) as error:
        me = await me_of(gateway, request, user)
        errors = errors_of(page.language, error)
        values = {name: fields.text(name) for name in PROFILE}
        return opened(page, "profile.html", "/account", fields, me=me, errors=errors, values=values)
    request.set_cookie(LANGUAGE_COOKIE, "", 0)  # from now on the user's own language counts
    return redirect(at("/account", done="profile"))


async def password(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /account/password"""
    return await _password(open_page(gateway, request, user), fields, user)


async def _password(
    page: PageView, fields: Fields, user: SignedInUser, **more: Any
) -> GatewayResponse:
    me = await me_of(page.gateway, page.request, user)
    hint = password_hint(page)
    here = "/account/password"
    return opened(page, "password.html", here, fields, me=me, password_hint=hint, **more)


async def change_password(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /account/password"""
    page = open_page(gateway, request, user)
    try:
        call = ChangePassword(
            current=fields.get("current") or None, password=fields.get("password", "")
        )
        again = await gateway.bus.call(request.context(user.caller), call)
    except WrongCredentials:
        errors = {"current": page.translate("Your current password is wrong. Try again.")}
        return await _password(page, fields, user, errors=errors)
    except (Problem, ValidationError) as error:
        return await _password(page, fields, user, errors=errors_of(page.language, error))
    await browser_sessions.start(gateway, request, again)
    return redirect(at("/account/password", done="password"))


routes = RouteSet(
    (
        page_route("/", home),
        user_page_route("/account", profile),
        user_form_route("/account", save),
        user_page_route("/account/password", password, fresh=True),
        user_form_route("/account/password", change_password),
    )
)
