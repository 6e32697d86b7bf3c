"""The device authorization endpoint (RFC 8628 section 3.1), and the page on which a user types the code."""

from __future__ import annotations

from common.contracts.authorization import Authorization
from common.contracts.device_authorization import (
    StartDeviceAuthorization,
    UserCodeUnknown,
    VerifyUserCode,
)
from common.ip_addresses import client_network
from common.problems import NotFound, RateLimited, Unauthenticated
from gateway.admission.admission import admission_of
from gateway.admission.flood_limits import PENDING_AUTHORIZATION
from gateway.auth import browser_sessions, session_choices
from gateway.http.authorization import basic_credentials
from gateway.http.forms import form
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse
from gateway.oauth.authorize import follow
from gateway.oauth.browser_accounts import Accounts, accounts_of
from gateway.oauth.client_calls import call_as_client, present_client
from gateway.pages.device_pages import PATH, ask_code
from gateway.pages.fields import Fields
from gateway.pages.form_errors import errors_of
from gateway.pages.page_routes import user_form_route, user_page_route
from gateway.pages.render import open_page
from gateway.routing import ErrorStyle, HostKind, Route, RouteSet
from gateway.state import Gateway, SignedInUser

ENDPOINT = "/oauth2/device_authorization"
MAX_TYPED = 60
"""Characters that somebody may type as a code."""


async def start(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """POST /oauth2/device_authorization. Each call makes a row that waits, so they are limited like pending
    authorization requests."""
    call = StartDeviceAuthorization(params=await form(request), basic=basic_credentials(request))
    present_client(request, dict(call.params), call.basic)
    admission, network = admission_of(request), client_network(request.ip)
    admission.charge(PENDING_AUTHORIZATION, network)
    response = await call_as_client(gateway, request, call)
    if response.status != 200:
        admission.refund(PENDING_AUTHORIZATION, network)
    return response


async def ask(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """GET /device: the form for the code. `user_code` in the address only fills it in."""
    _check_is_on(request)
    return ask_code(open_page(gateway, request, user), fields.text("user_code"))


async def enter(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /device: leads to the page that asks about the device of the code."""
    _check_is_on(request)
    accounts = await accounts_of(gateway, request)
    user_code = fields.text("user_code")
    try:
        authorization = await _verify(gateway, request, accounts, user_code)
    except (UserCodeUnknown, RateLimited) as error:
        page = open_page(gateway, request, user)
        return ask_code(page, user_code, errors_of(page.language, error))
    return await follow(gateway, request, accounts, authorization)


async def _verify(
    gateway: Gateway, request: GatewayRequest, accounts: Accounts, user_code: str
) -> Authorization:
    session = browser_sessions.session_facts(accounts.user)
    if session is None:
        raise Unauthenticated
    call = VerifyUserCode(
        user_code=user_code[:MAX_TYPED],
        session=session,
        others=accounts.other_sessions(),
        choices=session_choices.choices(gateway, request),
    )
    return await gateway.bus.call(request.context(), call)


def _check_is_on(request: GatewayRequest) -> None:
    """Raises NotFound if the application has no device authorization."""
    if not request.app.settings.device_authorization:
        raise NotFound("this application has no device authorization")


routes = RouteSet(
    (
        Route(HostKind.APPLICATION, "POST", ENDPOINT, start, ErrorStyle.OAUTH),
        user_page_route(PATH, ask),
        user_form_route(PATH, enter),
    )
)
