"""The device authorization endpoint (RFC 8628 section 3.1)."""

from __future__ import annotations

from typing import Final

from common.context import Context
from common.contracts.device_authorization import DeviceAuthorization, StartDeviceAuthorization
from common.contracts.oauth_errors import UnauthorizedClient
from common.crypto import token
from common.events.device_authorization import DeviceStarted
from common.grant_types import DEVICE_CODE
from common.ids import new_id
from common.problems import Unavailable
from oidc import client_auth, grant_policy, oauth_parameters, user_codes
from oidc.deps import Deps
from oidc.queries import device_codes
from oidc.queries.clients import RegisteredClient
from oidc.queries.device_codes import NewDeviceCode

PAGE: Final = "/device"
LIFETIME: Final = 600
"""Seconds until the codes expire."""
INTERVAL: Final = 5
"""Seconds between two polls."""
AGENT: Final = 200
"""Characters kept of what a device says of itself."""
TRIES: Final = 5
"""User codes that are made until one is free. A second one is hardly ever needed."""


async def start(deps: Deps, ctx: Context, request: StartDeviceAuthorization) -> DeviceAuthorization:
    """Authenticates the client as the token endpoint does, and returns the codes of a device."""
    parameters = oauth_parameters.without_repeats(request.params)
    client = await client_auth.authenticate(deps, ctx, parameters, request.basic)
    await check_client(deps, ctx, client)
    scopes = await grant_policy.select_scopes(deps, ctx, client, parameters.get("scope"))
    resource = await grant_policy.select_resources(deps, ctx, parameters.values_of("resource"))
    device_code = token("dc_")
    user_code = await _store(
        deps, ctx, client, device_code=device_code, scopes=scopes, resource=resource
    )
    deps.activity.note(ctx, DeviceStarted(client_id=client.client_id, scopes=scopes))
    page, printed_code = f"{ctx.origin}{PAGE}", user_codes.printed(user_code)
    return DeviceAuthorization(
        device_code=device_code,
        user_code=printed_code,
        verification_uri=page,
        verification_uri_complete=f"{page}?user_code={printed_code}",
        expires_in=LIFETIME,
        interval=INTERVAL,
    )


async def check_client(deps: Deps, ctx: Context, client: RegisteredClient) -> None:
    """Raises UnauthorizedClient unless the client has the grant type, and the application allows it."""
    grant_policy.check_client(client, DEVICE_CODE)
    if not (await deps.tenants.get(ctx)).settings.device_authorization:
        raise UnauthorizedClient("this application has no device authorization")


async def _store(
    deps: Deps,
    ctx: Context,
    client: RegisteredClient,
    *,
    device_code: str,
    scopes: list[str],
    resource: list[str],
) -> str:
    """Stores the device under a user code that is free. Returns that code."""
    for _ in range(TRIES):
        user_code = user_codes.generate()
        new = NewDeviceCode(
            app_id=ctx.app_id,
            device_code_hash=deps.keys.hash("device-code", device_code),
            user_code_hash=deps.keys.hash("user-code", user_code),
            family_id=new_id(),
            client_id=client.client_id,
            client_epoch=client.epoch,
            scopes=scopes,
            resource=resource,
            ip_address=ctx.ip,
            user_agent=ctx.agent[:AGENT] if ctx.agent else None,
            poll_interval=INTERVAL,
            lifetime=LIFETIME,
        )
        async with deps.db.autocommit(ctx) as db:
            if await device_codes.insert(db, new):
                return user_code
    raise Unavailable("no user code is free")
