"""JSON Web Tokens of NATS: claims that an nkey signs, with the algorithm `ed25519-nkey`."""

from __future__ import annotations

from typing import Any, Final

import orjson

from common.audit_chain import unb64
from common.crypto import b64url
from common.ids import new_id
from common.nkeys import NatsKey, is_signature

ALGORITHM: Final = "ed25519-nkey"
VERSION: Final = 2
"""The version of the claims."""
HEADER: Final = b64url(orjson.dumps({"typ": "JWT", "alg": ALGORITHM}))


class BadNatsToken(ValueError):
    """A text is no token of a NATS server."""


def encode(issuer: NatsKey, kind: str, nats: dict[str, Any], *, now: int, **claims: Any) -> str:
    """Returns a token of a kind, such as `user`. `nats` has the claims that are of NATS."""
    body = {
        **claims,
        "iss": issuer.public,
        "iat": now,
        "jti": new_id(),
        "nats": {**nats, "type": kind, "version": VERSION},
    }
    signed = f"{HEADER}.{b64url(orjson.dumps(body))}"
    return f"{signed}.{b64url(issuer.sign(signed.encode()))}"


def decode_of_server(token: bytes) -> dict[str, Any]:
    """Returns the claims of a token that a server signed with the key that it names as issuer. Raises
    BadNatsToken."""
    try:
        signed, _, signature = token.rpartition(b".")
        head, _, body = signed.decode().partition(".")
        header, claims = orjson.loads(unb64(head)), orjson.loads(unb64(body))
        if header["alg"] != ALGORITHM:
            raise BadNatsToken("another algorithm")
        if not is_signature(claims["iss"], "server", unb64(signature.decode()), signed):
            raise BadNatsToken("the signature is not that of the issuer")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BadNatsToken(f"no token of a server: {error}") from None
    if not isinstance(claims, dict):
        raise BadNatsToken("no claims")
    return claims
