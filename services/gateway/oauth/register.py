"""The endpoints at which clients register themselves (RFC 7591) and manage their registration (RFC 7592)."""

from __future__ import annotations

from typing import Any, Final

import orjson

from common.contracts.base import Request
from common.contracts.client_registration import (
    DeleteRegistration,
    InvalidClientMetadata,
    ReadRegistration,
    RegisterClient,
    RegistrationClosed,
    ReplaceRegistration,
)
from common.contracts.oauth_errors import InvalidToken
from common.problems import Problem, RateLimited
from gateway.admission.admission import admission_of
from gateway.http.authorization import bearer_token
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, bearer_error, oauth_error
from gateway.oauth.client_calls import NOT_CACHED
from gateway.routing import ErrorStyle, HostKind, Route, RouteSet
from gateway.state import Gateway

PATH: Final = "/oauth2/register"
OF_CLIENT: Final = f"{PATH}/{{client_id}}"
MAX_BYTES: Final = 65_536
"""Of the metadata: a key set is their largest member."""
MAX_TOKEN: Final = 200
JSON: Final = "application/json"


async def register(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """POST /oauth2/register (RFC 7591 section 3)"""
    token = _token(request)
    call = RegisterClient(metadata=await _metadata(request), token=token)
    return await _call(gateway, request, call, status=201)


async def read(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /oauth2/register/{client_id} (RFC 7592 section 2.1)"""
    call = ReadRegistration(client_id=_client_id(request), token=_token(request) or "")
    return await _call(gateway, request, call)


async def replace(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """PUT /oauth2/register/{client_id} (RFC 7592 section 2.2)"""
    call = ReplaceRegistration(
        client_id=_client_id(request),
        token=_token(request) or "",
        metadata=await _metadata(request),
    )
    return await _call(gateway, request, call)


async def delete(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """DELETE /oauth2/register/{client_id} (RFC 7592 section 2.3): 204"""
    call = DeleteRegistration(client_id=_client_id(request), token=_token(request) or "")
    response = await _call(gateway, request, call)
    return GatewayResponse(204, b"", NOT_CACHED[1:]) if response.status == 200 else response


async def _call(
    gateway: Gateway, request: GatewayRequest, call: Request[Any], *, status: int = 200
) -> GatewayResponse:
    """Returns oidc's reply, or its error as RFC 7591 section 3.2.2 wants it. Any error but that of the token means that the
    token was valid."""
    admission = admission_of(request)
    try:
        body = await gateway.bus.raw(request.context(), call)
    except Problem as error:
        if not isinstance(error, InvalidToken | RegistrationClosed | RateLimited):
            admission.accept()
        return _refusal(error)
    admission.accept()
    return GatewayResponse(status, body, NOT_CACHED)


def _refusal(error: Problem) -> GatewayResponse:
    if isinstance(error, InvalidToken):  # RFC 6750 section 3.1, RFC 7592 section 2
        return bearer_error(error)
    response = oauth_error(error)
    if isinstance(error, RegistrationClosed):
        body = orjson.dumps({"error": error.code, "error_description": error.detail})
        return GatewayResponse(error.status, body, response.headers)
    return response


def _client_id(request: GatewayRequest) -> str:
    return request.path.rsplit("/", 1)[-1][:200]


def _token(request: GatewayRequest) -> str | None:
    token = bearer_token(request)
    if token is not None and len(token) > MAX_TOKEN:
        raise InvalidToken("the token is too long")
    return token


async def _metadata(request: GatewayRequest) -> dict[str, Any]:
    """Reads the metadata. Raises InvalidClientMetadata if they are not a JSON object, or too long."""
    body = await request.body.read()
    if len(body) > MAX_BYTES:
        raise InvalidClientMetadata(f"the metadata can have at most {MAX_BYTES} bytes")
    if request.media_type != JSON:
        raise InvalidClientMetadata("send the metadata as application/json")
    try:
        metadata = orjson.loads(body)
    except ValueError:
        raise InvalidClientMetadata("the body is not JSON") from None
    if not isinstance(metadata, dict):
        raise InvalidClientMetadata("the body is not a JSON object")
    return metadata


routes = RouteSet(
    (
        Route(HostKind.APPLICATION, "POST", PATH, register, ErrorStyle.OAUTH),
        Route(HostKind.APPLICATION, "GET", OF_CLIENT, read, ErrorStyle.OAUTH),
        Route(HostKind.APPLICATION, "PUT", OF_CLIENT, replace, ErrorStyle.OAUTH),
        Route(HostKind.APPLICATION, "DELETE", OF_CLIENT, delete, ErrorStyle.OAUTH),
    )
)
