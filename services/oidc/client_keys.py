"""A client's public keys: the registered ones, or those at its `jwks_uri`."""

from __future__ import annotations

import json
from typing import Any, Final

from common.context import Context
from common.contracts.oauth_errors import InvalidClient
from common.field_errors import FieldError, field_error
from oidc import client_key_sets, json_web_keys
from oidc.client_key_sets import MAX_BYTES, NOT_FETCHED
from oidc.deps import Deps
from oidc.json_web_keys import PublicKey
from oidc.queries.clients import RegisteredClient

MAX_KEYS: Final = 20
PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "k", "oth"})
"""Members of a JWK that are secret (RFC 7518 section 6)."""


async def verification_keys(
    deps: Deps, ctx: Context, client: RegisteredClient, *, kid: str | None, alg: str
) -> list[PublicKey]:
    """Returns the client's keys for this algorithm, and of this `kid` if there is one.

    A `kid` that is not in the cached set makes us look for a newer set, because the client may have
    rotated its keys: see `client_key_sets`. Raises InvalidClient if there is no set.
    """
    if client.jwks is not None:
        return matching_keys(client.jwks, kid, alg)
    if client.jwks_uri is None:
        return []
    key = (ctx.app_id, "jwks", client.client_id)
    jwks = deps.caches.client_keys.get(key)
    if jwks is not None:
        public_keys = matching_keys(jwks, kid, alg)
        if public_keys:
            return public_keys
    if deps.caches.may_fetch(key):
        jwks = await client_key_sets.current(deps, ctx, client.client_id, client.jwks_uri)
        deps.caches.client_keys.put(key, jwks, [("client", client.client_id)])
    elif jwks is None:
        raise InvalidClient(NOT_FETCHED)
    return matching_keys(jwks, kid, alg)


def matching_keys(jwks: dict[str, Any], kid: str | None, alg: str) -> list[PublicKey]:
    """Returns the keys of a set for this algorithm, and of this `kid` if there is one."""
    members = jwks.get("keys")
    public_keys: list[PublicKey] = []
    for jwk in members[:MAX_KEYS] if isinstance(members, list) else ():
        if not isinstance(jwk, dict) or (kid is not None and jwk.get("kid", kid) != kid):
            continue
        if jwk.get("alg", alg) != alg:
            continue
        try:
            public_keys.append(json_web_keys.load_public(jwk, alg))
        except json_web_keys.BadToken:
            continue
    return public_keys


def jwks_mistake(jwks: dict[str, Any]) -> FieldError | None:
    """Returns what is wrong with a JWK Set that a developer registers, or None."""
    if len(json.dumps(jwks)) > MAX_BYTES:
        return field_error("jwks", "jwks_too_large", maximum=MAX_BYTES)
    members = jwks.get("keys")
    if not isinstance(members, list) or not 1 <= len(members) <= MAX_KEYS:
        return field_error("jwks", "jwks_malformed", maximum=MAX_KEYS)
    for key in members:
        if not isinstance(key, dict):
            return field_error("jwks", "jwks_malformed", maximum=MAX_KEYS)
        if PRIVATE_MEMBERS & key.keys():
            return field_error("jwks", "jwks_not_public")
    return None


def can_verify(jwks: dict[str, Any], alg: str | None) -> bool:
    """Returns whether a set has a key for this algorithm, or for any of ours."""
    return any(
        matching_keys(jwks, None, name) for name in ([alg] if alg else json_web_keys.ALGORITHMS)
    )
