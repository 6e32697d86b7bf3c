"""Verifies the signatures of JWTs that a provider signed: its ID tokens and its assertions (RFC 7515)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import jwt
import orjson
from jwt.exceptions import PyJWTError

from common.context import Context
from identity.deps import Deps
from identity.providers import issuers, keys
from identity.providers.failures import ProviderFailed, Step
from identity.queries.identity_providers import Provider

SKEW: Final = 60
"""Seconds by which the provider's clock may differ from ours."""
LONGEST: Final = 32_768
"""Characters of a token."""
_FAILURES: Final = (PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A token that a key of the provider signed, and that has not expired. Its other claims are not
    checked."""

    header: dict[str, Any]
    claims: dict[str, Any]
    jwk: dict[str, str]

    def key_is_of(self, iss: str) -> bool:
        """Returns whether the key signs for this issuer. Microsoft publishes keys of several."""
        tenant = str(self.claims.get("tid"))
        return self.jwk.get("issuer", iss).replace(issuers.TENANT, tenant) == iss


async def verify(
    deps: Deps,
    ctx: Context,
    provider: Provider,
    token: str,
    *,
    jwks_uri: str | None,
    noun: str,
    step: Step = "id_token",
) -> SignedToken:
    """Returns the token if one of the provider's keys signed it. `noun` is what errors call it. Raises
    ProviderFailed."""
    header = read_header(token, step, noun)
    alg, kid = header.get("alg"), header.get("kid")
    if alg not in keys.ALGORITHMS or alg not in provider.algorithms:
        raise refused(step, noun, "its algorithm is not accepted")
    if "crit" in header or not isinstance(kid, str | None):
        raise refused(step, noun, "its header has crit, or a kid that is not a text")
    candidates = await keys.verification_keys(deps, ctx, provider, url=jwks_uri, kid=kid, alg=alg)
    for jwk in candidates:  # a token without `kid` is tried with each key of its algorithm
        try:
            claims = _decoded(token, jwk, alg)
        except jwt.InvalidSignatureError:
            continue
        except _FAILURES as error:
            raise refused(step, noun, type(error).__name__) from None
        return SignedToken(header, claims, jwk)
    raise refused(step, noun, "none of the provider's keys signed it")


def _decoded(token: str, jwk: dict[str, str], alg: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(
        token,
        keys.load(jwk, alg),
        algorithms=[alg],
        leeway=SKEW,
        options={
            "require": ["iss", "sub", "aud", "exp", "iat"],
            "verify_aud": False,
            "verify_iss": False,
            "verify_sub": False,
        },
    )
    orjson.dumps(claims)  # refuses halves of characters, which Python's parser accepts
    return claims


def read_header(token: str, step: Step, noun: str) -> dict[str, Any]:
    """Returns the header. Nothing is verified. Raises ProviderFailed."""
    if len(token) > LONGEST:
        raise refused(step, noun, "it is too long")
    try:
        return jwt.get_unverified_header(token)
    except _FAILURES:
        raise refused(step, noun, "it is not a signed JWT") from None


def unverified_claims(token: str) -> dict[str, Any]:
    """Returns the claims of a token, to find its provider. Only `verify` proves them. They are empty if it
    is no JWT."""
    if len(token) > LONGEST:
        return {}
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except _FAILURES:
        return {}
    return claims


def refused(step: Step, noun: str, why: str) -> ProviderFailed:
    """Returns the failure for a token that is not accepted."""
    return ProviderFailed(step, f"{noun} is refused: {why}")
