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
from oidc import assertions, client_secrets
from oidc.client_cache import registered
from oidc.deps import Deps
from oidc.params import Given
from oidc.queries.clients import Registered


@dataclass(frozen=True, slots=True)
class Presented:
    """What a client showed, and by which method."""

    method: str
    client_id: str
    secret: str = field(default="", repr=False)


async def authenticate(deps: Deps, ctx: Context, params: Given, basic: str | None) -> Registered:
    """The client that sent this. Raises InvalidClient, or invalid_request for two methods."""
    shown = presented(params, basic)
    client = await registered(deps, ctx, shown.client_id)
    if client is None or not client.enabled:
        raise InvalidClient("the client is unknown")
    if shown.method == "assertion":
        if client.token_endpoint_auth_method not in ("private_key_jwt", "client_secret_jwt"):
            raise InvalidClient("this client does not authenticate by assertion")
        await assertions.check(deps, ctx, client, shown.secret)
    elif shown.method not in _methods(client):
        raise InvalidClient(f"this client authenticates by {' or '.join(_methods(client))}")
    elif not client.public:
        await client_secrets.check(deps, ctx, client, shown.secret)
    return client


def _methods(client: Registered) -> tuple[str, ...]:
    """How this client may authenticate. Basic and body carry the same secret over the same
    connection, so either will do for a client that was registered without a method."""
    method = client.token_endpoint_auth_method
    return ("client_secret_basic", "client_secret_post") if method is None else (method,)


def presented(params: Given, basic: str | None) -> Presented:
    """Exactly one way (RFC 6749 section 2.3)."""
    client_id, secret, assertion = (
        params.get("client_id"),
        params.get("client_secret"),
        params.get("client_assertion"),
    )
    if sum((basic is not None, secret is not None, assertion is not None)) > 1:
        raise OAuthError("more than one way of client authentication")
    if basic is not None:
        shown = _from_basic(basic)
        if client_id is not None and client_id != shown.client_id:
            raise OAuthError("client_id differs from the Authorization header")
        return shown
    if assertion is not None:
        kind = params.get("client_assertion_type")
        if kind != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
            raise OAuthError("client_assertion_type is not supported")
        named = assertions.issuer(assertion)
        if client_id is not None and client_id != named:
            raise InvalidClient("the assertion is of another client")
        return Presented("assertion", named, assertion)
    if client_id is None:
        raise InvalidClient("no client authentication")
    if secret is not None:
        return Presented("client_secret_post", client_id, secret)
    return Presented("none", client_id)


def _from_basic(value: str) -> Presented:
    """RFC 6749 section 2.3.1: both parts form-urlencoded, then RFC 7617."""
    try:
        user, colon, password = b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise InvalidClient("the Authorization header is malformed") from None
    if not colon or not user:
        raise InvalidClient("the Authorization header is malformed")
    return Presented("client_secret_basic", unquote_plus(user), unquote_plus(password))
