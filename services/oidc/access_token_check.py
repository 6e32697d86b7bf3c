"""The facts of an access token for Aero2's own API."""

from __future__ import annotations

from common.context import Context
from common.contracts.oauth_errors import InvalidToken
from common.contracts.tokens import AccessToken, CheckAccessToken, CheckBoundAccessToken
from oidc import bindings, possession, scope_catalogue
from oidc.access_tokens import ValidAccessToken, find_for_issuer
from oidc.client_cache import find_registered
from oidc.deps import Deps
from oidc.timestamps import from_seconds


async def check(deps: Deps, ctx: Context, request: CheckAccessToken) -> AccessToken:
    """Returns what a bearer token for Aero2's own API allows. Raises InvalidToken."""
    token = await find_for_issuer(deps, ctx, request.token)
    bindings.check_access_token(token.cnf, None)
    return await _facts(deps, ctx, token)


async def check_bound(deps: Deps, ctx: Context, request: CheckBoundAccessToken) -> AccessToken:
    """Returns what a token for Aero2's own API allows to a client that proves its key.

    Raises InvalidToken, InvalidDpopProof or UseDpopNonce.
    """
    token = await find_for_issuer(deps, ctx, request.token)
    client = await find_registered(deps, ctx, token.client_id)
    if client is None:
        raise InvalidToken
    if token.cnf is None:
        raise InvalidToken("the access token is not bound to a key: send it as a bearer token")
    proven = await possession.prove_key(
        deps,
        ctx,
        client,
        request.proof,
        method=request.method,
        path=request.path,
        access_token=request.token,
    )
    bindings.check_access_token(token.cnf, proven)
    return await _facts(deps, ctx, token)


async def _facts(deps: Deps, ctx: Context, token: ValidAccessToken) -> AccessToken:
    claims, grant = token.claims, token.grant
    return AccessToken(
        jti=claims["jti"],
        grant_id=grant.family_id,
        client_id=token.client_id,
        user_id=grant.user_id,
        session_id=grant.session_id,
        scopes=token.scopes,
        audience=token.audience,
        permissions=await _permissions(deps, ctx, token),
        org_id=claims.get("org_id"),
        guest=grant.guest,
        actor_id=grant.actor_id,
        actor_kind="user" if grant.actor_app_id in (None, ctx.app_id) else "developer",
        auth_time=from_seconds(claims["auth_time"]) if "auth_time" in claims else None,
        acr=claims.get("acr"),
        factor_times=grant.factor_times,
        second_factors=grant.second_factors,
        expires_at=from_seconds(claims["exp"]),
        cnf=token.cnf,
    )


async def _permissions(deps: Deps, ctx: Context, token: ValidAccessToken) -> list[str]:
    """Returns the permissions that count at our own API.

    These are the permissions that the token's scopes stand for (RFC 6749 section 3.3). If the token
    has a user, the user must hold them now. `include_rights` and claim mappings inform other resource
    servers. They grant nothing here.
    """
    in_token = frozenset(token.claims.get("permissions") or ())
    scope_of = await scope_catalogue.permission_scopes(deps, ctx, token.scopes)
    granted = sorted(in_token & scope_of.keys())
    if not granted or token.grant.user_id is None:
        return granted
    org_id = token.claims.get("org_id")
    rights = await scope_catalogue.get_rights(deps, ctx, token.grant.user_id, org_id)
    if "*" in rights.permissions:
        return granted
    return [name for name in granted if name in rights.permissions]
