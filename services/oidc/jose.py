"""Signed tokens: compact JWS (RFC 7515) with JWT claims (RFC 7519)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, Final

import orjson

from common import clock
from common.crypto import b64url
from common.sealing import unb64
from oidc.json_web_keys import BadToken, PublicKey

ACCESS_TOKEN: Final = "at+jwt"
"""The `typ` of an access token (RFC 9068 section 2.1)."""
ID_TOKEN: Final = "JWT"
LOGOUT_TOKEN: Final = "logout+jwt"
"""The `typ` of a logout token (Back-Channel Logout 1.0 section 2.4)."""
MAX_LENGTH: Final = 16_384
_PARTS: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_STRINGS: Final = ("alg", "typ", "kid", "cty")
SKEW: Final = 30
"""Seconds by which `nbf` and `iat` may be in the future."""
_LAST: Final = 253402300799
"""The last second of the year 9999. Python has no later date."""


def split(token: str) -> tuple[dict[str, Any], bytes, bytes, bytes]:
    """Returns header, payload, signed bytes and signature. Nothing is verified. Raises BadToken.

    Only `alg`, `typ`, `kid` and `cty` of the header are used (RFC 7515 section 4). Keys never come
    from the token (`jwk`, `jku`, `x5u`, `x5c`). No extension is supported, so a header with `crit`
    is refused (section 4.1.11).
    """
    match = _PARTS.fullmatch(token) if len(token) <= MAX_LENGTH else None
    if match is None:
        raise BadToken("not a compact JWS")
    head, body, signature = match.groups()
    try:
        header = orjson.loads(unb64(head))
    except ValueError:
        raise BadToken("the header is not JSON") from None
    if not isinstance(header, dict) or "crit" in header:
        raise BadToken("the header is not an object, or has crit")
    if not all(isinstance(header.get(name, ""), str) for name in _STRINGS):
        raise BadToken("a member of the header is not a string")
    if not all(_is_canonical(part) for part in match.groups()):
        raise BadToken("not base64url")
    try:
        return header, unb64(body), f"{head}.{body}".encode(), unb64(signature)
    except ValueError:
        raise BadToken("not base64url") from None


def _is_canonical(part: str) -> bool:
    """Returns whether the unused bits of the last character are zero (RFC 4648 section 3.5).

    Otherwise one token could be written in several ways.
    """
    try:
        return b64url(unb64(part)) == part
    except ValueError:
        return False


def verify(
    token: str, find: Callable[[str], PublicKey | None], *, types: frozenset[str]
) -> dict[str, Any]:
    """Returns the claims of a token that one of our keys signed. Raises BadToken.

    `find` returns the key with a `kid`. `types` are the accepted values of `typ`. An expired token
    is not refused.
    """
    header, body, message, signature = split(token)
    kid = header.get("kid")
    key = find(kid) if isinstance(kid, str) else None
    if key is None:
        raise BadToken("none of this application's keys signed it")
    if header.get("alg") != key.alg:
        raise BadToken("the algorithm is not the key's")
    if header.get("typ") not in types:
        raise BadToken("the token has another type")
    if not key.verifies(message, signature):
        raise BadToken("the signature is not valid")
    try:
        claims = orjson.loads(body)
    except ValueError:
        raise BadToken("the claims are not JSON") from None
    if not isinstance(claims, dict):
        raise BadToken("the claims are not an object")
    _require(claims)
    return claims


def _require(claims: dict[str, Any]) -> None:
    """Checks the claims that all our tokens have (RFC 7519 section 4.1). Raises BadToken.

    `exp` may be in the past: an expired ID token is a valid hint.
    """
    audience = claims.get("aud")
    names = audience if isinstance(audience, list) else [audience]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise BadToken("aud is not a string or a list of strings")
    for name in ("iss", "sub"):
        if not isinstance(claims.get(name), str) or not claims[name]:
            raise BadToken(f"{name} is not a string")
    if not all(_is_date(claims.get(name)) for name in ("exp", "iat")):
        raise BadToken("exp or iat is not a date")
    not_before = claims.get("nbf", claims["iat"])
    if not _is_date(not_before) or max(not_before, claims["iat"]) > clock.now() + SKEW:
        raise BadToken("the token is not valid yet")


def _is_date(value: object) -> bool:
    """Returns whether this is a NumericDate (RFC 7519 section 2) before the year 10000."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LAST


def half_hash(alg: str, value: str) -> str:
    """Returns `at_hash`: the left half of the digest (OpenID Connect Core section 3.1.3.6)."""
    digest = (hashlib.sha512 if alg == "EdDSA" else hashlib.sha256)(value.encode()).digest()
    return b64url(digest[: len(digest) // 2])
