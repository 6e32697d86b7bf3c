"""The grants of a client: which users gave it access, and taking that back."""

from __future__ import annotations

import asyncio
from typing import Final

from common.contracts.consents import ListClientGrants, RevokeClientGrants
from common.message_ids import N_
from common.problems import Forbidden
from gateway.dashboard.api_call import curl
from gateway.dashboard.client import find, name_of, of_client
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.routing import RouteSet

HERE: Final = f"{APPLICATIONS}/{{slug}}/clients/{{client}}/grants"
PAGE_SIZE: Final = 50
NOTICES: Final = {
    "revoked": N_("The access is revoked. The client's tokens for this user stopped working."),
    "all_revoked": N_("All access is revoked. The client's tokens stopped working."),
}


async def show(visit: Visit) -> GatewayResponse:
    """GET …/grants"""
    cursor = visit.fields.text_or_none("cursor")
    grants = ListClientGrants(client=name_of(visit), limit=PAGE_SIZE, cursor=cursor)
    client, listed = await asyncio.gather(find(visit), visit.call(grants))
    there = f"{visit.home}/clients/{client.client_id}/grants"
    return visit.show(
        "client_grants.html",
        part="client_grants_list.html",
        grants=listed.grants,
        more=at(there, cursor=listed.next) if listed.next else None,
        done=NOTICES.get(visit.fields.text("done")),
        api=curl(visit.managed.tenant, "GET", f"/clients/{client.client_id}/grants"),
        **of_client(visit, client),
    )


async def revoke(visit: Visit) -> GatewayResponse:
    """POST …/grants/revoke: that of one user, or all."""
    client = await find(visit)
    user_id = visit.fields.text_or_none("user_id")
    if user_id is None and visit.fields.get("all") != "yes":
        raise Forbidden
    await visit.call(RevokeClientGrants(client=client.client_id, user_id=user_id))
    done = "revoked" if user_id else "all_revoked"
    return redirect(at(f"{visit.home}/clients/{client.client_id}/grants", done=done))


async def ask_revocation(visit: Visit) -> GatewayResponse:
    """GET …/grants/revoke: before the access of all users is revoked."""
    if not visit.may("clients:write"):
        raise Forbidden
    client = await find(visit)
    return visit.show(
        "client_grants_revoke.html",
        api=curl(visit.managed.tenant, "DELETE", f"/clients/{client.client_id}/grants"),
        **of_client(visit, client),
    )


routes = RouteSet(
    (
        dashboard_page(HERE, show),
        dashboard_page(f"{HERE}/revoke", ask_revocation),
        dashboard_form(f"{HERE}/revoke", revoke, page_path=HERE),
    )
)
