"""The signing keys of an application, and their rotation. Operators see those of the Dashboard itself."""

from __future__ import annotations

from typing import Final

from common.context import Context
from common.contracts.keys import ListSigningKeys, RotateSigningKeys, TooManySigningKeys
from common.contracts.tenants import Tenant
from common.message_ids import N_
from common.problems import Forbidden
from gateway.auth.managed_application import managed_application
from gateway.dashboard.api_call import curl, curl_in_dashboard
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.platform_pages import platform_form, platform_page
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.routing import RouteSet

PATH: Final = f"{APPLICATIONS}/{{slug}}/signing-keys"
STATES: Final = {
    "next": N_("Published, does not sign yet"),
    "active": N_("Signs"),
    "retiring": N_("Verifies only"),
}


WRITES: Final = "settings:write"
NOTICES: Final = {
    "published": N_("The next keys are published. They do not sign yet."),
    "replaced": N_("New keys sign from now on. The replaced ones only verify."),
}
TOO_MANY: Final = N_(
    "Nothing was rotated: too many replaced keys still verify. Wait until one of them has ended."
)


async def show(visit: Visit) -> GatewayResponse:
    """GET …/signing-keys"""
    return await _show(visit)


async def _show(visit: Visit, *, refusal: str | None = None) -> GatewayResponse:
    tenant, ctx = await _place(visit)
    listed = await visit.gateway.bus.call(ctx, ListSigningKeys())
    return visit.show(
        "signing_keys.html",
        409 if refusal else None,
        keys=listed.signing_keys,
        states=STATES,
        jwks=f"{tenant.origin}/oauth2/jwks.json",
        command=f"aero2 keys rotate {tenant.slug}",
        writes=ctx.caller.may(WRITES),
        done=NOTICES.get(visit.fields.text("done")),
        refusal=refusal,
        address=f"{visit.home}/signing-keys",
        api=_curl(visit, tenant),
    )


async def _place(visit: Visit) -> tuple[Tenant, Context]:
    """Returns the application whose keys the page shows, and the Context in it."""
    if visit.application:
        return visit.application.tenant, visit.ctx
    tenant = visit.request.app  # the Dashboard's keys are read as those of any application
    dashboard = await managed_application(visit.gateway, visit.request, visit.team_ctx, tenant.slug)
    return tenant, dashboard.ctx


async def ask(visit: Visit) -> GatewayResponse:
    """GET …/signing-keys/rotate"""
    tenant, ctx = await _place(visit)
    if not ctx.caller.may(WRITES):
        raise Forbidden
    return visit.show("signing_keys_rotate.html", api=_curl(visit, tenant, rotates=True))


async def rotate(visit: Visit) -> GatewayResponse:
    """POST …/signing-keys/rotate. Sent twice, the form rotates once."""
    _, ctx = await _place(visit)
    if not ctx.caller.may(WRITES):
        raise Forbidden
    now = visit.fields.text("when") == "now"
    try:
        await visit.gateway.bus.call(ctx, RotateSigningKeys(now=now))
    except TooManySigningKeys:
        return await _show(visit, refusal=visit.open().translate(TOO_MANY))
    done = "replaced" if now else "published"
    return redirect(at(f"{visit.home}/signing-keys", done=done))


def _curl(visit: Visit, tenant: Tenant, *, rotates: bool = False) -> str:
    """Returns the call for the list, or for a rotation at once."""
    method, path = ("POST", "/signing-keys/rotate") if rotates else ("GET", "/signing-keys")
    body = {"now": True} if rotates else None
    if visit.of_platform:
        return curl_in_dashboard(tenant, method, f"/applications/{tenant.slug}{path}", body)
    return curl(tenant, method, path, body)


routes = RouteSet(
    (
        dashboard_page(PATH, show),
        dashboard_page(f"{PATH}/rotate", ask, fresh=True),
        dashboard_form(f"{PATH}/rotate", rotate),
        platform_page("/signing-keys", show),
        platform_page("/signing-keys/rotate", ask, fresh=True),
        platform_form("/signing-keys/rotate", rotate, fresh=True),
    )
)
