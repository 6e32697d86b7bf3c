"""The demands of the FAPI 2.0 security profile on each request of a client.

The endpoints ask here for every client and every grant. Its demands on a client's settings are in
`common.security_profiles`.
"""

from __future__ import annotations

from typing import Final

from common.contracts.oauth_errors import InvalidClient, OAuthError
from common.security_profiles import ALGORITHMS, FAPI2, KEY_METHODS
from oidc.authorization_request import AuthorizationRequest
from oidc.queries.clients import RegisteredClient
from oidc.token_request import TokenRequest

CODE_LIFETIME: Final = 60
"""Seconds in which a code is redeemed at most."""
RESPONSE_ALG: Final = "ES256"
"""Of signed answers, for a client that has not chosen one."""


def is_fapi(client: RegisteredClient) -> bool:
    """Returns whether the client has the profile."""
    return client.security_profile == FAPI2


def check_method(client: RegisteredClient) -> None:
    """Raises InvalidClient unless the client authenticates by a key (section 5.3.2)."""
    if is_fapi(client) and client.token_endpoint_auth_method not in KEY_METHODS:
        raise InvalidClient("with its security profile, this client authenticates by its key")


def allows(client: RegisteredClient, alg: object) -> bool:
    """Returns whether the client may sign with this algorithm (section 5.4.1)."""
    return not is_fapi(client) or alg in ALGORITHMS


def check_authorization(request: AuthorizationRequest) -> None:
    """Raises OAuthError unless the request was pushed with its redirect URI (section 5.3.2)."""
    if not is_fapi(request.client):
        return
    if not request.is_pushed:
        raise OAuthError("this client must push its authorization requests")
    if not request.redirect_uri_given:
        raise OAuthError("redirect_uri is missing")


def check_token_request(request: TokenRequest) -> None:
    """Raises OAuthError unless the tokens will be bound to what the client holds.

    It is asked for every grant.
    """
    if is_fapi(request.client) and request.cnf is None:
        raise OAuthError("tokens of this client are bound to a key: send a DPoP proof")


def code_lifetime(client: RegisteredClient, configured: int) -> int:
    """Returns the seconds in which a code of this client is redeemed."""
    return min(configured, CODE_LIFETIME) if is_fapi(client) else configured


def response_alg(client: RegisteredClient, default: str) -> str:
    """Returns the algorithm of the client's signed answers (JARM section 3)."""
    chosen = client.authorization_signed_response_alg
    return chosen or (RESPONSE_ALG if is_fapi(client) else default)
