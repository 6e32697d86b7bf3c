"""Capabilities that an application switches on. Before that, its token endpoint does not have them."""

from __future__ import annotations

from typing import Final

from common.context import Context
from common.contracts.app_settings import AppSettings
from common.contracts.oauth_errors import UnsupportedGrantType
from common.grant_types import DEVICE_CODE
from common.ids import DASHBOARD
from oidc.deps import Deps

TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def switched_off(app_id: str, settings: AppSettings) -> set[str]:
    """Returns the grant types that this application does not have. Tokens of the Dashboard administer all
    applications of a developer, so they are never made from other tokens."""
    off = set()
    if not settings.device_authorization:
        off.add(DEVICE_CODE)
    if not settings.token_exchange or app_id == DASHBOARD:
        off.add(TOKEN_EXCHANGE)
    if not settings.jwt_bearer or app_id == DASHBOARD:
        off.add(JWT_BEARER)
    return off


async def check_token_exchange(deps: Deps, ctx: Context) -> None:
    """Raises UnsupportedGrantType unless the application has token exchange."""
    await _check(deps, ctx, TOKEN_EXCHANGE)


async def check_jwt_bearer(deps: Deps, ctx: Context) -> None:
    """Raises UnsupportedGrantType unless the application accepts assertions of identity providers."""
    await _check(deps, ctx, JWT_BEARER)


async def check_device_code(deps: Deps, ctx: Context) -> None:
    """Raises UnsupportedGrantType unless the application has device authorization."""
    await _check(deps, ctx, DEVICE_CODE)


async def _check(deps: Deps, ctx: Context, grant_type: str) -> None:
    settings = (await deps.tenants.get(ctx)).settings
    if grant_type in switched_off(ctx.app_id, settings):
        raise UnsupportedGrantType
