"""The keys with which a provider signs ID tokens (RFC 7517). Keys of one row verify nothing for another."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import Algorithm, get_default_algorithms
from jwt.exceptions import PyJWTError

from common.context import Context
from identity.deps import Deps
from identity.providers import documents
from identity.providers.documents import DocumentSource
from identity.providers.failures import ProviderFailed
from identity.queries.identity_providers import Provider

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
"""All algorithms that a row can list. `none` and HMAC are not among them."""
KTY: Final = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
MEMBERS: Final = ("kty", "kid", "alg", "use", "n", "e", "crv", "x", "y", "issuer")
"""The members of a JWK that are stored. `issuer` is Microsoft's: the tenants that the key signs for."""
MAX_KEYS: Final = 100
MAX_MEMBER: Final = 1500
"""Characters of a member."""
RSA_BITS: Final = range(2048, 8193)
MAX_EXPONENT: Final = 1 << 32
"""Of an RSA key. With a longer one, each of a provider's keys would cost milliseconds."""


def keys_source(url: str) -> DocumentSource:
    """Returns where the keys are, and how they are checked."""
    return DocumentSource("keys", url, _read)


def _read(value: Any) -> dict[str, Any]:
    """Returns the public signature keys of a JWK Set. Raises ProviderFailed."""
    members = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(members, list):
        raise ProviderFailed("keys", "the answer of jwks_uri is not a JWK Set")
    kept = [_kept(jwk) for jwk in members if isinstance(jwk, dict) and _is_signature_key(jwk)]
    if not kept or len(kept) > MAX_KEYS:
        raise ProviderFailed("keys", f"jwks_uri has {len(kept)} signature keys")
    return {"keys": kept}


def _is_signature_key(jwk: dict[str, Any]) -> bool:
    texts = [jwk[name] for name in MEMBERS if name in jwk]
    usable = all(isinstance(text, str) and len(text) <= MAX_MEMBER for text in texts)
    return usable and jwk.get("kty") in KTY.values() and jwk.get("use", "sig") == "sig"


def _kept(jwk: dict[str, Any]) -> dict[str, str]:
    return {name: jwk[name].replace("\0", "") for name in MEMBERS if name in jwk}


async def verification_keys(
    deps: Deps, ctx: Context, provider: Provider, *, url: str | None, kid: str | None, alg: str
) -> list[dict[str, str]]:
    """Returns the provider's keys for this algorithm, and of this `kid` if there is one.

    An unknown `kid` makes us fetch the keys, because the provider may have rotated them. Raises
    ProviderFailed if there is none.
    """
    if url is None:
        raise ProviderFailed("keys", "the provider names no jwks_uri")
    source = keys_source(url)
    for newer in (False, True):
        stored = await documents.document(deps, ctx, provider, source, newer=newer)
        matching = [jwk for jwk in stored["keys"] if _matches(jwk, kid, alg)]
        if matching:
            return matching
    raise ProviderFailed("keys", "the provider has no key with the kid and alg of the ID token")


def _matches(jwk: dict[str, str], kid: str | None, alg: str) -> bool:
    return (
        (kid is None or jwk.get("kid", kid) == kid)
        and jwk.get("alg", alg) == alg
        and jwk["kty"] == KTY[alg]
    )


def load(jwk: dict[str, str], alg: str) -> Any:
    """Returns the key of a JWK. Raises ProviderFailed if it is malformed, or weak."""
    try:
        key: Any = _algorithms()[alg].from_jwk(dict(jwk))
    except (PyJWTError, ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        raise ProviderFailed("keys", "the key of the ID token is malformed") from None
    good = (
        (
            isinstance(key, rsa.RSAPublicKey)
            and key.key_size in RSA_BITS
            and key.public_numbers().e < MAX_EXPONENT
        )
        or (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1))
        or isinstance(key, ed25519.Ed25519PublicKey)
    )
    if not good:
        raise ProviderFailed("keys", "the key of the ID token is of a kind that is not accepted")
    return key


@cache
def _algorithms() -> dict[str, Algorithm]:
    known = get_default_algorithms()
    return {name: known[name] for name in ALGORITHMS}
