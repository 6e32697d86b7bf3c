"""Verifies assertions that a provider signs for our token endpoint: RFC 7523 section 3, and the Identity
Assertion JWT Authorization Grant (ID-JAG, draft-ietf-oauth-identity-assertion-authz-grant)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from common import clock
from common.context import Context
from identity.deps import Deps
from identity.providers import claim_mapping, issuers, metadata, signed_tokens
from identity.providers.failures import ProviderFailed
from identity.providers.signed_tokens import SKEW, SignedToken
from identity.queries.identity_providers import Provider

ID_JAG: Final = "oauth-id-jag+jwt"
"""The `typ` of an ID-JAG."""
PLAIN: Final = "jwt"
MOST_SECONDS: Final[dict[str, int]] = {ID_JAG: 300, PLAIN: 3600}
"""By `typ`: for how long an assertion may be valid."""
MOST_JTI: Final = 255
MOST_SCOPE: Final = 4000
MOST_RESOURCES: Final = 20
MOST_AMR: Final = 10


@dataclass(frozen=True, slots=True)
class ProviderAssertion:
    """The claims of an assertion that is valid now."""

    typ: str
    subject: str
    claims: dict[str, Any]
    resource: list[str] | None

    @property
    def amr(self) -> list[str]:
        """The methods that the provider reports (RFC 8176), as far as they are texts."""
        values = self.claims.get("amr")
        texts = (
            [text for text in values if isinstance(text, str)] if isinstance(values, list) else []
        )
        return [text[:50] for text in texts[:MOST_AMR]]

    @property
    def auth_time(self) -> int:
        """When the user has proven who they are: as the provider says, or when it signed."""
        names = ("auth_time", "iat")
        at = next(self.claims[name] for name in names if _is_moment(self.claims.get(name)))
        return min(int(at), int(clock.now()))


async def verify(deps: Deps, ctx: Context, provider: Provider, assertion: str) -> ProviderAssertion:
    """Returns the assertion after all checks. Raises ProviderFailed."""
    if provider.type != "oidc" or not provider.enabled:
        raise _refused("its provider is disabled, or is not an OpenID provider")
    endpoints = await metadata.provider_metadata(deps, ctx, provider)
    signed = await signed_tokens.verify(
        deps,
        ctx,
        provider,
        assertion,
        jwks_uri=endpoints.jwks_uri,
        noun="the assertion",
        step="assertion",
    )
    typ = str(signed.header.get("typ") or PLAIN).lower().removeprefix("application/")
    if typ not in MOST_SECONDS:
        # A JWT with another explicit type was signed for another purpose (RFC 8725 section 3.11).
        raise _refused("its typ is not that of an assertion")
    claims = signed.claims
    _check_issuer(provider, signed)
    if claims["aud"] not in (ctx.origin, [ctx.origin]):
        raise _refused("aud is not this issuer alone")
    _check_times(claims, MOST_SECONDS[typ])
    _check_texts(claims, typ)
    return ProviderAssertion(
        typ, claim_mapping.subject(provider, claims), claims, _resource(claims)
    )


def _refused(why: str) -> ProviderFailed:
    return signed_tokens.refused("assertion", "the assertion", why)


def _check_issuer(provider: Provider, signed: SignedToken) -> None:
    iss = signed.claims["iss"]
    if not isinstance(iss, str) or not issuers.is_issuer(
        provider, iss, tenant=signed.claims.get("tid")
    ):
        raise _refused("iss is another issuer")
    if not signed.key_is_of(iss):
        raise _refused("its key signs for another issuer")


def _check_times(claims: dict[str, Any], longest: int) -> None:
    """`exp` is not in the past, and `iat` not in the future: `signed_tokens` has checked that."""
    if not _is_moment(claims["exp"]) or not _is_moment(claims["iat"]):
        raise _refused("exp or iat is not a number")
    begins = max(claims["iat"], claims["nbf"] if _is_moment(claims.get("nbf")) else 0)
    if claims["exp"] - begins > longest or claims["exp"] > clock.now() + longest + SKEW:
        raise _refused(f"it is valid for more than {longest} seconds")


def _is_moment(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1 << 40


def _check_texts(claims: dict[str, Any], typ: str) -> None:
    """Checks what the grant relies on. An ID-JAG names its client."""
    jti, client_id, scope = (claims.get(name) for name in ("jti", "client_id", "scope"))
    if not isinstance(jti, str) or not 1 <= len(jti) <= MOST_JTI:
        raise _refused("jti is missing")
    if client_id is not None and not isinstance(client_id, str):
        raise _refused("client_id is not a text")
    if typ == ID_JAG and not client_id:
        raise _refused("client_id is missing")
    if scope is not None and (not isinstance(scope, str) or len(scope) > MOST_SCOPE):
        raise _refused("scope is not a text")
    for name in ("act", "may_act"):
        if not isinstance(claims.get(name, {}), dict):
            raise _refused(f"{name} is not an object")


def _resource(claims: dict[str, Any]) -> list[str] | None:
    """Returns the claim `resource`: one identifier or several (RFC 8707 section 2)."""
    value = claims.get("resource")
    if value is None:
        return None
    values = [value] if isinstance(value, str) else value
    if (
        not isinstance(values, list)
        or not 1 <= len(values) <= MOST_RESOURCES
        or not all(isinstance(one, str) and len(one) <= 2000 for one in values)
    ):
        raise _refused("resource is not a text or a list of texts")
    return values
