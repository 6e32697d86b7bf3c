"""Request objects: authorization requests that a client has signed (RFC 9101).

They come by value only: an address in `request_uri` is never called. They are not encrypted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import orjson

from common import clock
from common.context import Context
from common.contracts.authorization import Params
from common.contracts.oauth_errors import InvalidClient, InvalidRequestObject
from oidc import jose, json_web_keys, security_profile
from oidc.client_keys import verification_keys
from oidc.deps import Deps
from oidc.oauth_parameters import REPEATABLE, printable
from oidc.queries.clients import RegisteredClient

TYPES: Final = ("jwt", "oauth-authz-req+jwt")
"""A JWT with another explicit type was signed for another purpose (RFC 9101 section 10.8)."""
SKEW: Final = 30
"""Seconds by which a client's clock may differ from ours."""
MAX_LIFETIME: Final = 3600
"""Seconds from now until a request object must have expired."""
NOTED_FOR: Final = MAX_LIFETIME + 2 * SKEW
"""Seconds for which the `jti` of an object is noted: it has expired by then."""
MAX_PARAMETERS: Final = 100
NOT_PARAMETERS: Final = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti", "sub"})
"""Claims about the object itself (RFC 7519 section 4.1)."""


@dataclass(frozen=True, slots=True)
class ProvenObject:
    """The parameters in a request object that the client has signed.

    `jti_hash` is that of its `jti`, with which it makes one code only.
    """

    params: Params
    jti_hash: str | None


async def prove(
    deps: Deps, ctx: Context, client: RegisteredClient, request_object: str
) -> ProvenObject:
    """Verifies signature and claims (RFC 9101 section 6). Raises InvalidRequestObject."""
    try:
        header, body, message, signature = jose.split(request_object)
    except json_web_keys.BadToken as error:
        raise InvalidRequestObject(f"the request object is not valid: {error}") from None
    if header.get("typ", "jwt").lower().removeprefix("application/") not in TYPES:
        raise InvalidRequestObject("a JWT of this type is not a request object")
    alg, kid = header.get("alg"), header.get("kid")
    if alg not in json_web_keys.ALGORITHMS or client.request_object_signing_alg not in (None, alg):
        raise InvalidRequestObject("the request object's algorithm is not allowed for this client")
    if not security_profile.allows(client, alg):
        raise InvalidRequestObject("the client's security profile does not allow this algorithm")
    try:
        keys = await verification_keys(deps, ctx, client, kid=kid, alg=alg)
    except InvalidClient as error:
        raise InvalidRequestObject(error.detail) from None
    if not any(key.verifies(message, signature) for key in keys):
        raise InvalidRequestObject("the request object's signature is not valid")
    claims = _claims(body)
    _check_claims(ctx, client, claims)
    return ProvenObject(_params(claims), _jti_hash(claims))


def _claims(body: bytes) -> dict[str, Any]:
    try:
        claims = orjson.loads(body)
    except ValueError:
        raise InvalidRequestObject("the request object's claims are not JSON") from None
    if not isinstance(claims, dict):
        raise InvalidRequestObject("the request object's claims are not an object")
    return claims


def _check_claims(ctx: Context, client: RegisteredClient, claims: dict[str, Any]) -> None:
    """Checks who made the object, for whom, and when (RFC 9101 sections 4 and 10.8).

    With `sub`, the object could be used as a client assertion by those who see it.
    """
    if claims.get("client_id") != client.client_id:
        raise InvalidRequestObject("client_id in the request object differs from the one outside")
    if claims.get("iss") != client.client_id:
        raise InvalidRequestObject("iss of the request object must be the client_id")
    if claims.get("aud") not in (ctx.origin, [ctx.origin]):
        raise InvalidRequestObject("aud of the request object must be the issuer")
    if claims.get("sub") == client.client_id:
        raise InvalidRequestObject("the request object must not have the client_id as sub")
    if "request" in claims or "request_uri" in claims:
        raise InvalidRequestObject("a request object cannot contain another one")
    now = clock.now()
    expires, not_before, issued_at = (claims.get(name, now) for name in ("exp", "nbf", "iat"))
    if not all(_is_number(moment) for moment in (expires, not_before, issued_at)):
        raise InvalidRequestObject("exp, nbf or iat of the request object is not a number")
    if expires + SKEW < now:
        raise InvalidRequestObject("the request object has expired")
    if expires > now + MAX_LIFETIME + SKEW:
        raise InvalidRequestObject(
            f"the request object is valid for more than {MAX_LIFETIME} seconds"
        )
    if max(not_before, issued_at) > now + SKEW:
        raise InvalidRequestObject("the request object is not valid yet")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _jti_hash(claims: dict[str, Any]) -> str | None:
    """Returns the hash under which the object's `jti` is noted. Raises InvalidRequestObject.

    It is noted for as long as the object is valid, so an object with `jti` needs `exp`.
    """
    jti = claims.get("jti")
    if jti is None:
        return None
    if not isinstance(jti, str) or not jti:
        raise InvalidRequestObject("jti of the request object is not a text")
    if "exp" not in claims:
        raise InvalidRequestObject("a request object with jti needs exp")
    return hashlib.sha256(f"request object {jti}".encode()).hexdigest()


def _params(claims: dict[str, Any]) -> Params:
    """Returns the parameters as texts. Numbers and objects are JSON in a request object (section 4)."""
    params: Params = []
    for name, value in claims.items():
        if name in NOT_PARAMETERS or value is None:
            continue
        values = value if name in REPEATABLE and isinstance(value, list) else [value]
        params += [(name, _text(name, one)) for one in values]
    if len(params) > MAX_PARAMETERS:
        raise InvalidRequestObject("the request object has too many parameters")
    return params


def _text(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    if "\0" in name or "\0" in text:
        raise InvalidRequestObject(f"{printable(name)} contains a NUL character")
    return text
