"""Which classes of sign-in (`common.acr`) an application's pages can bring about, and by which way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from common import acr
from common.context import Context
from oidc.deps import Deps
from oidc.request import AuthorizationRequest

Way = Literal["password", "mail"]

WAYS: Final[dict[str, Way]] = {acr.PASSWORD: "password", acr.MAIL: "mail"}
METHODS: Final[dict[Way, frozenset[str]]] = {
    "password": frozenset({"password"}),
    "mail": frozenset({"email_code", "magic_link"}),
}


def offered(methods: Iterable[str]) -> list[str]:
    """What an application with these ways of signing in can give; the widest first."""
    has = set(methods)
    return [acr.ONE_FACTOR, *(name for name, way in WAYS.items() if METHODS[way] & has)]


async def reachable(deps: Deps, ctx: Context, request: AuthorizationRequest) -> list[str]:
    """Of the wanted classes those that a new sign-in can earn, in the client's order."""
    if not request.contexts:
        return []
    possible = offered((await deps.tenants.get(ctx)).settings.auth_methods)
    return [name for name in request.contexts if name in possible]


async def way(deps: Deps, ctx: Context, request: AuthorizationRequest) -> Way | None:
    """How the person has to sign in for what the client wants most; None: as he likes."""
    wanted = await reachable(deps, ctx, request)
    return WAYS.get(wanted[0]) if wanted else None
