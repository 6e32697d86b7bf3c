"""The grants of a user: which clients they gave access, and taking that back."""

from __future__ import annotations

import asyncio
from typing import Final

from common.contracts.consents import ListUserGrants, RevokeUserGrant
from common.contracts.device_authorization import (
    DeviceSignIn,
    ListUserDeviceSignIns,
    RevokeUserDeviceSignIn,
)
from common.message_ids import N_
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.user_frame import USER, act, get_user, show_user
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

TAB: Final = "/grants"
PATH: Final = USER + TAB
DEVICE_STATES: Final = {
    "approved": ("warn", N_("Allowed, tokens not fetched yet")),
    "signed_in": ("good", N_("Signed in")),
    "ended": ("", N_("Ended")),
    "denied": ("bad", N_("Refused")),
}
"""By state of a device: the tone and the words of the page."""


async def show(visit: Visit) -> GatewayResponse:
    """GET …/users/{user_id}/grants"""
    return await _show(visit, None)


async def _show(visit: Visit, errors: Errors | None) -> GatewayResponse:
    user, listed, devices = await asyncio.gather(
        visit.call(get_user(visit)),
        visit.call(ListUserGrants(user_id=visit.parameters["user_id"])),
        _devices(visit),
    )
    return show_user(
        visit,
        "user_grants.html",
        user,
        TAB,
        grants=listed.grants,
        devices=devices,
        states=DEVICE_STATES,
        errors=errors,
    )


async def _devices(visit: Visit) -> list[DeviceSignIn] | None:
    """Returns the devices that the user signed in by a code. Returns None if the application has no such
    sign-in."""
    if not visit.managed.tenant.settings.device_authorization:
        return None
    reply = await visit.call(ListUserDeviceSignIns(user_id=visit.parameters["user_id"]))
    return reply.devices


async def revoke(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}/grants/revoke: the client is named in the form"""
    call = RevokeUserGrant(
        user_id=visit.parameters["user_id"], client_id=visit.fields.text("client_id")
    )
    return await act(visit, call, _show, path=TAB, done="grant_revoked")


async def sign_out(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}/grants/devices: the device is named in the form"""
    call = RevokeUserDeviceSignIn(
        user_id=visit.parameters["user_id"], device_id=visit.fields.text("device_id")
    )
    return await act(visit, call, _show, path=TAB, done="device_signed_out")


routes = RouteSet(
    (
        dashboard_page(PATH, show),
        dashboard_form(f"{PATH}/revoke", revoke, page_path=PATH),
        dashboard_form(f"{PATH}/devices", sign_out, page_path=PATH),
    )
)
