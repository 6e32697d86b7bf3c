"""Who an access token speaks for: signature first, then everything that can have ended it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from common.context import Context
from common.contracts.oauth_errors import InvalidToken
from common.contracts.tokens import AccessToken, CheckAccessToken
from oidc import jose, keys, scopes, tokens
from oidc.client_cache import registered
from oidc.deps import Deps
from oidc.queries import logouts, token_families
from oidc.queries.token_families import Live
from oidc.timestamps import at, now

TYPES = frozenset({tokens.ACCESS})


@dataclass(frozen=True, slots=True)
class Speaking:
    """A token that holds: its claims, and whose it is."""

    claims: dict[str, Any]
    live: Live
    opaque: bool = False

    @property
    def audience(self) -> list[str]:
        aud = self.claims["aud"]
        return [aud] if isinstance(aud, str) else aud

    @property
    def scopes(self) -> list[str]:
        return str(self.claims.get("scope", "")).split()


async def check(deps: Deps, ctx: Context, request: CheckAccessToken) -> AccessToken:
    """A token for us: one whose audience is another API is none of ours (RFC 9068 section 4)."""
    held = await holding(deps, ctx, request.token)
    if held is None or held.claims["iss"] not in held.audience:
        raise InvalidToken
    claims, live = held.claims, held.live
    return AccessToken(
        jti=claims["jti"],
        grant_id=live.family_id,
        client_id=live.client_id,
        user_id=live.user_id,
        session_id=live.session_id,
        scopes=held.scopes,
        audience=held.audience,
        permissions=await _permissions(deps, ctx, held),
        org_id=claims.get("org_id"),
        expires_at=at(claims["exp"]),
    )


async def holding(deps: Deps, ctx: Context, token: str) -> Speaking | None:
    """The token, if it is one of this application's and nothing has ended it; else None."""
    if token.startswith("at_"):
        return await _opaque(deps, ctx, token)
    claims = await _signed(deps, ctx, token)
    if claims is None:
        return None
    live = await _live(deps, ctx, claims)
    return None if live is None else Speaking(claims, live)


async def _signed(deps: Deps, ctx: Context, token: str) -> dict[str, Any] | None:
    """The claims of a JWT that holds for now; the signature is verified once a minute at most."""
    key = (ctx.app_id, "signed", hashlib.sha256(token.encode("utf-8", "replace")).hexdigest())
    claims = deps.known.signed.get(key)
    if claims is None:
        found = await keys.key_set(deps, ctx)
        try:
            claims = jose.verify(token, found.verifying.get, types=TYPES)
        except jose.BadToken:
            return None
        if not await _is_ours(deps, ctx, claims):
            return None
        deps.known.signed.put(key, claims, [("key", "all")])
    return claims if claims["exp"] > now() else None


async def _is_ours(deps: Deps, ctx: Context, claims: dict[str, Any]) -> bool:
    """Whether this application issued it as an access token (RFC 9068 section 2.2), at one of the
    hosts that it answers on."""
    if claims.get("app_id") != ctx.app_id or claims.get("token_use") != "access":
        return False
    if not all(isinstance(claims.get(name), str) for name in ("client_id", "jti")):
        return False
    if not isinstance(claims.get("grant_id", ""), str) or not isinstance(claims.get("epoch"), int):
        return False
    if claims["iss"] == ctx.origin:
        return True
    tenant = await deps.tenants.get(ctx)
    scheme = tenant.origin.partition("://")[0]
    return claims["iss"] in [f"{scheme}://{host}" for host in tenant.hosts]


async def _live(deps: Deps, ctx: Context, claims: dict[str, Any]) -> Live | None:
    client = await registered(deps, ctx, claims["client_id"])
    if client is None or not client.enabled:
        return None
    try:
        live = await deps.known.live.fetch(
            (ctx.app_id, "live", claims["jti"]),
            lambda: _asked(deps, ctx, claims),
            tags=lambda found: _tags(claims["jti"], found),
        )
    except InvalidToken:
        return None
    return live if live.client_epoch == client.epoch else None


async def _asked(deps: Deps, ctx: Context, claims: dict[str, Any]) -> Live:
    found = await _ask(deps, ctx, claims)
    if found is None:
        raise InvalidToken
    return found


async def _ask(deps: Deps, ctx: Context, claims: dict[str, Any]) -> Live | None:
    grant_id, jti = claims.get("grant_id"), claims["jti"]
    if grant_id is None:
        async with deps.db.reading(ctx) as db:
            if await token_families.revoked(db, app_id=ctx.app_id, jti=jti):
                return None
        return Live(None, claims["client_id"], claims["epoch"], None, None)
    asked = {"app_id": ctx.app_id, "id": grant_id, "jti": jti, "epoch": claims["epoch"]}
    async with deps.db.reading(ctx) as db:
        found = await token_families.live(db, **asked)
    if found is not None:
        return found
    async with deps.db.transaction(ctx) as tx:
        # Perhaps its session was only replaced by another.
        if not await logouts.follow(tx, app_id=ctx.app_id, family_id=grant_id):
            return None
        return await token_families.live(tx, **asked)


def _tags(jti: str, live: Live) -> list[tuple[str, str]]:
    tags = [("token", jti), ("client", live.client_id)]
    if live.family_id is not None:
        tags.append(("token", live.family_id))
    if live.user_id is not None:
        tags.append(("user", live.user_id))
    if live.session_id is not None:
        tags.append(("session", live.session_id))
    return tags


async def _opaque(deps: Deps, ctx: Context, token: str) -> Speaking | None:
    """Looked up each time: that is what such tokens are for."""
    if len(token) > 200:
        return None
    async with deps.db.reading(ctx) as db:
        row = await token_families.opaque(
            db, app_id=ctx.app_id, token_hashes=deps.keys.hashes("access", token)
        )
    if row is None:
        return None
    client = await registered(deps, ctx, row.client_id)
    if client is None or not client.enabled:
        return None
    live = await _ask(deps, ctx, row.claims)
    if live is None or live.client_epoch != client.epoch:
        return None
    return Speaking(row.claims, live, opaque=True)


async def _permissions(deps: Deps, ctx: Context, token: Speaking) -> list[str]:
    """Returns the permissions that count at our own API.

    These are the ones bound to the token's granted scopes (RFC 6749 section 3.3) and, if the token
    speaks for a user, held by that user now. `include_rights` and claim mappings inform other
    resource servers; they grant nothing here.
    """
    carried = frozenset(token.claims.get("permissions") or ())
    bound = await scopes.permission_scopes(deps, ctx, token.scopes)
    granted = sorted(carried & bound.keys())
    if not granted or token.live.user_id is None:
        return granted
    rights = await scopes.rights(deps, ctx, token.live.user_id, token.claims.get("org_id"))
    if "*" in rights.permissions:
        return granted
    return [name for name in granted if name in rights.permissions]
