"""The signing keys of an application. Operators see those of the Dashboard itself."""

from __future__ import annotations

from typing import Final

from common.contracts.keys import ListSigningKeys
from common.contracts.tenants import Tenant
from common.message_ids import N_
from gateway.auth.managed_application import managed_application
from gateway.dashboard.api_call import curl, curl_in_dashboard
from gateway.dashboard.page_routes import dashboard_page
from gateway.dashboard.platform_pages import platform_page
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse
from gateway.routing import RouteSet

PATH: Final = f"{APPLICATIONS}/{{slug}}/signing-keys"
STATES: Final = {
    "next": N_("Published, does not sign yet"),
    "active": N_("Signs"),
    "retiring": N_("Verifies only"),
}


async def show(visit: Visit) -> GatewayResponse:
    """GET …/signing-keys"""
    tenant = visit.application.tenant if visit.application else visit.request.app
    ctx = visit.ctx
    if visit.of_platform:  # settings of the Dashboard are read as those of any application
        dashboard = await managed_application(
            visit.gateway, visit.request, visit.team_ctx, tenant.slug
        )
        ctx = dashboard.ctx
    listed = await visit.gateway.bus.call(ctx, ListSigningKeys())
    return visit.show(
        "signing_keys.html",
        keys=listed.signing_keys,
        states=STATES,
        jwks=f"{tenant.origin}/oauth2/jwks.json",
        command=f"aero2 keys rotate {tenant.slug}",
        api=_curl(visit, tenant),
    )


def _curl(visit: Visit, tenant: Tenant) -> str:
    if visit.of_platform:
        return curl_in_dashboard(tenant, "GET", f"/applications/{tenant.slug}/signing-keys")
    return curl(tenant, "GET", "/signing-keys")


routes = RouteSet((dashboard_page(PATH, show), platform_page("/signing-keys", show)))
