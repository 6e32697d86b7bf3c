"""Client authentication by a signed JWT: RFC 7523 section 3, OpenID Connect Core section 9."""

from __future__ import annotations

import hashlib
import time
from typing import Any, Final

import orjson
from jwt.algorithms import HMACAlgorithm

from common.context import Context
from common.contracts.oauth_errors import InvalidClient
from oidc import jose
from oidc.client_keys import keys_of
from oidc.deps import Deps
from oidc.queries import assertions
from oidc.queries.clients import Registered
from oidc.timestamps import at

SKEW: Final = 30
"""Seconds by which a client's clock may differ."""
LONGEST: Final = 300
"""Seconds that an assertion may be valid from now on."""
TYPES: Final = ("jwt", "client-authentication+jwt")
"""A JWT of another explicit type was not signed for this (RFC 8725 section 3.11)."""
ENDPOINTS: Final = ("", "/oauth2/token", "/oauth2/introspect", "/oauth2/revoke")


def issuer(assertion: str) -> str:
    """Who the assertion says it is from; proven by `check` only."""
    try:
        _, body, _, _ = jose.split(assertion)
        claims = orjson.loads(body)
    except (jose.BadToken, ValueError):
        raise InvalidClient("the assertion is not a JWT") from None
    named = claims.get("sub") if isinstance(claims, dict) else None
    if not isinstance(named, str):
        raise InvalidClient("the assertion names no client")
    return named


async def check(deps: Deps, ctx: Context, client: Registered, assertion: str) -> None:
    """Raises InvalidClient."""
    try:
        header, body, message, signature = jose.split(assertion)
    except jose.BadToken as error:
        raise InvalidClient(f"the assertion does not hold: {error}") from None
    if header.get("typ", "jwt").lower().removeprefix("application/") not in TYPES:
        raise InvalidClient("a JWT of this type is no client assertion")
    if client.token_endpoint_auth_method == "client_secret_jwt":
        proven = await _by_secret(deps, ctx, client, header, message, signature)
    else:
        proven = await _by_key(deps, ctx, client, header, message, signature)
    if not proven:
        raise InvalidClient("the assertion's signature does not hold")
    expires = _claims(client, ctx, body)
    jti = hashlib.sha256(expires[1].encode()).hexdigest()
    async with deps.db.single(ctx) as db:
        fresh = await assertions.remember(
            db,
            app_id=ctx.app_id,
            client_id=client.client_id,
            jti_hash=jti,
            expires_at=at(expires[0] + 2 * SKEW),
        )
    if not fresh:
        raise InvalidClient("the assertion was used before")


async def _by_key(
    deps: Deps, ctx: Context, client: Registered, header: dict[str, Any], message: bytes, mac: bytes
) -> bool:
    alg, kid = header.get("alg"), header.get("kid")
    if alg not in jose.ALGORITHMS or client.token_endpoint_auth_alg not in (None, alg):
        raise InvalidClient("the assertion's algorithm is not allowed for this client")
    for key in await keys_of(deps, ctx, client, kid if isinstance(kid, str) else None, alg):
        if key.verifies(message, mac):
            return True
    return False


async def _by_secret(
    deps: Deps, ctx: Context, client: Registered, header: dict[str, Any], message: bytes, mac: bytes
) -> bool:
    if header.get("alg") != "HS256":
        raise InvalidClient("the assertion's algorithm is not allowed for this client")
    algorithm, now = HMACAlgorithm(HMACAlgorithm.SHA256), time.time()
    for stored in client.secrets:
        expired = stored["expires"] is not None and float(stored["expires"]) <= now
        if expired or not stored["sealed"]:
            continue
        place = ("oauth_client_secrets", "secret_sealed", stored["id"])
        async with deps.db.reading(ctx) as db:
            secret = await deps.sealer.open(db, ctx.app_id, place, stored["sealed"])
        if algorithm.verify(message, algorithm.prepare_key(secret), mac):
            return True
    return False


def _claims(client: Registered, ctx: Context, body: bytes) -> tuple[float, str]:
    """Section 3: iss and sub the client, aud us, for a short time, once. When it ends, and jti."""
    claims = orjson.loads(body)
    if claims.get("iss") != client.client_id or claims.get("sub") != client.client_id:
        raise InvalidClient("iss and sub of the assertion must be the client_id")
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if not any(name in [ctx.origin + path for path in ENDPOINTS] for name in named):
        raise InvalidClient("the assertion is for somebody else")
    now, expires, begins = time.time(), claims.get("exp"), claims.get("nbf", 0)
    issued = claims.get("iat", now)
    if not all(_number(moment) for moment in (expires, begins, issued)):
        raise InvalidClient("exp, nbf or iat of the assertion is not a number")
    if expires + SKEW < now:
        raise InvalidClient("the assertion has expired")
    if expires > now + LONGEST + SKEW:
        raise InvalidClient(f"the assertion is valid for more than {LONGEST} seconds")
    if begins > now + SKEW or issued > now + SKEW:
        raise InvalidClient("the assertion is not valid yet")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not jti:
        raise InvalidClient("the assertion has no jti")
    return float(expires), jti


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
