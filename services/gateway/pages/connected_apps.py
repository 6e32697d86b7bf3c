"""The clients that the user allowed something, and taking that back."""

from __future__ import annotations

from starlette.responses import Response

from common.contracts.clients import ClientNotFound
from common.contracts.consents import Grant, ListMyGrants, RevokeMyGrant
from gateway.http.request import GatewayRequest
from gateway.oauth.authorize import ASKS
from gateway.pages.account import opened
from gateway.pages.endpoint import own, sent, shown
from gateway.pages.fields import Fields, at
from gateway.pages.form_errors import errors_of
from gateway.pages.render import Page, go, open_page
from gateway.state import Signed

HERE = "/account/apps"


async def show(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """GET /account/apps"""
    return await _list(open_page(visit, signed), fields, signed)


async def _list(
    page: Page, fields: Fields, signed: Signed, errors: dict[str, str] | None = None
) -> Response:
    visit = page.visit
    reply = await visit.gateway.bus.call(visit.context(signed.caller), ListMyGrants())
    return opened(
        page,
        "apps.html",
        HERE,
        fields,
        grants=reply.grants,
        access=lambda grant: access(page, grant),
        errors=errors,
    )


def access(page: Page, grant: Grant) -> list[str]:
    """What the client may do: a sentence where the consent page has one, else the scope."""
    return [page.say(ASKS[scope][1]) if scope in ASKS else scope for scope in grant.scopes]


async def withdraw(visit: GatewayRequest, fields: Fields, signed: Signed) -> Response:
    """POST /account/apps: takes the consent back; the client's tokens end at once."""
    page = open_page(visit, signed)
    try:
        request = RevokeMyGrant(client_id=fields.text("client_id")[:200])
        await visit.gateway.bus.call(visit.context(signed.caller), request)
    except ClientNotFound as error:
        return await _list(page, fields, signed, errors_of(page.language, error))
    return go(at(HERE, done="withdrawn"))


ROUTES = [shown(HERE, own(show)), sent(HERE, own(withdraw))]
