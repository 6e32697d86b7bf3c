"""Verifies ID tokens (OpenID Connect Core 1.0 section 3.1.3.7)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any

from common import clock
from common.context import Context
from common.crypto import b64url
from identity.deps import Deps
from identity.providers import calls, issuers, signed_tokens
from identity.providers.failures import ProviderFailed
from identity.providers.metadata import ProviderMetadata
from identity.providers.signed_tokens import SKEW
from identity.queries.identity_providers import Provider


@dataclass(frozen=True, kw_only=True)
class IdTokenCheck:
    """The values of this sign-in that an ID token must fit."""

    nonce: str = field(repr=False)
    access_token: str = field(repr=False)
    max_age: int | None = None


async def verified_claims(
    deps: Deps,
    ctx: Context,
    provider: Provider,
    token: str,
    *,
    metadata: ProviderMetadata,
    check: IdTokenCheck,
) -> dict[str, Any]:
    """Returns the claims of an ID token after all checks. Raises ProviderFailed."""
    signed = await signed_tokens.verify(
        deps, ctx, provider, token, jwks_uri=metadata.jwks_uri, noun="the ID token"
    )
    claims = signed.claims
    iss = _check_issuer(provider, claims)
    if not signed.key_is_of(iss):
        raise _refused("its key signs for another issuer")
    _check_audience(provider, claims)
    _check_times(claims, check.max_age)
    _check_nonce(provider, claims, check.nonce)
    _check_access_token(claims, signed.header["alg"], check.access_token)
    return claims


def _refused(why: str) -> ProviderFailed:
    return signed_tokens.refused("id_token", "the ID token", why)


def _check_issuer(provider: Provider, claims: dict[str, Any]) -> str:
    iss = claims["iss"]
    if isinstance(iss, str) and issuers.is_issuer(provider, iss, tenant=claims.get("tid")):
        return iss
    raise _refused("iss is another issuer")


def _check_audience(provider: Provider, claims: dict[str, Any]) -> None:
    """The token is for us alone: an audience that we do not know could use it too."""
    audience = claims["aud"]
    if audience not in (provider.client_id, [provider.client_id]):
        raise _refused("aud is not this client alone")
    if "azp" in claims and claims["azp"] != provider.client_id:
        raise _refused("azp is another client")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 1 <= len(subject) <= 255:
        raise _refused("sub is not a text of 1 to 255 characters")
    domain = calls.options_of(provider).hosted_domain
    if domain and claims.get("hd") != domain:
        raise _refused("hd is not the hosted domain of the provider")


def _check_times(claims: dict[str, Any], max_age: int | None) -> None:
    for name in ("exp", "iat", "auth_time"):
        moment = claims.get(name, 0)
        if isinstance(moment, bool) or not isinstance(moment, int | float):
            raise _refused(f"{name} is not a number")
    if max_age is None or "auth_time" not in claims:
        return
    if claims["auth_time"] + max_age + SKEW < clock.now():
        raise _refused("auth_time is older than max_age")


def _check_nonce(provider: Provider, claims: dict[str, Any], nonce: str) -> None:
    """A provider that sends no nonce is accepted only if its row says so."""
    value = claims.get("nonce")
    if provider.nonce == "off":
        return
    if value is None:
        waiver = calls.options_of(provider).nonce_waiver
        waived = waiver is not None and claims.get(waiver) is False
        if provider.nonce == "optional" or waived:
            return
        raise _refused("nonce is missing")
    if not isinstance(value, str) or not hmac.compare_digest(value.encode(), nonce.encode()):
        raise _refused("nonce is of another sign-in")


def _check_access_token(claims: dict[str, Any], alg: str, access_token: str) -> None:
    """Checks `at_hash`, the left half of the access token's digest (section 3.1.3.6)."""
    value = claims.get("at_hash")
    if value is None:
        return
    digest = (hashlib.sha512 if alg == "EdDSA" else hashlib.sha256)(access_token.encode()).digest()
    if value != b64url(digest[: len(digest) // 2]):
        raise _refused("at_hash is of another access token")
