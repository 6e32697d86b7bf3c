"""The ways in which a user signs in: password, connected accounts and passkeys; and their second factors."""

from __future__ import annotations

import asyncio
from typing import Final

from common.contracts.identities import ListUserIdentities, UnlinkUserIdentity
from common.contracts.passkeys import ListUserPasskeys, RemoveUserPasskey
from common.contracts.second_factors import ResetSecondFactors
from common.problems import Forbidden
from gateway.dashboard.api_call import curl
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.user_frame import USER, act, get_user, show_user
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

TAB: Final = "/ways-in"
PATH: Final = USER + TAB
RESET: Final = f"{USER}/reset-factors"


async def show(visit: Visit) -> GatewayResponse:
    """GET …/users/{user_id}/ways-in"""
    return await _show(visit, None)


async def _show(visit: Visit, errors: Errors | None) -> GatewayResponse:
    id = visit.parameters["user_id"]
    user, connected, stored = await asyncio.gather(
        visit.call(get_user(visit)),
        visit.call(ListUserIdentities(user_id=id)),
        visit.call(ListUserPasskeys(user_id=id)),
    )
    return show_user(
        visit,
        "user_ways_in.html",
        user,
        TAB,
        identities=connected.identities,
        passkeys=stored.passkeys,
        errors=errors,
        api=curl(visit.managed.tenant, "GET", f"/users/{user.id}/passkeys"),
    )


async def remove_passkey(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}/ways-in/passkeys/{passkey_id}/remove"""
    call = RemoveUserPasskey(
        user_id=visit.parameters["user_id"], passkey_id=visit.parameters["passkey_id"]
    )
    return await act(visit, call, _show, path=TAB, done="passkey_removed")


async def disconnect(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}/ways-in/accounts/{link_id}/disconnect"""
    call = UnlinkUserIdentity(
        user_id=visit.parameters["user_id"], link_id=visit.parameters["link_id"]
    )
    return await act(visit, call, _show, path=TAB, done="disconnected")


async def ask_reset(visit: Visit) -> GatewayResponse:
    """GET …/users/{user_id}/reset-factors: says what will be removed"""
    if not visit.may("users:write"):
        raise Forbidden
    return await _ask_reset(visit, None)


async def _ask_reset(visit: Visit, errors: Errors | None) -> GatewayResponse:
    user = await visit.call(get_user(visit))
    call = curl(visit.managed.tenant, "DELETE", f"/users/{user.id}/mfa")
    return show_user(visit, "user_reset_factors.html", user, TAB, errors=errors, api=call)


async def reset(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}/reset-factors"""
    call = ResetSecondFactors(user_id=visit.parameters["user_id"])
    return await act(visit, call, _ask_reset, path=TAB, done="factors")


routes = RouteSet(
    (
        dashboard_page(PATH, show),
        dashboard_form(f"{PATH}/passkeys/{{passkey_id}}/remove", remove_passkey, page_path=PATH),
        dashboard_form(f"{PATH}/accounts/{{link_id}}/disconnect", disconnect, page_path=PATH),
        dashboard_page(RESET, ask_reset, fresh=True),
        dashboard_form(RESET, reset),
    )
)
