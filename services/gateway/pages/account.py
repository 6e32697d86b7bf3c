"""The account of whoever is signed in: profile, address, password, data."""

from __future__ import annotations

from typing import Any, Final

import orjson
from pydantic import ValidationError
from starlette.responses import Response

from common.contracts.me import ChangeEmail, ConfirmEmail, DeleteMe, ExportMe, GetMe, UpdateMe
from common.contracts.members import LastAdmin
from common.contracts.organizations import TeamOwnsApplications
from common.contracts.passwords import ChangePassword
from common.contracts.profiles import Me, MyChanges
from common.contracts.sign_in import WrongCredentials
from common.problems import Problem
from gateway.auth import browser_sessions as browser
from gateway.http.request import GatewayRequest, set_cookie
from gateway.pages import flow_cookie
from gateway.pages.code import digits
from gateway.pages.endpoint import own, sent, shown
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.languages import N_
from gateway.pages.render import LANGUAGE_COOKIE, Page, go, open_page
from gateway.pages.sign_up import password_hint
from gateway.state import Signed

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


def opened(page: Page, template: str, here: str, fields: Fields, **more: Any) -> Response:
    """A page of the account."""
    done = notice(page, fields) if page.visit.method == "GET" else None
    page.away = False
    more.setdefault("address", here)
    return page.show(f"account/{template}", here=here, notice=done, **more)


async def me_of(visit: GatewayRequest, signed: Signed) -> Me:
    return await visit.gateway.bus.call(visit.context(signed.caller), GetMe())


async def home(visit: GatewayRequest, fields: Fields) -> Response:
    """GET /"""
    return go("/account")


async def profile(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """GET /account"""
    page = open_page(visit, signed)
    return opened(page, "profile.html", "/account", fields, me=await me_of(visit, signed))


async def save(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """POST /account"""
    page = open_page(visit, signed)
    try:
        changes = MyChanges(**{name: fields.given(name) for name in PROFILE if name in fields})
        await visit.gateway.bus.call(visit.context(signed.caller), UpdateMe(changes=changes))
    except (Problem, ValidationError) as error:
        me = await me_of(visit, signed)
        errors = errors_of(page.language, error)
        values = {name: fields.text(name) for name in PROFILE}
        return opened(page, "profile.html", "/account", fields, me=me, errors=errors, values=values)
    secure = visit.gateway.settings.secure  # the user's own language counts from now on
    visit.cookies_out.append(set_cookie(LANGUAGE_COOKIE, "", secure=secure, max_age=0))
    return go(at("/account", done="profile"))


async def email(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """GET /account/email"""
    return _email(open_page(visit, signed), fields)


def _email(page: Page, fields: Fields, flow: str | None = None, **more: Any) -> Response:
    mailed = flow_cookie.read(page.visit)
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


async def change_email(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """POST /account/email"""
    page = open_page(visit, signed)
    wanted = fields.text("email")
    try:
        request = ChangeEmail(email=wanted)
        flow = await visit.gateway.bus.call(visit.context(signed.caller), request)
    except (Problem, ValidationError) as error:
        errors = errors_of(page.language, error)
        return _email(page, fields, errors=errors, values={"email": wanted})
    flow_cookie.mailed(visit, request.email, flow)
    return go("/account/email/code")


async def email_code(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """GET /account/email/code"""
    flow = flow_cookie.read(visit).flow
    return _email(open_page(visit, signed), fields, flow) if flow else go("/account/email")


async def confirm_email(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """POST /account/email/code"""
    page = open_page(visit, signed)
    flow = flow_cookie.read(visit).flow
    try:
        request = ConfirmEmail(flow=flow, code=digits(fields.text("code")))
        await visit.gateway.bus.call(visit.context(signed.caller), request)
    except (Problem, ValidationError) as error:
        return _email(page, fields, flow, errors=errors_of(page.language, error))
    flow_cookie.forget(visit)
    return go(at("/account", done="address"))


async def password(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """GET /account/password"""
    return await _password(open_page(visit, signed), fields, signed)


async def _password(page: Page, fields: Fields, signed: Signed, **more: Any) -> Response:
    me = await me_of(page.visit, signed)
    hint = password_hint(page)
    here = "/account/password"
    return opened(page, "password.html", here, fields, me=me, password_hint=hint, **more)


async def change_password(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """POST /account/password"""
    page = open_page(visit, signed)
    try:
        request = ChangePassword(
            current=fields.get("current") or None, password=fields.get("password", "")
        )
        again = await visit.gateway.bus.call(visit.context(signed.caller), request)
    except WrongCredentials:
        errors = {"current": page.say("Your current password is wrong. Try again.")}
        return await _password(page, fields, signed, errors=errors)
    except (Problem, ValidationError) as error:
        return await _password(page, fields, signed, errors=errors_of(page.language, error))
    await browser.begin(visit, again)
    return go(at("/account/password", done="password"))


async def data(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """GET /account/data"""
    return await _data(open_page(visit, signed), fields, signed)


async def _data(page: Page, fields: Fields, signed: Signed, **more: Any) -> Response:
    me = await me_of(page.visit, signed)
    return opened(page, "data.html", "/account/data", fields, me=me, word=_word(me), **more)


def _word(me: Me) -> str:
    """What is typed to confirm the end of the account."""
    return me.email or me.id


async def export(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """POST /account/export"""
    found = await visit.gateway.bus.call(visit.context(signed.caller), ExportMe())
    body = orjson.dumps(found.model_dump(mode="json"), option=orjson.OPT_INDENT_2)
    name = f"{visit.app.slug}-account.json"
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "cache-control": "no-store",
    }
    return Response(body, media_type="application/json", headers=headers)


async def delete(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """POST /account/delete"""
    page = open_page(visit, signed)
    word = _word(await me_of(visit, signed))
    if fields.text("confirm").casefold() != word.casefold():
        errors = {"confirm": page.say("To confirm, type %(word)s exactly.", word=word)}
        return await _data(page, fields, signed, errors=errors)
    try:
        request = DeleteMe(password=fields.get("password") or None)
        await visit.gateway.bus.call(visit.context(signed.caller), request)
    except WrongCredentials:
        errors = {"password": page.say("The password is wrong. Try again.")}
        values = {"confirm": fields.text("confirm")}
        return await _data(page, fields, signed, errors=errors, values=values)
    except (LastAdmin, TeamOwnsApplications) as error:
        errors = {"": _held_by(page, error)}
        return await _data(page, fields, signed, errors=errors)
    await browser.end(visit)
    return Page(visit, None, page.language).close(
        page.say("Your account has been deleted"),
        page.say("Its data has been deleted, too. You can close this page."),
    )


def _held_by(page: Page, error: LastAdmin | TeamOwnsApplications) -> str:
    """Why the account cannot go yet."""
    held = error.extra.get("organizations", [])
    names = ", ".join(str(page.language.isolate(each["name"])) for each in held)
    sentence = N_("%(names)s owns applications. Transfer or delete them first.")
    if isinstance(error, LastAdmin):
        sentence = N_("You're the only admin of %(names)s. Make another member an admin first.")
    return str(page.say(sentence, names=names))


ROUTES = [
    shown("/", home),
    shown("/account", own(profile)),
    sent("/account", own(save)),
    shown("/account/email", own(email)),
    sent("/account/email", own(change_email)),
    shown("/account/email/code", own(email_code)),
    sent("/account/email/code", own(confirm_email)),
    shown("/account/password", own(password)),
    sent("/account/password", own(change_password)),
    shown("/account/data", own(data)),
    sent("/account/export", own(export)),
    sent("/account/delete", own(delete)),
]
