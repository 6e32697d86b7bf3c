"""The account of whoever is signed in: profile, address, password, data."""

from __future__ import annotations

from typing import Any, Final

import orjson
from pydantic import ValidationError

from common.contracts.me import ChangeEmail, ConfirmEmail, DeleteMe, ExportMe, GetMe, UpdateMe
from common.contracts.members import LastAdmin
from common.contracts.organizations import TeamOwnsApplications
from common.contracts.passwords import ChangePassword
from common.contracts.profiles import Me, MyChanges
from common.contracts.sign_in import WrongCredentials
from common.problems import Problem
from gateway.auth import browser_sessions
from gateway.http.request import GatewayRequest
from gateway.http.response import JSON, NO_STORE, GatewayResponse, redirect
from gateway.pages import flow_cookie
from gateway.pages.code import digits
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.languages import N_
from gateway.pages.page_routes import page_route, user_form_route, user_page_route
from gateway.pages.render import LANGUAGE_COOKIE, Page, open_page
from gateway.pages.sign_up import password_hint
from gateway.routing import RouteSet
from gateway.state import Gateway, SignedInUser

NOTICES: Final = {
    "profile": N_("Profile saved."),
    "address": N_("E-mail address changed."),
    "password": N_("Password changed. You're signed out everywhere else."),
    "revoked": N_("Session signed out."),
    "others": N_("All other sessions signed out."),
    "withdrawn": N_("Access removed."),
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


def notice(page: Page, fields: Fields) -> str | None:
    """What was just done; only sentences of ours."""
    found = NOTICES.get(fields.text("done"))
    return page.say(found) if found else None


def opened(page: Page, template: str, here: str, fields: Fields, **more: Any) -> GatewayResponse:
    """A page of the account."""
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


async def email(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /account/email"""
    return _email(open_page(gateway, request, user), fields)


def _email(page: Page, fields: Fields, flow: str | None = None, **more: Any) -> GatewayResponse:
    mailed = flow_cookie.read(page.request)
    return opened(
        page,
        "email.html",
        "/account",
        fields,
        flow=flow,
        email=mailed.email,
        carried={},
        address="/account/email/code" if flow else "/account/email",
        **mailed.code_times(),
        **more,
    )


async def change_email(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /account/email"""
    page = open_page(gateway, request, user)
    wanted = fields.text("email")
    try:
        call = ChangeEmail(email=wanted)
        flow = await gateway.bus.call(request.context(user.caller), call)
    except (Problem, ValidationError) as error:
        errors = errors_of(page.language, error)
        return _email(page, fields, errors=errors, values={"email": wanted})
    flow_cookie.remember_mail(request, call.email, flow)
    return redirect("/account/email/code")


async def email_code(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /account/email/code"""
    flow = flow_cookie.read(request).flow
    return (
        _email(open_page(gateway, request, user), fields, flow)
        if flow
        else redirect("/account/email")
    )


async def confirm_email(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /account/email/code"""
    page = open_page(gateway, request, user)
    flow = flow_cookie.read(request).flow
    try:
        call = ConfirmEmail(flow=flow, code=digits(fields.text("code")))
        await gateway.bus.call(request.context(user.caller), call)
    except (Problem, ValidationError) as error:
        return _email(page, fields, flow, errors=errors_of(page.language, error))
    flow_cookie.forget(request)
    return redirect(at("/account", done="address"))


async def password(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /account/password"""
    return await _password(open_page(gateway, request, user), fields, user)


async def _password(page: Page, fields: Fields, user: SignedInUser, **more: Any) -> GatewayResponse:
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
        errors = {"current": page.say("Your current password is wrong. Try again.")}
        return await _password(page, fields, user, errors=errors)
    except (Problem, ValidationError) as error:
        return await _password(page, fields, user, errors=errors_of(page.language, error))
    await browser_sessions.start(gateway, request, again)
    return redirect(at("/account/password", done="password"))


async def data(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /account/data"""
    return await _data(open_page(gateway, request, user), fields, user)


async def _data(page: Page, fields: Fields, user: SignedInUser, **more: Any) -> GatewayResponse:
    me = await me_of(page.gateway, page.request, user)
    return opened(page, "data.html", "/account/data", fields, me=me, word=_word(me), **more)


def _word(me: Me) -> str:
    """What is typed to confirm the end of the account."""
    return me.email or me.id


async def export(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /account/export"""
    found = await gateway.bus.call(request.context(user.caller), ExportMe())
    body = orjson.dumps(found.model_dump(mode="json"), option=orjson.OPT_INDENT_2)
    name = f"{request.app.slug}-account.json"
    attachment = f'attachment; filename="{name}"'.encode()
    return GatewayResponse(200, body, [JSON, NO_STORE, (b"content-disposition", attachment)])


async def delete(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /account/delete"""
    page = open_page(gateway, request, user)
    word = _word(await me_of(gateway, request, user))
    if fields.text("confirm").casefold() != word.casefold():
        errors = {"confirm": page.say("To confirm, type %(word)s exactly.", word=word)}
        return await _data(page, fields, user, errors=errors)
    try:
        call = DeleteMe(password=fields.get("password") or None)
        await gateway.bus.call(request.context(user.caller), call)
    except WrongCredentials:
        errors = {"password": page.say("The password is wrong. Try again.")}
        values = {"confirm": fields.text("confirm")}
        return await _data(page, fields, user, errors=errors, values=values)
    except (LastAdmin, TeamOwnsApplications) as error:
        errors = {"": _held_by(page, error)}
        return await _data(page, fields, user, errors=errors)
    await browser_sessions.end(gateway, request)
    return Page(gateway, request, None, page.language).close(
        page.say("Your account has been deleted"),
        page.say("Its data has been deleted, too. You can close this page."),
    )


def _held_by(page: Page, error: LastAdmin | TeamOwnsApplications) -> str:
    """Why the account cannot go yet."""
    held = error.extra.get("organizations", [])
    names = ", ".join(str(page.language.isolated(each["name"])) for each in held)
    sentence = N_("%(names)s owns applications. Transfer or delete them first.")
    if isinstance(error, LastAdmin):
        sentence = N_("You're the only admin of %(names)s. Make another member an admin first.")
    return str(page.say(sentence, names=names))


routes = RouteSet(
    (
        page_route("/", home),
        user_page_route("/account", profile),
        user_form_route("/account", save),
        user_page_route("/account/email", email),
        user_form_route("/account/email", change_email),
        user_page_route("/account/email/code", email_code),
        user_form_route("/account/email/code", confirm_email),
        user_page_route("/account/password", password),
        user_form_route("/account/password", change_password),
        user_page_route("/account/data", data),
        user_form_route("/account/export", export, page_path="/account"),
        user_form_route("/account/delete", delete, page_path="/account"),
    )
)
