"""The origins of an application's OAuth clients, which may call some endpoints from the browser."""

from __future__ import annotations

from common.context import SYSTEM_CALLER
from common.contracts.client_origins import ListOrigins
from gateway.http.cors import FOR_CLIENTS
from gateway.http.request import GatewayRequest
from gateway.state import Gateway


async def is_client_origin(gateway: Gateway, request: GatewayRequest) -> bool:
    """Returns whether the Origin header names a page of one of the application's OAuth clients. Asks
    oidc only if that makes a difference."""
    origin, app = request.header(b"origin"), request.app
    if request.path not in FOR_CLIENTS or origin in (request.origin, *app.settings.allowed_origins):
        return False

    async def load() -> frozenset[str]:
        system_ctx = request.context(SYSTEM_CALLER)
        return frozenset((await gateway.bus.call(system_ctx, ListOrigins())).origins)

    origins = await gateway.origins.fetch(
        (app.app_id, "origins"),
        load,
        tags=lambda _: [("origin", "any"), ("application", app.app_id)],
    )
    return origin in origins
