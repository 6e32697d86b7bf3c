"""Proofs of possession: the header DPoP (RFC 9449 section 4)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import orjson

from common import clock
from common.contracts.oauth_errors import InvalidDpopProof
from common.crypto import b64url, sha256_b64url
from oidc import jose, json_web_keys
from oidc.client_keys import PRIVATE_MEMBERS

ALGORITHMS: Final = ("ES256", "PS256", "EdDSA")
MAX_LENGTH: Final = 4096
"""Characters of a proof."""
MAX_JTI: Final = 128
MAX_NONCE: Final = 128
TYPE: Final = "dpop+jwt"
WINDOW: Final = 60
"""Seconds by which `iat` may differ from our time, in both directions."""
WINDOW_WITH_NONCE: Final = 300
"""The same with a nonce, which says how old the proof is: so the client's clock may be wrong."""
PORTS: Final = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class DpopProof:
    """A proof whose signature and request are right. Its nonce is not checked, and it may have been used."""

    thumbprint: str
    jti: str
    nonce: str | None
    issued_at: float

    @property
    def id(self) -> bytes:
        """The name under which a used proof is stored. Two keys may have one `jti`."""
        return hashlib.sha256(f"{self.thumbprint} {self.jti}".encode()).digest()[:16]


def read(proof: str, *, method: str, url: str, access_token: str | None = None) -> DpopProof:
    """Verifies a proof for one request (section 4.3). Raises InvalidDpopProof.

    `url` is that of the request, as the client knows it. With an `access_token`, the proof must have its hash.
    """
    try:
        header, body, message, signature = jose.split(proof if len(proof) <= MAX_LENGTH else "")
        key = _key(header)
    except json_web_keys.BadToken as error:
        raise InvalidDpopProof(f"the DPoP proof is not valid: {error}") from None
    if not key.verifies(message, signature):
        raise InvalidDpopProof("the signature of the DPoP proof is not valid")
    claims = _claims(body)
    _check_request(claims, method=method, url=url, access_token=access_token)
    nonce = claims.get("nonce")
    issued_at = claims.get("iat")
    if isinstance(issued_at, bool) or not isinstance(issued_at, int | float):
        raise InvalidDpopProof("iat of the DPoP proof is not a number")
    window = WINDOW if nonce is None else WINDOW_WITH_NONCE
    if abs(issued_at - clock.now()) > window:
        raise InvalidDpopProof("the DPoP proof is too old, or its iat is in the future")
    return DpopProof(json_web_keys.thumbprint(key.jwk), claims["jti"], nonce, float(issued_at))


def _key(header: dict[str, Any]) -> json_web_keys.PublicKey:
    """Returns the key of the proof. Raises BadToken."""
    alg, jwk = header.get("alg"), header.get("jwk")
    if header.get("typ") != TYPE:
        raise json_web_keys.BadToken(f"its type is not {TYPE}")
    if alg not in ALGORITHMS:
        raise json_web_keys.BadToken("its algorithm is not allowed")
    if not isinstance(jwk, dict):
        raise json_web_keys.BadToken("it has no jwk")
    if PRIVATE_MEMBERS & jwk.keys():
        raise json_web_keys.BadToken("its jwk is not a public key")
    return json_web_keys.load_public(jwk, alg)


def _claims(body: bytes) -> dict[str, Any]:
    """Returns the claims, with a `jti`, and a `nonce` that is a text or missing."""
    try:
        claims = orjson.loads(body)
    except ValueError:
        raise InvalidDpopProof("the claims of the DPoP proof are not JSON") from None
    if not isinstance(claims, dict):
        raise InvalidDpopProof("the claims of the DPoP proof are not an object")
    jti, nonce = claims.get("jti"), claims.get("nonce", "-")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:
        raise InvalidDpopProof(f"jti of the DPoP proof must have 1 to {MAX_JTI} characters")
    if not isinstance(nonce, str) or len(nonce) > MAX_NONCE:
        raise InvalidDpopProof("nonce of the DPoP proof is malformed")
    return claims


def _check_request(
    claims: dict[str, Any], *, method: str, url: str, access_token: str | None
) -> None:
    """Raises InvalidDpopProof unless the proof was made for this request and this token."""
    if claims.get("htm") != method:
        raise InvalidDpopProof("htm of the DPoP proof is not the method of the request")
    htu = claims.get("htu")
    if not isinstance(htu, str) or _normalized(htu) != _normalized(url):
        raise InvalidDpopProof("htu of the DPoP proof is not the address of the request")
    if access_token is not None:
        ath = claims.get("ath")
        if not isinstance(ath, str) or not compare_digest(
            ath.encode(), sha256_b64url(access_token).encode()
        ):
            raise InvalidDpopProof("ath of the DPoP proof is not the hash of the access token")


def _normalized(url: str) -> tuple[str, str, int | None, str] | None:
    """Returns scheme, host, port and path. Query and fragment do not count (section 4.3), and neither does how
    a URL is written (RFC 3986 section 6.2.2)."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.hostname is None or parts.username is not None or parts.password is not None:
        return None
    scheme = parts.scheme.lower()
    return scheme, parts.hostname, port or PORTS.get(scheme), unquote(parts.path) or "/"


def is_thumbprint(text: str) -> bool:
    """Returns whether this may be a `dpop_jkt`: 32 bytes, base64url."""
    return len(text) == len(b64url(bytes(32))) and text.replace("-", "").replace("_", "").isalnum()
