"""Validates access tokens: the signature, and everything that may have revoked them since."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from common.context import Context
from common.contracts.oauth_errors import InvalidToken
from oidc import exchanged_claims, jose, json_web_keys, keys
from oidc.bindings import Binding
from oidc.client_cache import find_registered
from oidc.deps import Deps
from oidc.queries import access_tokens, token_families
from oidc.queries.clients import RegisteredClient
from oidc.queries.token_families import LiveGrant
from oidc.timestamps import now

TYPES = frozenset({jose.ACCESS_TOKEN})
MAX_OPAQUE_LENGTH = 200


@dataclass(frozen=True, slots=True)
class ValidAccessToken:
    """A token that is valid now: its claims and its grant."""

    claims: dict[str, Any]
    grant: LiveGrant

    @property
    def audience(self) -> list[str]:
        """The resources that the token is for."""
        aud = self.claims["aud"]
        return [aud] if isinstance(aud, str) else aud

    @property
    def scopes(self) -> list[str]:
        """The granted scopes."""
        return str(self.claims.get("scope", "")).split()

    @property
    def cnf(self) -> Binding | None:
        """The binding of the token."""
        return self.claims.get("cnf")

    @property
    def client_id(self) -> str:
        """The client that it was issued to. That of the grant differs if the token was exchanged."""
        return str(self.claims["client_id"])

    @property
    def is_for_issuer(self) -> bool:
        """Whether it is for Aero2's own API. Others must not be accepted (RFC 9068 section 4)."""
        return self.claims["iss"] in self.audience


async def find_for_issuer(deps: Deps, ctx: Context, text: str) -> ValidAccessToken:
    """Returns a token for Aero2's own API. Raises InvalidToken for any other."""
    token = await find_valid(deps, ctx, text)
    if token is None or not token.is_for_issuer:
        raise InvalidToken
    return token


async def find_valid(deps: Deps, ctx: Context, token: str) -> ValidAccessToken | None:
    """Returns the token if this application issued it and it is valid now."""
    if token.startswith("at_"):
        return await _find_opaque(deps, ctx, token)
    claims = await _verified_claims(deps, ctx, token)
    if claims is None:
        return None
    grant = await _cached_grant(deps, ctx, claims)
    return None if grant is None else ValidAccessToken(claims, grant)


async def _verified_claims(deps: Deps, ctx: Context, token: str) -> dict[str, Any] | None:
    """Returns the claims of a JWT that has not expired. Verified claims are cached for a minute."""
    key = (ctx.app_id, "signed", hashlib.sha256(token.encode("utf-8", "replace")).hexdigest())
    claims = deps.caches.verified_tokens.get(key)
    if claims is None:
        key_set = await keys.get_key_set(deps, ctx)
        try:
            claims = jose.verify(token, key_set.verifying.get, types=TYPES)
        except json_web_keys.BadToken:
            return None
        if not await _is_ours(deps, ctx, claims):
            return None
        deps.caches.verified_tokens.put(key, claims, [("key", "all")])
    return claims if claims["exp"] > now() else None


async def _is_ours(deps: Deps, ctx: Context, claims: dict[str, Any]) -> bool:
    """Returns whether this application issued the access token (RFC 9068 section 2.2).

    The issuer may be any of the application's hosts.
    """
    if claims.get("app_id") != ctx.app_id or claims.get("token_use") != "access":
        return False
    if not all(isinstance(claims.get(name), str) for name in ("client_id", "jti")):
        return False
    if not isinstance(claims.get("grant_id", ""), str) or not isinstance(claims.get("epoch"), int):
        return False
    return await is_own_issuer(deps, ctx, claims["iss"])


async def is_own_issuer(deps: Deps, ctx: Context, iss: str) -> bool:
    """Returns whether this is the issuer of one of the application's hosts."""
    if iss == ctx.origin:
        return True
    tenant = await deps.tenants.get(ctx)
    scheme = tenant.origin.partition("://")[0]
    return iss in [f"{scheme}://{host}" for host in tenant.hosts]


async def _cached_grant(deps: Deps, ctx: Context, claims: dict[str, Any]) -> LiveGrant | None:
    """Returns the token's grant, if it and the client are live. Grants are cached for seconds."""
    client = await find_registered(deps, ctx, claims["client_id"])
    if client is None or not client.enabled:
        return None

    async def load() -> LiveGrant:
        grant = await _find_grant(deps, ctx, claims)
        if grant is None:
            raise InvalidToken
        return grant

    try:
        grant = await deps.caches.live_grants.fetch(
            (ctx.app_id, "live", claims["jti"]),
            load,
            tags=lambda grant: _cache_tags(claims, grant),
        )
    except InvalidToken:
        return None
    return grant if await _is_of_epoch(deps, ctx, client, grant, claims=claims) else None


async def _is_of_epoch(
    deps: Deps, ctx: Context, client: RegisteredClient, grant: LiveGrant, *, claims: dict[str, Any]
) -> bool:
    """Returns whether nothing has ended all tokens of the client since. For a token that was exchanged,
    that counts for each client of the tokens before it."""
    if "exchanged" not in claims:
        return grant.client_epoch == client.epoch
    return await exchanged_claims.are_current(deps, ctx, claims["exchanged"], grant)


async def _find_grant(deps: Deps, ctx: Context, claims: dict[str, Any]) -> LiveGrant | None:
    """Reads the token's grant. A grant follows its session when that gets a new id."""
    grant_id, jti = claims.get("grant_id"), claims["jti"]
    exchanged = claims.get("exchanged")
    if exchanged is not None and await exchanged_claims.are_revoked(deps, ctx, exchanged):
        return None
    if grant_id is None:
        async with deps.db.reader(ctx) as db:
            if await access_tokens.is_revoked(db, app_id=ctx.app_id, jti=jti):
                return None
        return LiveGrant(None, claims["client_id"], claims["epoch"], None, None, {}, [])
    of_token = {"app_id": ctx.app_id, "id": grant_id, "jti": jti, "epoch": claims["epoch"]}
    async with deps.db.reader(ctx) as db:
        grant = await token_families.find_live(db, **of_token)
    if grant is not None:
        return grant
    async with deps.db.transaction(ctx) as tx:
        if not await token_families.move_to_next_session(tx, app_id=ctx.app_id, family_id=grant_id):
            return None
        return await token_families.find_live(tx, **of_token)


def _cache_tags(claims: dict[str, Any], grant: LiveGrant) -> list[tuple[str, str]]:
    tags = [("token", claims["jti"]), ("client", grant.client_id)]
    if "exchanged" in claims:
        tags += [("token", jti) for jti in claims["exchanged"]["tokens"]]
    if grant.family_id is not None:
        tags.append(("token", grant.family_id))
    if grant.user_id is not None:
        tags.append(("user", grant.user_id))
    if grant.session_id is not None:
        tags.append(("session", grant.session_id))
    return tags


async def _find_opaque(deps: Deps, ctx: Context, token: str) -> ValidAccessToken | None:
    """Reads an opaque token each time, so that revoking it takes effect at once."""
    if len(token) > MAX_OPAQUE_LENGTH:
        return None
    async with deps.db.reader(ctx) as db:
        row = await access_tokens.find_opaque(
            db, app_id=ctx.app_id, token_hashes=deps.keys.hashes("access", token)
        )
    if row is None:
        return None
    client = await find_registered(deps, ctx, row.client_id)
    if client is None or not client.enabled:
        return None
    grant = await _find_grant(deps, ctx, row.claims)
    if grant is None or not await _is_of_epoch(deps, ctx, client, grant, claims=row.claims):
        return None
    return ValidAccessToken(row.claims, grant)
