"""The UserInfo endpoint (OpenID Connect Core section 5.3)."""

from __future__ import annotations

from typing import Any

from common.context import Context
from common.contracts.oauth_errors import InsufficientScope, InvalidToken
from common.contracts.userinfo import GetUserinfo, Userinfo
from oidc import access_tokens, bindings, claims, keys, scope_catalogue, token_claims
from oidc.claims import ClaimSources
from oidc.client_cache import find_registered
from oidc.deps import Deps
from oidc.queries import user_profiles
from oidc.queries.clients import RegisteredClient
from oidc.subjects import subject


async def get(deps: Deps, ctx: Context, request: GetUserinfo) -> Userinfo:
    """Returns the claims about the token's user that its scopes allow.

    Raises InvalidToken, or InsufficientScope if the token has no scope `openid`.
    """
    token = await access_tokens.find_for_issuer(deps, ctx, request.token)
    bindings.check_access_token(token.cnf, request.proven)
    user_id = token.grant.user_id
    if user_id is None or "openid" not in token.scopes:
        raise InsufficientScope("the access token does not have the scope openid")
    client = await find_registered(deps, ctx, token.client_id)
    if client is None:
        raise InvalidToken
    org_id = token.claims.get("org_id")
    sources = await _claim_sources(deps, ctx, client, user_id=user_id, org_id=org_id)
    own_claims = await _claims_of_own_scopes(deps, ctx, token.scopes)
    values: dict[str, Any] = {
        "sub": subject(deps.keys, client, user_id),
        **({"guest": True} if sources.user.guest else {}),
        **claims.for_scopes(sources.user, token.scopes, own_claims),
        **claims.for_names(sources.user, token.claims.get("userinfo_claims", ())),
        **claims.from_mapping(client.claims_mapping, "userinfo", sources),
    }
    return await _response(deps, ctx, client, values)


async def _claim_sources(
    deps: Deps, ctx: Context, client: RegisteredClient, *, user_id: str, org_id: str | None
) -> ClaimSources:
    """Reads the user, and what else the client's mapping needs. Raises InvalidToken."""
    names = token_claims.mapping_sources(client)
    async with deps.db.reader(ctx) as db:
        user = await user_profiles.find(db, app_id=ctx.app_id, user_id=user_id)
        org = None
        if org_id is not None and "org" in names:
            org = await user_profiles.find_organization(
                db, app_id=ctx.app_id, org_id=org_id, user_id=user_id
            )
    if user is None:
        raise InvalidToken
    rights = None
    if "rights" in names:
        rights = await scope_catalogue.get_rights(deps, ctx, user_id, org_id)
    return ClaimSources(user, org, rights)


async def _claims_of_own_scopes(deps: Deps, ctx: Context, names: list[str]) -> list[str]:
    """Returns the standard claims that the application's own scopes give."""
    if all(name in scope_catalogue.CLAIMS for name in names):
        return []
    scopes = (await scope_catalogue.get_catalogue(deps, ctx)).scopes
    return [claim for name in names if name in scopes for claim in scopes[name].claims]


async def _response(
    deps: Deps, ctx: Context, client: RegisteredClient, values: dict[str, Any]
) -> Userinfo:
    """Returns the claims, as a JWT in `jwt` if the client is registered for that (section 5.3.2)."""
    if client.userinfo_alg is None:
        return Userinfo(**values)
    key = await keys.signing_key(deps, ctx, client.userinfo_alg)
    payload = {"iss": ctx.origin, "aud": client.client_id, "token_use": "userinfo", **values}
    return Userinfo(sub=values["sub"], jwt=key.sign("JWT", payload))
