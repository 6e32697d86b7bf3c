"""Public documents: discovery (OpenID Connect Discovery 1.0, RFC 8414), what our own API is as a
resource (RFC 9728), and keys (RFC 7517)."""

from __future__ import annotations

import orjson

from common.contracts.clients import ClientFields
from common.contracts.discovery import GetConfiguration
from common.contracts.keys import GetJwks
from common.problems import NotFound
from gateway.app import RESOURCE_METADATA, Route
from gateway.http import compression
from gateway.http import response as answers
from gateway.http.compression import PackedText
from gateway.http.request import GatewayRequest
from gateway.http.response import JSON, Answer

AGE = b"public, max-age=300"


async def configuration(visit: GatewayRequest) -> Answer:
    """GET /.well-known/openid-configuration and /.well-known/oauth-authorization-server"""
    return _sent(visit, await _document(visit, GetConfiguration()))


async def resource(visit: GatewayRequest) -> Answer:
    """GET /.well-known/oauth-protected-resource: the API of this host takes this host's tokens.

    The listed scopes are those of a client with defaults: clients request all of them (RFC 9728).
    """
    document = await _document(visit, GetConfiguration())
    told = orjson.loads(document.body)
    body = orjson.dumps(
        {
            "resource": told["issuer"],
            "authorization_servers": [told["issuer"]],
            "scopes_supported": ClientFields.model_fields["scopes"].default,
            "bearer_methods_supported": ["header"],
            "resource_name": visit.app.name,
            "resource_documentation": f"{told['issuer']}/docs",
        }
    )
    return Answer(200, body, [JSON, (b"cache-control", AGE)])


async def jwks(visit: GatewayRequest) -> Answer:
    """GET /oauth2/jwks.json"""
    return _sent(visit, await _document(visit, GetJwks()))


async def jwk(visit: GatewayRequest) -> Answer:
    """GET /oauth2/jwks/{kid}: one key, not wrapped."""
    document = await _document(visit, GetJwks())
    kid = visit.path.rsplit("/", 1)[-1]
    for key in orjson.loads(document.body)["keys"]:
        if key["kid"] == kid:
            return Answer(200, orjson.dumps(key), [JSON, (b"cache-control", AGE)])
    raise NotFound("no signing key has this id")


async def _document(visit: GatewayRequest, request: GetConfiguration | GetJwks) -> PackedText:
    app_id, gateway = visit.app.app_id, visit.gateway

    async def load() -> PackedText:
        return compression.pack(await gateway.bus.raw(visit.context(), request))

    return await gateway.documents.fetch(
        (app_id, request.subject, visit.host),
        load,
        tags=lambda _: [("key", "any"), ("application", app_id), ("resource", "any")],
    )


def _sent(visit: GatewayRequest, document: PackedText) -> Answer:
    return compression.answer(visit, document, [JSON, (b"cache-control", AGE)])


HOT = {
    (method, path): Route(handler, answers.problem)
    for path, handler in (
        ("/.well-known/openid-configuration", configuration),
        ("/.well-known/oauth-authorization-server", configuration),
        (RESOURCE_METADATA, resource),
        ("/oauth2/jwks.json", jwks),
    )
    for method in ("GET", "HEAD")
}
PREFIXES = {"/oauth2/jwks/": Route(jwk, answers.problem)}
