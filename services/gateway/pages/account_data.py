"""The data of the signed-in user: export and deletion."""

from __future__ import annotations

from typing import Any

import orjson

from common.contracts.me import DeleteMe, ExportMe
from common.contracts.members import LastAdmin
from common.contracts.organizations import TeamOwnsApplications
from common.contracts.profiles import Me
from common.contracts.sign_in import WrongCredentials
from common.message_ids import N_
from gateway.auth import browser_sessions
from gateway.http.request import GatewayRequest
from gateway.http.response import JSON, NO_STORE, GatewayResponse
from gateway.pages.account import me_of, opened
from gateway.pages.fields import Fields
from gateway.pages.page_routes import user_form_route, user_page_route
from gateway.pages.render import PageView, open_page
from gateway.routing import RouteSet
from gateway.state import Gateway, SignedInUser


async def data(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /account/data"""
    return await _data(open_page(gateway, request, user), fields, user)


async def _data(page: PageView, fields: Fields, user: SignedInUser, **more: Any) -> GatewayResponse:
    me = await me_of(page.gateway, page.request, user)
    return opened(page, "data.html", "/account/data", fields, me=me, word=_word(me), **more)


def _word(me: Me) -> str:
    """Returns what the user types to confirm the end of the account."""
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
        errors = {"confirm": page.translate("To confirm, type %(word)s exactly.", word=word)}
        return await _data(page, fields, user, errors=errors)
    try:
        call = DeleteMe(password=fields.get("password") or None)
        await gateway.bus.call(request.context(user.caller), call)
    except WrongCredentials:
        errors = {"password": page.translate("The password is wrong. Try again.")}
        values = {"confirm": fields.text("confirm")}
        return await _data(page, fields, user, errors=errors, values=values)
    except (LastAdmin, TeamOwnsApplications) as error:
        errors = {"": _held_by(page, error)}
        return await _data(page, fields, user, errors=errors)
    await browser_sessions.end(gateway, request)
    return PageView(gateway, request, None, page.language).close(
        page.translate("Your account has been deleted"),
        page.translate("Its data has been deleted, too. You can close this page."),
    )


def _held_by(page: PageView, error: LastAdmin | TeamOwnsApplications) -> str:
    """Returns the sentence that says why the account cannot be deleted yet."""
    held = error.extra.get("organizations", [])
    names = ", ".join(str(page.language.isolate(each["name"])) for each in held)
    sentence = N_("%(names)s owns applications. Transfer or delete them first.")
    if isinstance(error, LastAdmin):
        sentence = N_("You're the only admin of %(names)s. Make another member an admin first.")
    return str(page.translate(sentence, names=names))


routes = RouteSet(
    (
        user_page_route("/account/data", data),
        user_form_route("/account/export", export, page_path="/account"),
        user_form_route("/account/delete", delete, page_path="/account"),
    )
)
