"""Self-registration of OAuth clients: who may, and the initial access tokens. A token is shown once, in the answer to the
form that makes it."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from common.contracts.client_registration import (
    CreateInitialAccessToken,
    DeleteInitialAccessToken,
    InitialAccessToken,
    InitialAccessTokenNotFound,
    ListInitialAccessTokens,
)
from common.contracts.settings_change import GetSettings
from common.message_ids import N_
from common.problems import Forbidden, NotFound, Problem
from gateway.dashboard.api_call import curl
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import errors_of
from gateway.routing import RouteSet

PATH: Final = "/clients/registration"
HERE: Final = f"{APPLICATIONS}/{{slug}}{PATH}"
LIFETIMES: Final = {
    "1": N_("In one day"),
    "7": N_("In 7 days"),
    "30": N_("In 30 days"),
    "365": N_("In one year"),
}
"""When a new token can expire, by days."""
DAY: Final = 86_400
MODES: Final = {
    "off": N_("Off: no client can register itself."),
    "token": N_("With a token: a client needs one of the tokens below."),
    "open": N_("Everybody: any app can register itself as a public client."),
}


async def show(visit: Visit) -> GatewayResponse:
    """GET …/clients/registration"""
    return await _show(visit)


async def _show(visit: Visit, errors: dict[str, str] | None = None) -> GatewayResponse:
    cursor = visit.fields.text_or_none("cursor")
    listed = await visit.call(ListInitialAccessTokens(cursor=cursor))
    mode = None
    if visit.may("settings:read"):
        mode = (await visit.call(GetSettings())).client_registration
    here = f"{visit.home}{PATH}"
    names = ("name", "lifetime", "max_clients")
    return visit.show(
        "client_registration.html",
        errors=errors,
        values={name: visit.fields.text(name) for name in names},
        lifetimes=LIFETIMES,
        tokens=listed.initial_access_tokens,
        mode=mode,
        modes=MODES,
        endpoint=f"{visit.managed.tenant.origin}/oauth2/register",
        more=at(here, cursor=listed.next) if listed.next else None,
        writes=visit.may("clients:write"),
        revoked=visit.fields.text("done") == "revoked",
        address=here,
        api=curl(visit.managed.tenant, "GET", "/initial-access-tokens"),
    )


async def create(visit: Visit) -> GatewayResponse:
    """POST …/clients/registration: shows the new token."""
    if not visit.may("clients:write"):
        raise Forbidden
    page = visit.open()
    try:
        new = await visit.call(_new_token(visit))
    except (Problem, ValidationError) as error:
        if isinstance(error, NotFound):
            raise
        return await _show(visit, errors_of(page.language, error))
    return visit.show(
        "client_registration_token.html",
        token=new,
        endpoint=f"{visit.managed.tenant.origin}/oauth2/register",
        address=f"{visit.home}{PATH}",
    )


def _new_token(visit: Visit) -> CreateInitialAccessToken:
    """Returns the request. Raises NotFound for a lifetime that the form does not offer."""
    days, most = visit.fields.text("lifetime"), visit.fields.text("max_clients").strip()
    if days not in LIFETIMES:
        raise NotFound
    return CreateInitialAccessToken.model_validate(
        {
            "name": visit.fields.text("name"),
            "expires_in": int(days) * DAY,
            "max_clients": most or None,
        }
    )


async def ask_revocation(visit: Visit) -> GatewayResponse:
    """GET …/clients/registration/{id}/revoke"""
    if not visit.may("clients:write"):
        raise Forbidden
    return visit.show("client_registration_revoke.html", token=await _token(visit))


async def _token(visit: Visit) -> InitialAccessToken:
    """Returns the token of the path. Raises InitialAccessTokenNotFound."""
    cursor: str | None = None
    while True:
        listed = await visit.call(ListInitialAccessTokens(limit=100, cursor=cursor))
        for token in listed.initial_access_tokens:
            if token.id == visit.parameters["id"]:
                return token
        if listed.next is None:
            raise InitialAccessTokenNotFound
        cursor = listed.next


async def revoke(visit: Visit) -> GatewayResponse:
    """POST …/clients/registration/{id}/revoke"""
    await visit.call(DeleteInitialAccessToken(id=visit.parameters["id"]))
    return redirect(at(f"{visit.home}{PATH}", done="revoked"))


routes = RouteSet(
    (
        dashboard_page(HERE, show),
        dashboard_form(HERE, create),
        dashboard_page(f"{HERE}/{{id}}/revoke", ask_revocation),
        dashboard_form(f"{HERE}/{{id}}/revoke", revoke),
    )
)
