"""Making tokens: access tokens (RFC 9068, or opaque), ID tokens (OpenID Connect Core section 2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from common.context import Context
from common.contracts.tokens import Tokens
from common.crypto import Keys, b64url
from common.crypto import token as random_token
from oidc import claims, jose, keys, scopes
from oidc.claims import Facts
from oidc.deps import Deps
from oidc.queries import refresh_tokens, token_families
from oidc.queries.clients import Registered
from oidc.queries.codes import Granted
from oidc.subjects import subject
from oidc.timestamps import at, now, seconds

ACCESS = "at+jwt"
"""RFC 9068 section 2.1."""
ID = "JWT"
IN_ROW = ("email", "email_verified", "name", "picture")
"""Claims that the statement which issues tokens brings along."""


@dataclass(slots=True)
class Extra:
    """Claims beyond the standard ones, for each kind of token."""

    access: dict[str, Any] = field(default_factory=dict)
    id: dict[str, Any] = field(default_factory=dict)


async def answer(
    deps: Deps,
    ctx: Context,
    client: Registered,
    granted: Granted,
    *,
    seed: str,
    asked_scopes: list[str] | None = None,
    resource: list[str] | None = None,
    refresh_token: str | None,
    nonce: str | None = None,
) -> Tokens:
    """The token response. `seed` goes into the jti: the same exchange answered again has the same."""
    names = granted.scopes if asked_scopes is None else asked_scopes
    # What the client lost since the user agreed is not given, whatever was granted.
    names = [name for name in names if name in client.scopes]
    names = await scopes.held(deps, ctx, names, granted.user_id, _org(granted))
    extra = await _extra(deps, ctx, client, granted, names)
    issued = seconds(granted.issued_at)
    sub = subject(deps.keys, client, granted.user_id)
    audience = await _audience(deps, ctx, client, resource or granted.resource)
    lifetime, alg = await _of_resource(deps, ctx, client, audience)
    payload: dict[str, Any] = {
        "iss": ctx.origin,
        "sub": sub,
        "aud": audience[0] if len(audience) == 1 else audience,
        "client_id": client.client_id,
        "iat": issued,
        "exp": issued + lifetime,
        **scopes.claim(names),
        "app_id": ctx.app_id,
        "token_use": "access",
        "grant_id": granted.family_id,
        "epoch": granted.user_epoch,
        "auth_time": seconds(granted.auth_time),
        **_session(granted),
        **_organization(granted),
        **extra.access,
    }
    payload["jti"] = jti(deps.keys, seed, payload)
    if client.access_token_format == "opaque":
        access_token = await _opaque(deps, ctx, client, granted, payload)
    else:
        access_token = (await keys.signing(deps, ctx, alg)).sign(ACCESS, payload)
    id_token = None
    if "openid" in names:
        id_token = await _id_token(deps, ctx, client, granted, names, extra, access_token, nonce)
    return Tokens(
        access_token=access_token,
        expires_in=lifetime,
        scope=payload.get("scope"),
        id_token=id_token,
        refresh_token=refresh_token,
    )


async def for_client(
    deps: Deps, ctx: Context, client: Registered, names: list[str], resource: list[str]
) -> Tokens:
    """An access token for the client itself (RFC 6749 section 4.4): no user, no refresh token."""
    issued = now()
    audience = await _audience(deps, ctx, client, resource)
    lifetime, alg = await _of_resource(deps, ctx, client, audience)
    payload: dict[str, Any] = {
        "iss": ctx.origin,
        "sub": client.client_id,
        "aud": audience[0] if len(audience) == 1 else audience,
        "client_id": client.client_id,
        "iat": issued,
        "exp": issued + lifetime,
        "jti": random_token("", 16),
        **scopes.claim(names),
        "app_id": ctx.app_id,
        "token_use": "access",
        "epoch": client.epoch,
    }
    bound = await scopes.permission_scopes(deps, ctx, names)
    if bound:
        payload["permissions"] = sorted(bound)
    if client.access_token_format == "opaque":
        access_token = await _opaque(deps, ctx, client, None, payload)
    else:
        access_token = (await keys.signing(deps, ctx, alg)).sign(ACCESS, payload)
    return Tokens(access_token=access_token, expires_in=lifetime, scope=payload.get("scope"))


def jti(keys: Keys, seed: str, claims: dict[str, Any]) -> str:
    """The identifier of the token with these claims. Tokens that differ in any of them have two
    (RFC 7519 section 4.1.7), even if one exchange made both: by a narrower scope or resource."""
    content = orjson.dumps([seed, claims], option=orjson.OPT_SORT_KEYS)
    return b64url(keys.digest("jti", content)[:16])


async def _id_token(
    deps: Deps,
    ctx: Context,
    client: Registered,
    granted: Granted,
    names: list[str],
    extra: Extra,
    access_token: str,
    nonce: str | None,
) -> str:
    issued = seconds(granted.issued_at)
    payload: dict[str, Any] = {
        "iss": ctx.origin,
        "sub": subject(deps.keys, client, granted.user_id),
        "aud": client.client_id,
        "exp": issued + client.id_token_lifetime,
        "iat": issued,
        "auth_time": seconds(granted.auth_time),
        "at_hash": jose.half_hash(client.id_token_alg, access_token),
        **_session(granted),
    }
    if client.id_token_claims == "scopes":
        payload |= {"token_use": "id", **_organization(granted), **_profile(granted, names)}
    payload |= extra.id
    if nonce is not None:
        payload["nonce"] = nonce
    key = await keys.signing(deps, ctx, client.id_token_alg)
    return key.sign(ID, payload)


def _session(granted: Granted) -> dict[str, Any]:
    """Facts of the authentication, where there are any."""
    found: dict[str, Any] = {}
    if granted.sid is not None:
        found["sid"] = granted.sid
    if granted.acr is not None:
        found["acr"] = granted.acr
    if granted.amr:
        found["amr"] = granted.amr
    return found


def _organization(granted: Granted) -> dict[str, Any]:
    """The active one, while the user is its member."""
    if granted.org_role is None:
        return {}
    return {"org_id": granted.org_id, "org_role": granted.org_role}


def _profile(granted: Granted, names: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "email" in names and granted.email is not None:
        found["email"], found["email_verified"] = granted.email, granted.email_verified
    if "profile" in names:
        if granted.name:
            found["name"] = granted.name
        if granted.picture:
            found["picture"] = granted.picture
    return found


def _org(granted: Granted) -> str | None:
    return granted.org_id if granted.org_role is not None else None


async def _audience(deps: Deps, ctx: Context, client: Registered, resource: list[str]) -> list[str]:
    """Raises InvalidTarget for an API that does not exist any more (RFC 8707 section 2.2)."""
    wanted = resource or client.default_resources
    return await scopes.check_resources(deps, ctx, wanted) or [ctx.origin]


async def _of_resource(
    deps: Deps, ctx: Context, client: Registered, audience: list[str]
) -> tuple[int, str]:
    """Lifetime and algorithm: the API's own where it has them, the shortest of several."""
    lifetime, alg = client.access_token_lifetime, client.access_token_alg
    if audience == [ctx.origin]:
        return lifetime, alg
    known = (await scopes.catalogue(deps, ctx)).resources
    for identifier in audience:
        api = known.get(identifier)
        if api is not None:
            lifetime = min(lifetime, api.access_token_lifetime or lifetime)
            alg = api.access_token_alg or alg
    return lifetime, alg


async def _extra(
    deps: Deps, ctx: Context, client: Registered, granted: Granted, names: list[str]
) -> Extra:
    """Rights, mapped claims and those of the `claims` parameter; nothing is read where none of
    these is wanted."""
    extra = Extra()
    org_id = _org(granted)
    bound = await scopes.permission_scopes(deps, ctx, names)
    if bound:
        extra.access["permissions"] = sorted(bound)
    parameter = granted.claims
    if parameter is not None:  # The client may have lost a scope since the user agreed.
        givers = await scopes.claim_givers(deps, ctx, client, names)
        parameter, _ = claims.within_scopes(parameter, names, givers)
    asked_of_userinfo = claims.asked(parameter, "userinfo")
    if asked_of_userinfo:
        extra.access["userinfo_claims"] = asked_of_userinfo
    wanted = claims.asked(parameter, "id_token")
    missing = not set(wanted) <= set(IN_ROW)
    drawn = draws(client)
    rights = None
    if client.include_rights or "rights" in drawn:
        rights = await scopes.rights(deps, ctx, granted.user_id, org_id)
    if client.include_rights and rights is not None:
        extra.access["roles"] = rights.roles
        extra.access["permissions"] = sorted(set(rights.permissions) | set(bound))
        if org_id is not None:
            extra.access["org_permissions"] = rights.org_permissions
    if wanted or missing or drawn:
        facts = await _facts(deps, ctx, granted.user_id, org_id if "org" in drawn else None)
        if facts is not None:
            facts = Facts(facts.user, facts.org, rights)
            extra.id |= claims.of_names(facts.user, wanted)
            extra.id |= claims.mapped(client.claims_mapping, "id_token", facts)
            extra.access |= claims.mapped(client.claims_mapping, "access_token", facts)
    return extra


def draws(client: Registered) -> set[str]:
    """What the client's mapping draws from: user, org, rights."""
    return {
        (source if isinstance(source, str) else str(source.get("from", ""))).split(".")[0]
        for source in client.claims_mapping.values()
    }


async def _facts(deps: Deps, ctx: Context, user_id: str, org_id: str | None) -> Facts | None:
    async with deps.db.reading(ctx) as db:
        user = await token_families.profile(db, app_id=ctx.app_id, user_id=user_id)
        org = None
        if org_id is not None:
            org = await token_families.organization(
                db, app_id=ctx.app_id, org_id=org_id, user_id=user_id
            )
    return None if user is None else Facts(user, org)


async def _opaque(
    deps: Deps, ctx: Context, client: Registered, granted: Granted | None, payload: dict[str, Any]
) -> str:
    """A reference to the claims, which stay with us: ended the moment we say so."""
    made = random_token("at_")
    audience = payload["aud"]
    async with deps.db.single(ctx) as db:
        await refresh_tokens.insert_opaque(
            db,
            app_id=ctx.app_id,
            token_hash=deps.keys.hash("access", made),
            jti=payload["jti"],
            family_id=granted.family_id if granted else None,
            client_id=client.client_id,
            user_id=granted.user_id if granted else None,
            sid=payload.get("sid"),
            scopes=payload.get("scope", "").split(),
            audience=[audience] if isinstance(audience, str) else audience,
            claims=payload,
            user_epoch=payload.get("epoch", 0),
            expires_at=at(payload["exp"]),
        )
    return made
