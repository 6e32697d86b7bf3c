"""Client authentication at the token, introspection and revocation endpoints.

RFC 6749 section 2.3, OpenID Connect Core section 9, RFC 7523.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from common.context import Context
from common.contracts.oauth_errors import InvalidClient, OAuthError
from oidc import client_assertions, client_documents, client_secret_check, security_profile
from oidc.client_cache import find_registered
from oidc.deps import Deps
from oidc.oauth_parameters import OAuthParameters
from oidc.queries.clients import RegisteredClient


@dataclass(frozen=True, slots=True)
class ClientCredential:
    """The credential in a request: a secret or an assertion, and the method it was sent by."""

    method: str
    client_id: str
    secret: str = field(default="", repr=False)


async def authenticate(
    deps: Deps, ctx: Context, parameters: OAuthParameters, basic: str | None
) -> RegisteredClient:
    """Returns the client that sent the request. `basic` is the Authorization header's value.

    Raises InvalidClient, or OAuthError `invalid_request` if the request has two credentials.
    """
    credential = read_credential(parameters, basic)
    client = await find_registered(deps, ctx, credential.client_id)
    if client is None or not client.enabled:
        raise InvalidClient("the client is unknown")
    if client.source == "document":
        await _check_accepted(deps, ctx, client)
    security_profile.check_method(client)
    if credential.method == "assertion":
        if client.token_endpoint_auth_method not in ("private_key_jwt", "client_secret_jwt"):
            raise InvalidClient("this client does not authenticate by assertion")
        await client_assertions.check(deps, ctx, client, credential.secret)
    elif credential.method not in _methods(client):
        raise InvalidClient(f"this client authenticates by {' or '.join(_methods(client))}")
    elif not client.public:
        await client_secret_check.check(deps, ctx, client, credential.secret)
    return client


async def _check_accepted(deps: Deps, ctx: Context, client: RegisteredClient) -> None:
    """Refuses a client that is known by its document, if the application does not accept it any more."""
    try:
        await client_documents.check_accepted(deps, ctx, client.client_id)
    except OAuthError as problem:
        raise InvalidClient(problem.detail) from None


def _methods(client: RegisteredClient) -> tuple[str, ...]:
    """Returns the methods that the client may use.

    A client registered without a method may send its secret in the header or in the body: both
    carry the same secret over the same connection.
    """
    method = client.token_endpoint_auth_method
    return ("client_secret_basic", "client_secret_post") if method is None else (method,)


def read_credential(parameters: OAuthParameters, basic: str | None) -> ClientCredential:
    """Returns the credential of a request, which may have only one (RFC 6749 section 2.3)."""
    client_id = parameters.get("client_id")
    secret = parameters.get("client_secret")
    assertion = parameters.get("client_assertion")
    if sum((basic is not None, secret is not None, assertion is not None)) > 1:
        raise OAuthError("the request uses more than one method of client authentication")
    if basic is not None:
        credential = _from_basic(basic)
        if client_id is not None and client_id != credential.client_id:
            raise OAuthError("client_id differs from the Authorization header")
        return credential
    if assertion is not None:
        assertion_type = parameters.get("client_assertion_type")
        if assertion_type != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
            raise OAuthError("client_assertion_type is not supported")
        issuer = client_assertions.issuer(assertion)
        if client_id is not None and client_id != issuer:
            raise InvalidClient("the assertion belongs to another client")
        return ClientCredential("assertion", issuer, assertion)
    if client_id is None:
        raise InvalidClient("the request has no client authentication")
    if secret is not None:
        return ClientCredential("client_secret_post", client_id, secret)
    return ClientCredential("none", client_id)


def _from_basic(value: str) -> ClientCredential:
    """Reads HTTP Basic (RFC 7617). Both parts are form-urlencoded (RFC 6749 section 2.3.1)."""
    try:
        user, colon, password = b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise InvalidClient("the Authorization header is malformed") from None
    if not colon or not user:
        raise InvalidClient("the Authorization header is malformed")
    return ClientCredential("client_secret_basic", unquote_plus(user), unquote_plus(password))
