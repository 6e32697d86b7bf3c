"""UserInfo (OpenID Connect Core section 5.3)."""

from __future__ import annotations

from typing import Any

from common.context import Context
from common.contracts.oauth_errors import InsufficientScope, InvalidToken
from common.contracts.userinfo import GetUserinfo, Userinfo
from oidc import access_tokens, claims, keys, scopes, tokens
from oidc.claims import Facts
from oidc.client_cache import registered
from oidc.deps import Deps
from oidc.queries import token_families
from oidc.queries.clients import Registered
from oidc.subjects import subject


async def get(deps: Deps, ctx: Context, request: GetUserinfo) -> Userinfo:
    held = await access_tokens.holding(deps, ctx, request.token)
    if held is None or held.claims["iss"] not in held.audience:
        raise InvalidToken
    user_id = held.live.user_id
    if user_id is None or "openid" not in held.scopes:
        raise InsufficientScope("the access token lacks the scope openid")
    client = await registered(deps, ctx, held.live.client_id)
    if client is None:
        raise InvalidToken
    draws = tokens.draws(client)
    async with deps.db.reading(ctx) as db:
        user = await token_families.profile(db, app_id=ctx.app_id, user_id=user_id)
        org, org_id = None, held.claims.get("org_id")
        if org_id is not None and "org" in draws:
            org = await token_families.organization(
                db, app_id=ctx.app_id, org_id=org_id, user_id=user_id
            )
    if user is None:
        raise InvalidToken
    rights = None
    if "rights" in draws:
        rights = await scopes.rights(deps, ctx, user_id, org_id)
    told: dict[str, Any] = {
        "sub": subject(deps.keys, client, user_id),
        **claims.of_scopes(user, held.scopes, await _custom(deps, ctx, held.scopes)),
        **claims.of_names(user, held.claims.get("userinfo_claims", ())),
        **claims.mapped(client.claims_mapping, "userinfo", Facts(user, org, rights)),
    }
    return await _signed(deps, ctx, client, told)


async def _custom(deps: Deps, ctx: Context, names: list[str]) -> list[str]:
    """Standard claims that scopes of the application's own give access to."""
    if all(name in scopes.CLAIMS for name in names):
        return []
    known = (await scopes.catalogue(deps, ctx)).scopes
    return [claim for name in names if name in known for claim in known[name].claims]


async def _signed(deps: Deps, ctx: Context, client: Registered, claims: dict[str, Any]) -> Userinfo:
    """Section 5.3.2: as a JWT where the client asked for one. It travels as the member `jwt`."""
    if client.userinfo_alg is None:
        return Userinfo(**claims)
    key = await keys.signing(deps, ctx, client.userinfo_alg)
    payload = {"iss": ctx.origin, "aud": client.client_id, "token_use": "userinfo", **claims}
    return Userinfo(sub=claims["sub"], jwt=key.sign("JWT", payload))
