"""Public documents: the configuration (OpenID Connect Discovery 1.0, RFC 8414), what the JSON API is as
a resource (RFC 9728), and the keys (RFC 7517)."""

from __future__ import annotations

from typing import Final

import orjson

from common.contracts.clients import ClientFields
from common.contracts.discovery import GetConfiguration
from common.contracts.keys import GetJwks
from common.problems import NotFound
from gateway.http.compression import PackedText, pack, packed_response
from gateway.http.request import GatewayRequest
from gateway.http.response import DPOP_ALGORITHMS, JSON, RESOURCE_METADATA, GatewayResponse
from gateway.routing import ErrorStyle, Handler, HostKind, Route, RouteSet
from gateway.state import Gateway

SCOPES: Final = [
    name for name in ClientFields.model_fields["scopes"].default if name != "offline_access"
]
CACHE: Final = (b"cache-control", b"public, max-age=300")


async def configuration(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /.well-known/openid-configuration and /.well-known/oauth-authorization-server"""
    document = await _document(gateway, request, GetConfiguration)
    return packed_response(request, document, [JSON, CACHE])


async def resource(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /.well-known/oauth-protected-resource: the API of this host takes this host's tokens.

    The listed scopes are those of a client with defaults: clients request all of them (RFC 9728).
    `offline_access` is not among them: it is no scope of a resource.
    """
    document = await _document(gateway, request, GetConfiguration)
    issuer = orjson.loads(document.body)["issuer"]
    body = orjson.dumps(
        {
            "resource": issuer,
            "authorization_servers": [issuer],
            "scopes_supported": SCOPES,
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": DPOP_ALGORITHMS.split(),
            "resource_name": request.app.name,
            "resource_documentation": f"{issuer}/docs",
        }
    )
    return GatewayResponse(200, body, [JSON, CACHE])


async def jwks(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /oauth2/jwks.json"""
    document = await _document(gateway, request, GetJwks)
    return packed_response(request, document, [JSON, CACHE])


async def jwk(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /oauth2/jwks/{kid}: one key, not wrapped."""
    document = await _document(gateway, request, GetJwks)
    kid = request.path.rsplit("/", 1)[-1]
    for key in orjson.loads(document.body)["keys"]:
        if key["kid"] == kid:
            return GatewayResponse(200, orjson.dumps(key), [JSON, CACHE])
    raise NotFound("no signing key has this id")


async def _document(
    gateway: Gateway, request: GatewayRequest, contract: type[GetConfiguration] | type[GetJwks]
) -> PackedText:
    app_id = request.app.app_id

    async def load() -> PackedText:
        return pack(await gateway.bus.raw(request.context(), contract()))

    return await gateway.documents.fetch(
        (app_id, contract.subject, request.host),
        load,
        tags=lambda _: [("key", "any"), ("application", app_id), ("resource", "any")],
    )


def _get(path: str, handler: Handler) -> Route:
    return Route(HostKind.APPLICATION, "GET", path, handler, ErrorStyle.PROBLEM)


routes = RouteSet(
    (
        _get("/.well-known/openid-configuration", configuration),
        _get("/.well-known/oauth-authorization-server", configuration),
        _get(RESOURCE_METADATA, resource),
        _get("/oauth2/jwks.json", jwks),
        _get("/oauth2/jwks/{kid}", jwk),
    )
)
