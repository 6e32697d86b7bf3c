"""The clients that the user allowed something, and taking that back."""

from __future__ import annotations

from pydantic import ValidationError

from common.contracts.clients import ClientNotFound
from common.contracts.consents import Grant, ListMyGrants, RevokeMyGrant
from common.contracts.device_authorization import (
    DeviceSignIn,
    DeviceSignInNotFound,
    ListMyDeviceSignIns,
    RevokeMyDeviceSignIn,
)
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
        devices=await _devices(page, user),
        shown=lambda grant: client_names.in_list(page, grant.client_name, grant.unverified_host),
        errors=errors,
    )


async def _devices(page: PageView, user: SignedInUser) -> list[DeviceSignIn]:
    """Returns the devices that are signed in by a code, if the application has such a sign-in."""
    if not page.app.settings.device_authorization:
        return []
    call = ListMyDeviceSignIns()
    reply = await page.gateway.bus.call(page.request.context(user.caller), call)
    return [one for one in reply.devices if one.state in ("approved", "signed_in")]


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


async def sign_out_device(
    gateway: Gateway, request: GatewayRequest, fields: Fields, user: SignedInUser
) -> GatewayResponse:
    """POST /account/apps/devices"""
    page = open_page(gateway, request, user)
    try:
        call = RevokeMyDeviceSignIn(device_id=fields.text("device_id"))
        await gateway.bus.call(request.context(user.caller), call)
    except (DeviceSignInNotFound, ValidationError):
        errors = {"": page.translate("This device is already signed out.")}
        return await _list(page, fields, user, errors)
    return redirect(at(HERE, done="device"))


routes = RouteSet(
    (
        user_page_route(HERE, show),
        user_form_route(HERE, withdraw),
        user_form_route(f"{HERE}/devices", sign_out_device, page_path=HERE),
    )
)
