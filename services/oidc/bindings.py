"""Bindings of tokens: the member `cnf` of tokens and grants (RFC 7800).

A binding follows the token. It is kept in the code, the refresh token, the access token and all else
that becomes a token. It is never dropped, also if the client's settings change.
"""

from __future__ import annotations

from typing import Any, Final

from common.contracts.oauth_errors import InvalidDpopProof, InvalidGrant, InvalidToken
from oidc.queries.clients import RegisteredClient

Binding = dict[str, Any]
"""One member: the thumbprint of what the holder must prove to have."""
DPOP: Final = "jkt"
"""A key, proven by DPoP (RFC 9449 section 6)."""
CERTIFICATE: Final = "x5t#S256"
"""A certificate, presented in the TLS handshake (RFC 8705 section 3.1)."""
KINDS: Final = frozenset({DPOP, CERTIFICATE})


def token_type(cnf: Binding | None) -> str:
    """Returns the `token_type` of an access token with this binding (RFC 9449 section 5)."""
    return "DPoP" if cnf and DPOP in cnf else "Bearer"


def check_grant(bound: Binding | None, proven: Binding | None) -> None:
    """Checks a code, or another grant that is redeemed once, against what the request proves.

    Raises InvalidGrant for a binding of a kind that is not known here, and for another key. Raises
    InvalidDpopProof if a proof is missing.
    """
    if bound is None or bound == proven:
        return
    if len(bound) != 1 or not bound.keys() <= KINDS:
        raise InvalidGrant("the grant is bound to something that cannot be checked")
    if proven is None and DPOP in bound:
        raise InvalidDpopProof("the grant is bound to a key, and the request proves none")
    raise InvalidGrant("the grant is bound to another key or certificate")


def check_refresh(client: RegisteredClient, bound: Binding | None, proven: Binding | None) -> None:
    """Checks a refresh token against what the request proves.

    A public client must prove the same key. A confidential one has authenticated, so it may prove a new
    key of the same kind (RFC 9449 section 5, RFC 8705 section 7.1). Raises as `check_grant` does.
    """
    is_new_key = bound is not None and proven is not None and bound.keys() == proven.keys()
    if is_new_key and not client.public:
        return
    check_grant(bound, proven)


def check_access_token(bound: Binding | None, proven: Binding | None) -> None:
    """Checks an access token that is presented to our own API. Raises InvalidToken unless the request
    proves exactly what the token is bound to."""
    if bound == proven:
        return
    scheme = {"scheme": "DPoP"} if bound and DPOP in bound else {}
    raise InvalidToken(
        "the access token is bound to a key or certificate that was not proven", **scheme
    )
