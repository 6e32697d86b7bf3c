"""Signing in with an identity provider: to it, and back from it."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from pydantic import ValidationError

from common.context import Context
from common.contracts.identity_providers import ProviderNotFound
from common.contracts.provider_sign_in import (
    CALLBACK_PATH,
    Failure,
    FinishProviderSignIn,
    KeepFormPost,
    ProviderAway,
    ProviderOutcome,
    ProviderResponseSpent,
    StartProviderSignIn,
)
from common.contracts.sign_in import MethodOff
from gateway.auth import remembered_devices
from gateway.auth.caller import user_even_without_rights
from gateway.http import csrf
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages import (
    default_destination,
    flow_cookie,
    provider_buttons,
    provider_confirmation,
    provider_outcome,
)
from gateway.pages import errors as error_pages
from gateway.pages.fields import Fields, at, local, read_form, read_query
from gateway.pages.page_routes import page_route
from gateway.pages.render import PageView, open_page
from gateway.pages.sign_up import invitation_token
from gateway.routing import ErrorStyle, HostKind, Route, RouteSet
from gateway.state import Gateway

RESPONSE: Final = ("code", "iss", "error", "error_description", "user")
"""The parameters of a provider's response that are read, in addition to `state`."""
LONGEST: Final = 8_000
"""Characters of each."""
LONGEST_STATE: Final = 200


async def start(gateway: Gateway, request: GatewayRequest, fields: Fields) -> GatewayResponse:
    """GET /rp/authorize?idp=: to the provider. The user comes back to this browser alone, and goes on to a
    path of this host or to the pending request. With `again`, the signed-in user confirms who they are."""
    pending = fields.text_or_none("request")
    if (over := await error_pages.sign_in_over(gateway, request, pending)) is not None:
        return over
    page = open_page(gateway, request)
    going = fields.text_or_none("redirect_uri") or fields.text_or_none("return_to")
    destination = local(going, default_destination.of(request.app))
    if pending:
        destination = at("/oauth2/authorize/resume", request=pending)
    confirms = "again" in fields and not pending
    user = await user_even_without_rights(gateway, request) if confirms else None
    try:
        if user is not None:
            return await provider_confirmation.to_provider(
                page, user, fields.text("idp"), destination
            )
        call = StartProviderSignIn(
            idp=fields.text("idp"),
            browser=csrf.browser_id(gateway.settings, request),
            destination=destination,
            remember=flow_cookie.read(request).remember,
            invitation=fields.text_or_none("invitation") or invitation_token(fields),
            choose_account="select" in fields,
            login_hint=fields.text_or_none("login_hint"),
            locale=page.language.code,
        )
        return redirect((await gateway.bus.call(request.context(), call)).url)
    except (ValidationError, ProviderNotFound, MethodOff):
        return _ended(page, "provider_off", destination)
    except ProviderAway:
        return _ended(page, "provider_failed", destination)


def _ended(page: PageView, failure: Failure, going: str) -> GatewayResponse:
    outcome = ProviderOutcome(kind="failed", failure=failure, destination=going)
    return provider_outcome.failed(page, outcome)


async def callback(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /rp/callback/{idp}: the provider's response, or its state alone if it was posted"""
    page, fields = open_page(gateway, request), read_query(request)
    has_browser = csrf.has_browser_id(gateway.settings, request)
    try:
        call = FinishProviderSignIn(
            idp=_provider(request),
            state=fields.text("state"),
            browser=csrf.browser_id(gateway.settings, request) if has_browser else None,
            locale=page.language.code,
            devices=remembered_devices.values(gateway, request),
            response=_response(fields),
        )
    except ValidationError:
        return _ended(page, "over", default_destination.of(request.app))
    outcome = await gateway.bus.call(await _context(gateway, request), call)
    return await provider_outcome.answer(gateway, request, page, outcome)


async def posted(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """POST /rp/callback/{idp}: the response of a provider that has the browser post it. Browsers send no
    cookies with such a post. So it is kept, and the browser comes back by GET, with its cookies. This
    response sets none: it would replace those that the browser did not send."""
    fields = await read_form(request)
    state = fields.text("state")[:LONGEST_STATE]
    again = f"{CALLBACK_PATH}{quote(_provider(request)[:100], safe='')}"
    try:
        call = KeepFormPost(idp=_provider(request), state=state, response=_response(fields))
        await gateway.bus.call(request.context(), call)
    except (ValidationError, ProviderResponseSpent):
        pass  # the GET says what is wrong
    return redirect(at(again, state=state))


def _provider(request: GatewayRequest) -> str:
    return request.path.removeprefix(CALLBACK_PATH)


def _response(fields: Fields) -> dict[str, str]:
    return {name: fields[name][:LONGEST] for name in RESPONSE if fields.get(name)}


async def _context(gateway: Gateway, request: GatewayRequest) -> Context:
    """Returns the context of the signed-in user, who may have started to connect an account. Somebody who
    acts as a user connects nothing and is nobody here."""
    user = await user_even_without_rights(gateway, request)
    if user is None or user.session.actor is not None:
        return request.context()
    return request.context(user.caller)


routes = RouteSet(
    (
        page_route(provider_buttons.START, start),
        Route(HostKind.APPLICATION, "GET", f"{CALLBACK_PATH}{{idp}}", callback, ErrorStyle.PAGE),
        Route(HostKind.APPLICATION, "POST", f"{CALLBACK_PATH}{{idp}}", posted, ErrorStyle.PAGE),
    )
)
