"""The classes of sign-in (`common.acr`) that an application's pages support, and how."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from common import acr
from common.context import Context
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps

Way = Literal["password", "mail"]

WAYS: Final[dict[str, Way]] = {acr.PASSWORD: "password", acr.MAIL: "mail"}
METHODS: Final[dict[Way, frozenset[str]]] = {
    "password": frozenset({"password"}),
    "mail": frozenset({"email_code", "magic_link"}),
}


def supported(methods: Iterable[str]) -> list[str]:
    """Returns the classes that these sign-in methods can reach, the most general one first."""
    enabled = set(methods)
    return [acr.ONE_FACTOR, *(name for name, way in WAYS.items() if METHODS[way] & enabled)]


async def reachable(deps: Deps, ctx: Context, request: AuthorizationRequest) -> list[str]:
    """Returns the requested classes that a new sign-in can reach, in the client's order."""
    if not request.acr_values:
        return []
    names = supported((await deps.tenants.get(ctx)).settings.auth_methods)
    return [name for name in request.acr_values if name in names]


async def sign_in_way(deps: Deps, ctx: Context, request: AuthorizationRequest) -> Way | None:
    """Returns how the user has to sign in for the client's first choice. None: in any way."""
    names = await reachable(deps, ctx, request)
    return WAYS.get(names[0]) if names else None
