"""The policy of what a client may be granted. Every grant asks this when it starts, and again when it is redeemed.

Here are the conditions that need no row: the client, its grant types, scopes and resources. The user, their
session, the epochs and revocations are conditions of the statement that redeems the grant, because they may
change at any moment: see `queries/family_start.py`, and docs/adr/0037.
"""

from __future__ import annotations

from typing import Final

from common.context import Context
from common.contracts.oauth_errors import (
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    InvalidTarget,
    UnauthorizedClient,
)
from oidc import redirect_uris, scope_catalogue, scope_ceiling
from oidc.deps import Deps
from oidc.queries.clients import RegisteredClient

CONFIDENTIAL: Final = frozenset(
    {
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
    }
)
"""Grant types that a client without credentials may not use."""


def check_client(client: RegisteredClient, grant_type: str) -> None:
    """Raises InvalidClient if the client is disabled, and UnauthorizedClient unless it may use the grant
    type (RFC 6749 section 5.2)."""
    if not client.enabled:
        raise InvalidClient("the client is unknown")
    if grant_type not in client.grant_types:
        raise UnauthorizedClient("this client may not use this grant type")
    if grant_type in CONFIDENTIAL and client.public:
        raise UnauthorizedClient(f"a public client cannot use {grant_type}")


async def select_scopes(
    deps: Deps, ctx: Context, client: RegisteredClient, scope: str | None, *, has_user: bool = True
) -> list[str]:
    """Returns the requested scopes that exist, without `offline_access` if the client has no refresh
    tokens, and without those above the ceiling of clients that nobody of the application registered. Raises
    InvalidScope for one that the client may not have, and for one that needs a user if there is none."""
    names = await scope_catalogue.select_allowed(deps, ctx, client, scope_catalogue.parse(scope))
    if client.source != "developer":
        names = scope_ceiling.within(await scope_ceiling.get(deps, ctx), names)
    if not has_user and scope_catalogue.NEEDS_USER & set(names):
        raise InvalidScope("a requested scope needs a user, and this grant has none")
    if "refresh_token" not in client.grant_types:
        names = [name for name in names if name != "offline_access"]
    return names


async def select_resources(deps: Deps, ctx: Context, requested: list[str]) -> list[str]:
    """Returns the requested resources, each once. Raises InvalidTarget for an unknown one."""
    return await scope_catalogue.check_resources(deps, ctx, requested)


def check_epoch(client: RegisteredClient, client_epoch: int) -> None:
    """Raises InvalidGrant if the client was disabled since the grant was started."""
    if client_epoch != client.epoch:
        raise InvalidGrant("the client's grants were revoked")


def narrow_scopes(scope: str | None, granted: list[str]) -> list[str]:
    """Returns the requested scopes, or all granted ones. Raises InvalidScope for another one (RFC 6749
    section 6)."""
    names = scope_catalogue.parse(scope)
    if not set(names) <= set(granted):
        raise InvalidScope("a requested scope was not granted")
    return names or granted


def narrow_resources(requested: list[str], granted: list[str]) -> list[str] | None:
    """Returns the requested resources as they were granted, or None for all of them. Raises InvalidTarget
    for another one (RFC 8707 section 2.2). An empty path equals `/`."""
    narrowed: dict[str, None] = {}
    for identifier in requested:
        spellings = (identifier, redirect_uris.other_spelling(identifier))
        name = next((spelling for spelling in spellings if spelling in granted), None)
        if name is None:
            raise InvalidTarget("the resource was not part of the authorization")
        narrowed[name] = None
    return list(narrowed) or None


def granted_resources(ctx: Context, client: RegisteredClient, resource: list[str]) -> list[str]:
    """Returns the APIs that a grant is for: its resources, the client's default ones, or our own API."""
    return resource or client.default_resources or [ctx.origin]
