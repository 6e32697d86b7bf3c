"""Issues the tokens of a token response (RFC 6749 section 5.1).

Access tokens are JWTs (RFC 9068) or opaque. The claims beyond the standard ones are in
`token_claims`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from common.context import Context
from common.contracts.tokens import Tokens
from common.crypto import Keys, b64url
from common.crypto import token as random_token
from oidc import bindings, grant_policy, jose, keys, opaque_tokens, scope_catalogue, token_claims
from oidc.bindings import Binding
from oidc.delegation import NOT_EXCHANGED, Delegation
from oidc.deps import Deps
from oidc.queries.clients import RegisteredClient
from oidc.queries.token_grants import TokenGrant
from oidc.subjects import subject
from oidc.timestamps import now, to_seconds
from oidc.token_target import Target


async def for_grant(
    deps: Deps,
    ctx: Context,
    client: RegisteredClient,
    grant: TokenGrant,
    *,
    seed: str,
    requested_scopes: list[str] | None = None,
    resource: list[str] | None = None,
    refresh_token: str | None,
    nonce: str | None = None,
    delegated: Delegation = NOT_EXCHANGED,
) -> Tokens:
    """Issues the tokens of a user's grant. Raises InvalidTarget if a resource was deleted.

    `seed` names the exchange: if it is answered twice, both access tokens have the same `jti`. `delegated` is
    what the access token owes to a token that it was exchanged for.
    """
    scopes = await _current_scopes(deps, ctx, client, grant, requested=requested_scopes)
    extra = await token_claims.extra_claims(deps, ctx, client, grant, scopes=scopes)
    issued_at = to_seconds(grant.issued_at)
    target = delegated.limit(
        await _target(deps, ctx, client, resource or grant.resource), issued_at
    )
    payload = _payload(ctx, client, target, scopes, issued_at=issued_at)
    account = await token_claims.account_claims(deps, ctx, client, grant)
    payload |= _grant_claims(deps, client, grant) | account | extra.access | delegated.claims()
    payload["jti"] = derived_jti(deps.keys, seed, payload)
    access_token = await _access_token(deps, ctx, client, payload, alg=target.alg, grant=grant)
    id_token = None
    if "openid" in scopes:
        claims = _id_token_claims(deps, ctx, client, grant, scopes=scopes) | account | extra.id
        claims |= {} if nonce is None else {"nonce": nonce}
        id_token = await _id_token(deps, ctx, client, claims, access_token=access_token)
    return Tokens(
        access_token=access_token,
        token_type=bindings.token_type(grant.cnf),
        expires_in=target.lifetime,
        scope=payload.get("scope"),
        id_token=id_token,
        refresh_token=refresh_token,
        authorization_details=grant.authorization_details,
    )


async def _current_scopes(
    deps: Deps,
    ctx: Context,
    client: RegisteredClient,
    grant: TokenGrant,
    *,
    requested: list[str] | None,
) -> list[str]:
    """Returns the granted scopes that client and user may still have. The client may have lost scopes since
    the user consented, and the user rights."""
    scopes = grant.scopes if requested is None else requested
    scopes = [name for name in scopes if name in client.scopes]
    return await scope_catalogue.select_permitted(
        deps, ctx, scopes, user_id=grant.user_id, org_id=token_claims.current_org(grant)
    )


async def for_client(
    deps: Deps,
    ctx: Context,
    client: RegisteredClient,
    *,
    scopes: list[str],
    resource: list[str],
    cnf: Binding | None = None,
    sub: str | None = None,
    delegated: Delegation = NOT_EXCHANGED,
) -> Tokens:
    """Issues an access token for the client itself (RFC 6749 section 4.4), without a user. `sub` is another
    client, if its token was exchanged."""
    issued_at = now()
    target = delegated.limit(await _target(deps, ctx, client, resource), issued_at)
    payload: dict[str, Any] = {
        **_payload(ctx, client, target, scopes, issued_at=issued_at),
        **delegated.claims(),
        "sub": sub or client.client_id,
        "jti": random_token("", 16),
        "epoch": client.epoch,
    }
    permissions = await scope_catalogue.permission_scopes(deps, ctx, scopes)
    if permissions:
        payload["permissions"] = sorted(permissions)
    if cnf is not None:
        payload["cnf"] = cnf
    access_token = await _access_token(deps, ctx, client, payload, alg=target.alg, grant=None)
    return Tokens(
        access_token=access_token,
        token_type=bindings.token_type(cnf),
        expires_in=target.lifetime,
        scope=payload.get("scope"),
    )


def derived_jti(keys: Keys, seed: str, claims: dict[str, Any]) -> str:
    """Returns the identifier of the token with these claims.

    Two tokens with different claims have different identifiers (RFC 7519 section 4.1.7). This is so
    even if one exchange issued both, with different scopes or resources. All replicas derive it under
    one key, whichever is active: another one may answer the exchange again.
    """
    content = orjson.dumps([seed, claims], option=orjson.OPT_SORT_KEYS)
    return b64url(keys.digest("jti", content, keys.first)[:16])


def _payload(
    ctx: Context, client: RegisteredClient, target: Target, scopes: Iterable[str], *, issued_at: int
) -> dict[str, Any]:
    """Returns the claims that all access tokens have (RFC 9068 section 2.2), except `sub`."""
    audience = target.audience
    return {
        "iss": ctx.origin,
        "aud": audience[0] if len(audience) == 1 else audience,
        "client_id": client.client_id,
        "iat": issued_at,
        "exp": issued_at + target.lifetime,
        **scope_catalogue.scope_claim(scopes),
        "app_id": ctx.app_id,
        "token_use": "access",
    }


def _grant_claims(deps: Deps, client: RegisteredClient, grant: TokenGrant) -> dict[str, Any]:
    """Returns the claims of an access token about the user's grant, session and organization."""
    return {
        "sub": subject(deps.keys, client, grant.user_id),
        "grant_id": grant.family_id,
        "epoch": grant.user_epoch,
        "auth_time": to_seconds(grant.auth_time),
        **token_claims.session_claims(grant),
        **token_claims.organization_claims(grant),
        **token_claims.bound_claims(grant),
    }


def _id_token_claims(
    deps: Deps,
    ctx: Context,
    client: RegisteredClient,
    grant: TokenGrant,
    *,
    scopes: list[str],
) -> dict[str, Any]:
    """Returns the claims of an ID token (OpenID Connect Core section 2)."""
    issued_at = to_seconds(grant.issued_at)
    claims: dict[str, Any] = {
        "iss": ctx.origin,
        "sub": subject(deps.keys, client, grant.user_id),
        "aud": client.client_id,
        "exp": issued_at + client.id_token_lifetime,
        "iat": issued_at,
        "auth_time": to_seconds(grant.auth_time),
        **token_claims.session_claims(grant),
    }
    if client.id_token_claims == "scopes":
        claims["token_use"] = "id"
        claims |= token_claims.organization_claims(grant)
        claims |= token_claims.profile_claims(grant, scopes)
    return claims


async def _id_token(
    deps: Deps, ctx: Context, client: RegisteredClient, claims: dict[str, Any], *, access_token: str
) -> str:
    claims["at_hash"] = jose.half_hash(client.id_token_alg, access_token)
    return (await keys.signing_key(deps, ctx, client.id_token_alg)).sign(jose.ID_TOKEN, claims)


async def _target(
    deps: Deps, ctx: Context, client: RegisteredClient, resource: list[str]
) -> Target:
    """Returns what the token is for: the resources, the client's default ones, or our own API.

    The shortest lifetime of the APIs counts, and the algorithm of the last one that has its own.
    Raises InvalidTarget if a resource does not exist any more (RFC 8707 section 2.2).
    """
    lifetime, alg = client.access_token_lifetime, client.access_token_alg
    identifiers = grant_policy.granted_resources(ctx, client, resource)
    if identifiers == [ctx.origin]:
        return Target(identifiers, lifetime, alg)
    audience = await scope_catalogue.check_resources(deps, ctx, identifiers)
    if audience == [ctx.origin]:
        return Target(audience, lifetime, alg)
    resources = (await scope_catalogue.get_catalogue(deps, ctx)).resources
    for identifier in audience:
        api = resources.get(identifier)
        if api is not None:
            lifetime = min(lifetime, api.access_token_lifetime or lifetime)
            alg = api.access_token_alg or alg
    return Target(audience, lifetime, alg)


async def _access_token(
    deps: Deps,
    ctx: Context,
    client: RegisteredClient,
    payload: dict[str, Any],
    *,
    alg: str,
    grant: TokenGrant | None,
) -> str:
    """Returns a signed JWT, or an opaque token if the client is registered for those."""
    if client.access_token_format == "opaque":
        return await opaque_tokens.store(deps, ctx, client, payload, grant=grant)
    return (await keys.signing_key(deps, ctx, alg)).sign(jose.ACCESS_TOKEN, payload)
