"""The APIs that an access token is for (RFC 8707)."""

from __future__ import annotations

from dataclasses import dataclass

from common.context import Context
from oidc import scope_catalogue
from oidc.deps import Deps
from oidc.queries.clients import RegisteredClient


@dataclass(frozen=True, slots=True)
class Target:
    """The APIs that an access token is for, and its lifetime (in seconds) and algorithm there."""

    audience: list[str]
    lifetime: int
    alg: str


async def find(deps: Deps, ctx: Context, client: RegisteredClient, resource: list[str]) -> Target:
    """Returns what the token is for: the resources, the client's default ones, or our own API.

    The shortest lifetime of the APIs counts, and the algorithm of the last one that has its own.
    Raises InvalidTarget if a resource does not exist any more (RFC 8707 section 2.2).
    """
    lifetime, alg = client.access_token_lifetime, client.access_token_alg
    identifiers = resource or client.default_resources
    audience = await scope_catalogue.check_resources(deps, ctx, identifiers) or [ctx.origin]
    if audience == [ctx.origin]:
        return Target(audience, lifetime, alg)
    resources = (await scope_catalogue.get_catalogue(deps, ctx)).resources
    for identifier in audience:
        api = resources.get(identifier)
        if api is not None:
            lifetime = min(lifetime, api.access_token_lifetime or lifetime)
            alg = api.access_token_alg or alg
    return Target(audience, lifetime, alg)
