"""The checker: paste an authorization URL, and see which rule refuses it, and why."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from common.contracts.authorization_check import (
    MAX_URL,
    AuthorizationRule,
    AuthorizationUrlReport,
    CheckAuthorizationUrl,
)
from common.message_ids import N_
from common.problems import Forbidden
from gateway.dashboard.api_call import curl
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse
from gateway.routing import RouteSet

HERE: Final = f"{APPLICATIONS}/{{slug}}/clients/check"
RULES: Final[dict[AuthorizationRule, str]] = {
    "address": N_("The URL leads to the authorization endpoint of this application"),
    "parameters": N_("The parameters can be read"),
    "client": N_("The client exists and is enabled"),
    "redirect_uri": N_("The redirect URI is registered"),
    "response_mode": N_("The response mode is supported"),
    "repeated_parameters": N_("No parameter is repeated"),
    "request_object": N_("There is no request object that we do not support"),
    "response_type": N_("The response type is `code`, and the client may use it"),
    "pkce": N_("There is a `code_challenge` (PKCE), if the client needs one"),
    "scope": N_("Every scope is allowed for this client"),
    "resource": N_("Every resource is known"),
    "prompt": N_("`prompt` and `max_age` are valid"),
    "claims": N_("`claims` is valid, or missing"),
    "acr_values": N_("The requested class of sign-in is possible"),
    "id_token_hint": N_("The ID token hint is valid, or missing"),
    "pushed_request": N_("The request was pushed and still waits, or was not pushed"),
    "signed_request": N_("The request object is signed by the client, or missing"),
    "required_form": N_("The request is pushed and signed as the client needs it"),
}
"""The sentence for each rule: how it passes."""
REFUSALS: Final[dict[AuthorizationRule, str]] = {
    "address": N_("The URL leads somewhere else"),
    "parameters": N_("The parameters cannot be read"),
    "client": N_("The client is unknown or disabled"),
    "redirect_uri": N_("The redirect URI is not registered"),
    "response_mode": N_("The response mode is not supported"),
    "repeated_parameters": N_("A parameter is repeated"),
    "request_object": N_("Request objects are not supported"),
    "response_type": N_("The response type is not `code`, or the client may not use it"),
    "pkce": N_("The `code_challenge` (PKCE) is missing or wrong"),
    "scope": N_("A scope is not allowed for this client"),
    "resource": N_("A resource is unknown"),
    "prompt": N_("`prompt` or `max_age` is not valid"),
    "claims": N_("`claims` is not valid"),
    "acr_values": N_("The requested class of sign-in is not possible"),
    "id_token_hint": N_("The ID token hint is not valid"),
    "pushed_request": N_("The pushed request is unknown, used or expired"),
    "signed_request": N_("The request object is not valid"),
    "required_form": N_("The client needs pushed or signed requests"),
}
"""The sentence for each rule: how it refuses."""
NO_URL: Final = N_("Paste the URL to which your client sends people.")


async def ask(visit: Visit) -> GatewayResponse:
    """GET …/clients/check"""
    if not visit.may("clients:read"):
        raise Forbidden
    return _show(visit)


async def check(visit: Visit) -> GatewayResponse:
    """POST …/clients/check: a URL may contain a hint or a state, so it is in no address or log."""
    url = visit.fields.text("url")
    try:
        report = await visit.call(CheckAuthorizationUrl(url=url))
    except ValidationError:
        return _show(visit, errors={"url": visit.open().translate(NO_URL)})
    return _show(visit, report)


def _show(
    visit: Visit,
    report: AuthorizationUrlReport | None = None,
    errors: dict[str, str] | None = None,
) -> GatewayResponse:
    url = f"{visit.managed.tenant.origin}/oauth2/authorize?client_id=…"
    return visit.show(
        "client_check.html",
        errors=errors,
        values={"url": visit.fields.text("url")[:MAX_URL]},
        report=report,
        names=RULES,
        refusals=REFUSALS,
        most=MAX_URL,
        api=curl(visit.managed.tenant, "POST", "/clients/check", {"url": url}),
    )


routes = RouteSet((dashboard_page(HERE, ask), dashboard_form(HERE, check)))
