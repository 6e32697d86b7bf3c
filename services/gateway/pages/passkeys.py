"""The passkeys of the signed-in user, the offer of a first one, and signing up with one. The passkeys
themselves are made by the browser's script (static/passkeys.js), which calls the JSON API."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from common.contracts.passkey_sign_in import StartPasskeySignUp
from common.contracts.passkeys import (
    ListMyPasskeys,
    NotePasskeyOffer,
    PasskeyNotFound,
    RemovePasskey,
    RenamePasskey,
)
from common.contracts.second_factors import LastSecondFactor
from common.contracts.sign_in import LastWayIn
from common.problems import Problem
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.account import opened
from gateway.pages.challenge import attempt
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.page_routes import form_route, user_form_route, user_page_route
from gateway.pages.render import PageView, open_page
from gateway.pages.sign_in import PASSKEY_OFFER, carried, destination
from gateway.pages.sign_up import show_sign_up
from gateway.routing import RouteSet
from gateway.state import Gateway, SignedInUser

HERE = "/account/passkeys"
SIGN_UP = "/signup/passkey"


async def show(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /account/passkeys"""
    return await _list(open_page(gateway, request, user), fields, user)


async def _list(page: PageView, fields: Fields, user: SignedInUser, **more: Any) -> GatewayResponse:
    request = page.request
    listed = await page.gateway.bus.call(request.context(user.caller), ListMyPasskeys())
    return opened(
        page,
        "passkeys.html",
        HERE,
        fields,
        passkeys=listed.passkeys,
        here_host=urlsplit(request.origin).hostname,
        offered="passkey" in page.app.settings.auth_methods,
        **more,
    )


async def change(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /account/passkeys: renames or removes one"""
    page, ctx = open_page(gateway, request, user), request.context(user.caller)
    passkey_id, name = fields.text("passkey_id"), fields.text("name")
    try:
        if fields.text("action") == "remove":
            await gateway.bus.call(ctx, RemovePasskey(passkey_id=passkey_id))
            return redirect(at(HERE, done="passkey_removed"))
        await gateway.bus.call(ctx, RenamePasskey(passkey_id=passkey_id, name=name))
    except PasskeyNotFound:
        return redirect(HERE)
    except (LastWayIn, LastSecondFactor, ValidationError) as error:
        sentences = list(errors_of(page.language, error).values())
        return await _list(page, fields, user, errors={"": sentences[0]})
    return redirect(at(HERE, done="passkey_renamed"))


async def offer(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /login/passkey-offer: the page is shown once"""
    await gateway.bus.call(request.context(user.caller), NotePasskeyOffer())
    page = open_page(gateway, request, user)
    return page.show("passkey_offer.html", onward=destination(request.app, fields))


async def sign_up(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """POST /signup/passkey"""
    page = open_page(gateway, request)
    email, name = fields.text("email"), fields.text_or_none("name")
    try:
        call = StartPasskeySignUp(
            email=email,
            name=name,
            **attempt(gateway, request, fields, page.language.code),
        )
        offered = await gateway.bus.call(request.context(), call)
    except (Problem, ValidationError) as error:
        values = {"email": email, "name": name or ""}
        return show_sign_up(page, fields, errors=errors_of(page.language, error), values=values)
    back = at("/signup", email=email, **carried(fields))
    return page.show(
        "passkey_sign_up.html",
        address=back,
        email=email,
        options=offered.options,
        onward=destination(request.app, fields),
        back=back,
    )


routes = RouteSet(
    (
        user_page_route(HERE, show),
        user_form_route(HERE, change),
        user_page_route(PASSKEY_OFFER, offer),
        form_route(SIGN_UP, sign_up, page_path="/signup", challenged=True),
    )
)
