"""Endpoints that OAuth clients call with their own credentials: what they have in common.

Parameters go to the oidc service as they came: it alone knows the protocol.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Final
from urllib.parse import unquote_plus

import orjson

from common.audit_chain import unb64
from common.contracts.device_authorization import (
    AuthorizationPending,
    ExpiredToken,
    SlowDown,
    StartDeviceAuthorization,
)
from common.contracts.oauth_errors import (
    AccessDenied,
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    InvalidTarget,
    OAuthError,
    UnauthorizedClient,
)
from common.contracts.pushed_requests import PushAuthorization
from common.contracts.tokens import ExchangeToken, IntrospectToken, RevokeToken
from gateway.admission.admission import admission_of
from gateway.http.request import GatewayRequest
from gateway.http.response import JSON, NO_STORE, GatewayResponse, Headers, oauth_error
from gateway.state import Gateway

NOT_CACHED: Final[Headers] = [JSON, NO_STORE, (b"pragma", b"no-cache")]
AUTHENTICATED: Final = (
    AccessDenied,
    InvalidGrant,
    InvalidScope,
    InvalidTarget,
    UnauthorizedClient,
    AuthorizationPending,
    ExpiredToken,
    SlowDown,
)
"""Errors that a client with a secret gets only if the secret is right. A client without one gets
AuthorizationPending only if its device code is right, and in time: such polls are not charged."""


def present_client(request: GatewayRequest, params: dict[str, str], header: str | None) -> None:
    """Tells the admission which client the request names, before it costs anything. Raises
    RateLimited."""
    admission_of(request).present_client(
        _secret(params, header), lambda: client_of(params, header) or subject_of(params)
    )


def client_of(params: dict[str, str], header: str | None) -> str | None:
    """Returns the client that sends its secret, or None if it sends an assertion."""
    if "client_assertion" in params:
        return None
    if header is None:
        return params.get("client_id")
    try:
        return unquote_plus(b64decode(header, validate=True).decode().partition(":")[0])
    except ValueError:
        return None


def _secret(params: dict[str, str], header: str | None) -> tuple[str | None, ...] | None:
    """Returns what a client sends in the same way each time, and what is slow to compare."""
    secret = params.get("client_secret")
    if "client_assertion" in params or (header is None and secret is None):
        return None
    return header, params.get("client_id"), secret


def subject_of(params: dict[str, str]) -> str | None:
    """Returns the subject of an assertion, which nobody has verified yet."""
    try:
        subject = orjson.loads(unb64(params["client_assertion"].split(".")[1]))["sub"]
    except (ValueError, LookupError, TypeError):
        return params.get("client_id")
    return subject if isinstance(subject, str) else None


async def call_as_client(
    gateway: Gateway,
    request: GatewayRequest,
    call: ExchangeToken
    | IntrospectToken
    | RevokeToken
    | PushAuthorization
    | StartDeviceAuthorization,
    *,
    status: int = 200,
) -> GatewayResponse:
    """Returns oidc's reply with that status, or its error as RFC 6749 section 5.2 wants it."""
    admission = admission_of(request)
    try:
        body = await gateway.bus.raw(request.context(), call)
    except OAuthError as error:
        secret = _secret(dict(call.params), call.basic)
        if secret is not None and isinstance(error, InvalidClient):
            admission.reject(secret)
        elif isinstance(error, AUTHENTICATED if secret is not None else AuthorizationPending):
            admission.accept()
        return oauth_error(error)
    admission.accept()
    return GatewayResponse(status, body, NOT_CACHED)
