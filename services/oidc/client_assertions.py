"""Client authentication by a signed JWT (RFC 7523 section 3, OpenID Connect Core section 9)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import orjson
from jwt.algorithms import HMACAlgorithm

from common import clock
from common.context import Context
from common.contracts.oauth_errors import InvalidClient
from oidc import jose, json_web_keys, security_profile
from oidc.client_keys import verification_keys
from oidc.deps import Deps
from oidc.queries import client_assertions
from oidc.queries.clients import RegisteredClient
from oidc.timestamps import from_seconds

SKEW: Final = 30
"""Seconds by which a client's clock may differ from ours."""
MAX_LIFETIME: Final = 300
"""Seconds from now until an assertion must have expired."""
TYPES: Final = ("jwt", "client-authentication+jwt")
"""A JWT with another explicit type was signed for another purpose (RFC 8725 section 3.11)."""
TOKEN_ENDPOINT: Final = "/oauth2/token"


@dataclass(frozen=True, slots=True)
class SignedAssertion:
    """The parts of an assertion. The signature is not verified yet."""

    header: dict[str, Any]
    body: bytes
    message: bytes
    signature: bytes


def issuer(assertion: str) -> str:
    """Returns the client_id that the assertion names. Only `check` proves it."""
    try:
        _, body, _, _ = jose.split(assertion)
        claims = orjson.loads(body)
    except (json_web_keys.BadToken, ValueError):
        raise InvalidClient("the assertion is not a JWT") from None
    client_id = claims.get("sub") if isinstance(claims, dict) else None
    if not isinstance(client_id, str):
        raise InvalidClient("the assertion has no sub")
    return client_id


async def check(deps: Deps, ctx: Context, client: RegisteredClient, assertion: str) -> None:
    """Verifies the assertion and marks it as used. Raises InvalidClient."""
    try:
        signed = SignedAssertion(*jose.split(assertion))
    except json_web_keys.BadToken as error:
        raise InvalidClient(f"the assertion is not valid: {error}") from None
    if signed.header.get("typ", "jwt").lower().removeprefix("application/") not in TYPES:
        raise InvalidClient("a JWT of this type is not a client assertion")
    by_secret = client.token_endpoint_auth_method == "client_secret_jwt"
    verify = _verify_by_secret if by_secret else _verify_by_key
    if not await verify(deps, ctx, client, signed):
        raise InvalidClient("the assertion's signature is not valid")
    expires, jti = _check_claims(client, ctx, signed.body)
    async with deps.db.autocommit(ctx) as db:
        unused = await client_assertions.insert(
            db,
            app_id=ctx.app_id,
            client_id=client.client_id,
            jti_hash=hashlib.sha256(jti.encode()).hexdigest(),
            expires_at=from_seconds(expires + 2 * SKEW),
        )
    if not unused:
        raise InvalidClient("the assertion was used before")


async def _verify_by_key(
    deps: Deps, ctx: Context, client: RegisteredClient, assertion: SignedAssertion
) -> bool:
    alg, kid = assertion.header.get("alg"), assertion.header.get("kid")
    if alg not in json_web_keys.ALGORITHMS or client.token_endpoint_auth_alg not in (None, alg):
        raise InvalidClient("the assertion's algorithm is not allowed for this client")
    if not security_profile.allows(client, alg):
        raise InvalidClient("the client's security profile does not allow this algorithm")
    kid = kid if isinstance(kid, str) else None
    for key in await verification_keys(deps, ctx, client, kid=kid, alg=alg):
        if key.verifies(assertion.message, assertion.signature):
            return True
    return False


async def _verify_by_secret(
    deps: Deps, ctx: Context, client: RegisteredClient, assertion: SignedAssertion
) -> bool:
    if assertion.header.get("alg") != "HS256":
        raise InvalidClient("the assertion's algorithm is not allowed for this client")
    algorithm, now = HMACAlgorithm(HMACAlgorithm.SHA256), clock.now()
    for row in client.secrets:
        expired = row["expires"] is not None and float(row["expires"]) <= now
        if expired or not row["sealed"]:
            continue
        place = ("oauth_client_secrets", "secret_sealed", row["id"])
        async with deps.db.reader(ctx) as db:
            secret = await deps.sealer.open(db, ctx.app_id, place, row["sealed"])
        key = algorithm.prepare_key(secret)
        if algorithm.verify(assertion.message, key, assertion.signature):
            return True
    return False


def _check_claims(client: RegisteredClient, ctx: Context, body: bytes) -> tuple[float, str]:
    """Checks the claims (RFC 7523 section 3). Returns the expiry time and the `jti`."""
    claims = orjson.loads(body)
    if claims.get("iss") != client.client_id or claims.get("sub") != client.client_id:
        raise InvalidClient("iss and sub of the assertion must be the client_id")
    _check_audience(client, claims.get("aud"), ctx)
    now, expires, not_before = clock.now(), claims.get("exp"), claims.get("nbf", 0)
    issued_at = claims.get("iat", now)
    if not all(_is_number(moment) for moment in (expires, not_before, issued_at)):
        raise InvalidClient("exp, nbf or iat of the assertion is not a number")
    if expires + SKEW < now:
        raise InvalidClient("the assertion has expired")
    if expires > now + MAX_LIFETIME + SKEW:
        raise InvalidClient(f"the assertion is valid for more than {MAX_LIFETIME} seconds")
    if not_before > now + SKEW or issued_at > now + SKEW:
        raise InvalidClient("the assertion is not valid yet")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not jti:
        raise InvalidClient("the assertion has no jti")
    return float(expires), jti


def _check_audience(client: RegisteredClient, audience: object, ctx: Context) -> None:
    """Raises InvalidClient unless the assertion is for us alone: its audience is the issuer, or the address of
    our token endpoint (OpenID Connect Core section 9). Somebody who may use an assertion that names others, too,
    could use it here (CVE-2025-27370).

    With the FAPI 2.0 profile it is the issuer as one string and nothing else (section 5.3.2.1).
    """
    audiences: tuple[str, ...] = (ctx.origin, ctx.origin + TOKEN_ENDPOINT)
    if client.security_profile is not None:
        audiences = (ctx.origin,)
    elif isinstance(audience, list):
        if len(audience) > 1:
            raise InvalidClient("aud of the assertion must have one value, the issuer")
        audience = audience[0] if audience else None
    if not isinstance(audience, str) or audience not in audiences:
        raise InvalidClient("aud of the assertion must be the issuer")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
