"""The endpoints that the gateway answers itself, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from gateway.api.openapi_oauth_schemas import OAUTH_SCHEMAS
from gateway.api.openapi_problems import LIMITED, USUAL

CLIENT_ONLY: Final[list[dict[str, list[str]]]] = [{"client": []}, {}]
"""By Basic, or by what the form says of the client; public clients have no secret."""


def _about(schema: str) -> str:
    return str(OAUTH_SCHEMAS[schema]["description"]) if schema in OAUTH_SCHEMAS else "The result."


def _content(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _form(summary: str, required: list[str], fields: list[str], *, answer: str) -> dict[str, Any]:
    properties = {name: {"type": "string"} for name in fields}
    body = {"schema": {"type": "object", "properties": properties, "required": required}}
    ok = {"description": _about(answer), "content": _content(answer)}
    refused = {"content": _content("OAuthError")}
    return {
        "tags": ["oauth"],
        "summary": summary,
        "security": CLIENT_ONLY,
        "requestBody": {"content": {"application/x-www-form-urlencoded": body}},
        "responses": {
            "200": ok,
            "400": {"description": "An OAuth error (RFC 6749 section 5.2).", **refused},
            "401": {"description": "The credentials of the client are not valid.", **refused},
            "413": {"description": "The request is too large."},
            "429": LIMITED,
            "503": {"description": USUAL["503"]},
        },
    }


def _pushed() -> dict[str, Any]:
    """Describes the endpoint for pushed authorization requests, which answers 201."""
    described = _form(
        "Push an authorization request (RFC 9126)",
        ["client_id"],
        [*AUTHORIZATION, "request", *CLIENT],
        answer="PushedAuthorization",
    )
    responses = described["responses"]
    responses["201"] = responses.pop("200")
    responses["404"] = {
        "description": "The application does not take pushed authorization requests."
    }
    return described


def _get(summary: str, *more: str, answer: str) -> dict[str, Any]:
    responses: dict[str, Any] = {
        "200": {"description": _about(answer), "content": _content(answer)}
    }
    responses |= {
        status: {"description": USUAL.get(status, "See the specification.")} for status in more
    }
    if "429" in more:
        responses["429"] = LIMITED
    return {"tags": ["oauth"], "summary": summary, "security": [], "responses": responses}


def _registration(summary: str, status: str, *, sends: bool = True) -> dict[str, Any]:
    """Describes a call with the metadata of a client, or about them. Its token is a bearer token of its own kind."""
    refused = {"content": _content("OAuthError")}
    done: dict[str, Any] = {"description": "Deleted."}
    if status != "204":
        answer = "ClientInformation"
        done = {"description": _about(answer), "content": _content(answer)}
    responses: dict[str, Any] = {
        status: done,
        "400": {"description": "The metadata are not valid (RFC 7591 section 3.2.2).", **refused},
        "401": {"description": "The token is not valid for this.", **refused},
        "403": {"description": "The client is disabled.", **refused},
        "404": {"description": "Clients cannot register themselves here.", **refused},
        "429": LIMITED,
        "503": {"description": USUAL["503"]},
    }
    body = {"requestBody": {"required": True, "content": _content("ClientMetadata")}}
    security: list[dict[str, list[str]]] = [{"bearer": []}, {}]
    common = {"tags": ["oauth"], "summary": summary, "security": security}
    named = {"name": "client_id", "in": "path", "required": True, "schema": {"type": "string"}}
    more = {} if status == "201" else {"parameters": [named]}
    return {**common, **more, **(body if sends else {}), "responses": responses}


def _browser(summary: str, fields: list[str]) -> dict[str, Any]:
    """Describes an endpoint for browsers, by GET or POST: it shows a page or redirects."""
    texts = {name: {"type": "string"} for name in fields}
    responses: dict[str, Any] = {
        "200": {"description": "A page for the user: a question or a confirmation."},
        "303": {"description": "A redirect to the client or to a page of this host."},
        "400": {"description": "An error page. It is not safe to redirect to the client."},
        "403": {"description": USUAL["403"]},
        "413": {"description": USUAL["413"]},
        "429": {**LIMITED, "description": USUAL["429"]},
        "503": {"description": USUAL["503"]},
    }
    common = {"tags": ["oauth"], "summary": summary, "security": [{"session": []}, {}]}
    query = [{"name": name, "in": "query", "schema": kind} for name, kind in texts.items()]
    body = {"schema": {"type": "object", "properties": texts}}
    return {
        "get": {**common, "parameters": query, "responses": responses},
        "post": {
            **common,
            "requestBody": {"content": {"application/x-www-form-urlencoded": body}},
            "responses": responses,
        },
    }


CLIENT = ["client_id", "client_secret", "client_assertion", "client_assertion_type"]
AUTHORIZATION = [
    *("client_id", "redirect_uri", "response_type", "response_mode", "scope", "state"),
    *("nonce", "code_challenge", "code_challenge_method", "prompt", "max_age"),
    *("login_hint", "id_token_hint", "acr_values", "claims", "ui_locales", "resource"),
]
OAUTH: dict[str, Any] = {
    "/api/auth/session": {
        "get": {
            **_get("Get the current session", "401", "429", "503", answer="Session"),
            "tags": ["auth"],
            "security": [{"session": []}],
        }
    },
    "/.well-known/openid-configuration": {
        "get": _get("Get the OpenID Connect metadata", answer="ServerMetadata")
    },
    "/.well-known/oauth-authorization-server": {
        "get": _get("Get the authorization server metadata (RFC 8414)", answer="ServerMetadata")
    },
    "/.well-known/oauth-protected-resource": {
        "get": _get("Get the protected resource metadata (RFC 9728)", answer="ResourceMetadata")
    },
    "/.well-known/webauthn": {
        "get": _get("Get the origins of this application's passkeys", answer="RelatedOrigins")
    },
    "/oauth2/jwks.json": {
        "get": _get("List public signing keys (RFC 7517)", answer="JsonWebKeySet")
    },
    "/oauth2/jwks/{kid}": {
        "get": {
            **_get("Get one public signing key", "404", answer="JsonWebKey"),
            "parameters": [
                {"name": "kid", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
        }
    },
    "/oauth2/authorize": _browser(
        "Request authorization (RFC 6749 section 3.1, OpenID Connect Core 3.1.2)",
        [*AUTHORIZATION, "request", "request_uri"],
    ),
    "/oauth2/logout": _browser(
        "Sign out from a client (OpenID Connect RP-Initiated Logout 1.0)",
        ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"],
    ),
    "/oauth2/token": {
        "post": _form(
            "Get tokens (RFC 6749 section 3.2)",
            ["grant_type"],
            [
                "grant_type",
                "code",
                "redirect_uri",
                "code_verifier",
                "refresh_token",
                "device_code",
                "scope",
                "resource",
                *CLIENT,
            ],
            answer="TokenResponse",
        )
    },
    "/oauth2/par": {"post": _pushed()},
    "/oauth2/device_authorization": {
        "post": _form(
            "Start the sign-in of a device (RFC 8628)",
            ["client_id"],
            ["scope", "resource", *CLIENT],
            answer="DeviceAuthorization",
        )
    },
    "/oauth2/introspect": {
        "post": _form(
            "Introspect a token (RFC 7662)",
            ["token"],
            ["token", "token_type_hint", *CLIENT],
            answer="TokenState",
        )
    },
    "/oauth2/revoke": {
        "post": _form(
            "Revoke a token (RFC 7009)",
            ["token"],
            ["token", "token_type_hint", *CLIENT],
            answer="Nothing",
        )
    },
    "/oauth2/userinfo": {
        "get": {
            **_get("Get claims about the user", "401", "403", "429", "503", answer="UserClaims"),
            "security": [{"bearer": []}],
        },
        "post": {
            **_get(
                "Get claims about the user (same as GET)",
                *("400", "401", "403", "429", "503"),
                answer="UserClaims",
            ),
            "security": [{"bearer": []}],
        },
    },
    "/oauth2/register": {
        "post": _registration(
            "Register a client (RFC 7591). In mode `token` with an initial access token", "201"
        ),
    },
    "/oauth2/register/{client_id}": {
        "get": _registration("Get a registration (RFC 7592)", "200", sends=False),
        "put": _registration("Replace a registration (RFC 7592)", "200"),
        "delete": _registration("Delete a registration (RFC 7592)", "204", sends=False),
    },
}
