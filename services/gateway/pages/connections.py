"""The accounts at providers that the user has connected."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from common.contracts.identities import (
    IdentityNotFound,
    ListMyIdentities,
    TooManyIdentities,
    UnlinkMyIdentity,
)
from common.contracts.identity_providers import ProviderNotFound
from common.contracts.provider_sign_in import ProviderAway, StartProviderLink
from common.contracts.sign_in import LastWayIn, MethodOff
from gateway.http import csrf
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages import provider_buttons
from gateway.pages.account import notice
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.page_routes import user_form_route, user_page_route
from gateway.pages.render import PageView, open_page
from gateway.routing import RouteSet
from gateway.state import Gateway, SignedInUser

HERE: Final = "/account/connections"
REFUSALS: Final = (
    LastWayIn,
    IdentityNotFound,
    TooManyIdentities,
    ProviderNotFound,
    ProviderAway,
    MethodOff,
)


async def show(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /account/connections"""
    return await _list(open_page(gateway, request, user), fields, user)


async def _list(
    page: PageView, fields: Fields, user: SignedInUser, errors: dict[str, str] | None = None
) -> GatewayResponse:
    """Shows the page. Its forms lead to other sites: the providers."""
    gateway, request = page.gateway, page.request
    await provider_buttons.prepare(gateway, request)
    reply = await gateway.bus.call(request.context(user.caller), ListMyIdentities())
    return page.show(
        "account/connections.html",
        address=HERE,
        here=HERE,
        notice=notice(page, fields) if request.method == "GET" else None,
        identities=reply.identities,
        providers=provider_buttons.buttons(request),
        errors=errors,
    )


async def change(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /account/connections: to the provider whose account the user connects, or disconnects one"""
    page = open_page(gateway, request, user)
    ctx = request.context(user.caller)
    try:
        if link_id := fields.text_or_none("disconnect"):
            await gateway.bus.call(ctx, UnlinkMyIdentity(link_id=link_id))
            return redirect(at(HERE, done="disconnected"))
        call = StartProviderLink(
            idp=fields.text("connect"),
            browser=csrf.browser_id(gateway.settings, request),
            destination=at(HERE, done="connected"),
            locale=page.language.code,
        )
        return redirect((await gateway.bus.call(ctx, call)).url)
    except ValidationError:
        return redirect(HERE)
    except REFUSALS as error:
        return await _list(page, fields, user, errors_of(page.language, error))


routes = RouteSet((user_page_route(HERE, show), user_form_route(HERE, change)))
