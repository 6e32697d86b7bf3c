"""The clients that the user allowed something, and taking that back."""

from __future__ import annotations

from common.contracts.clients import ClientNotFound
from common.contracts.consents import Grant, ListMyGrants, RevokeMyGrant
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages import client_names
from gateway.pages.account import opened
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.page_routes import user_form_route, user_page_route
from gateway.pages.render import PageView, open_page
from gateway.pages.scope_texts import SCOPE_TEXTS
from gateway.routing import RouteSet
from gateway.state import Gateway, SignedInUser

HERE = "/account/apps"


async def show(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /account/apps"""
    return await _list(open_page(gateway, request, user), fields, user)


async def _list(
    page: PageView, fields: Fields, user: SignedInUser, errors: dict[str, str] | None = None
) -> GatewayResponse:
    gateway, request = page.gateway, page.request
    reply = await gateway.bus.call(request.context(user.caller), ListMyGrants())
    return opened(
        page,
        "apps.html",
        HERE,
        fields,
        grants=reply.grants,
        access=lambda grant: access(page, grant),
        shown=lambda grant: client_names.in_list(page, grant.client_name, grant.unverified_host),
        errors=errors,
    )


def access(page: PageView, grant: Grant) -> list[str]:
    """Returns what the client may do: a sentence if the consent page has one, else the scope."""
    return [
        page.translate(SCOPE_TEXTS[scope][1]) if scope in SCOPE_TEXTS else scope
        for scope in grant.scopes
    ]


async def withdraw(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /account/apps: takes the consent back; the client's tokens end at once."""
    page = open_page(gateway, request, user)
    try:
        call = RevokeMyGrant(client_id=fields.text("client_id")[:200])
        await gateway.bus.call(request.context(user.caller), call)
    except ClientNotFound as error:
        return await _list(page, fields, user, errors_of(page.language, error))
    return redirect(at(HERE, done="withdrawn"))


routes = RouteSet(
    (
        user_page_route(HERE, show),
        user_form_route(HERE, withdraw),
    )
)
