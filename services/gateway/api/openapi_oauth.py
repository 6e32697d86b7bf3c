"""The endpoints that the edge answers itself, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from gateway.api.openapi_problems import LIMITED, USUAL

TEXT: Final = {"type": "string"}
TEXTS: Final = {"type": "array", "items": TEXT}
CLIENT_ONLY: Final[list[dict[str, list[str]]]] = [{"client": []}, {}]
"""By Basic, or by what the form says of the client; public clients have no secret."""


def _object(description: str, required: list[str], properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "required": required,
        "properties": properties,
    }


OAUTH_SCHEMAS: Final[dict[str, Any]] = {
    "TokenResponse": _object(
        "The tokens (RFC 6749 section 5.1).",
        ["access_token", "token_type", "expires_in"],
        {
            "access_token": TEXT,
            "token_type": {"type": "string", "enum": ["Bearer"]},
            "expires_in": {
                "type": "integer",
                "description": "The lifetime of the access token, in seconds.",
            },
            "scope": {"type": "string", "description": "The scopes that were granted."},
            "id_token": TEXT,
            "refresh_token": TEXT,
        },
    ),
    "TokenState": _object(
        "The state of a token (RFC 7662 section 2.2). For a token that is not valid, only `active`.",
        ["active"],
        {
            "active": {"type": "boolean"},
            "scope": TEXT,
            "client_id": TEXT,
            "sub": TEXT,
            "exp": {"type": "integer"},
            "iat": {"type": "integer"},
        },
    ),
    "UserClaims": _object(
        "Claims about the user (OpenID Connect Core 5.1 and 5.3.2).",
        ["sub"],
        {
            "sub": TEXT,
            "name": TEXT,
            "email": TEXT,
            "email_verified": {"type": "boolean"},
        },
    ),
    "ServerMetadata": _object(
        "Metadata of the server (OpenID Connect Discovery section 3, RFC 8414 section 2).",
        ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"],
        {
            "issuer": TEXT,
            "authorization_endpoint": TEXT,
            "token_endpoint": TEXT,
            "userinfo_endpoint": TEXT,
            "jwks_uri": TEXT,
            "scopes_supported": TEXTS,
        },
    ),
    "ResourceMetadata": _object(
        "Metadata of this API as a protected resource (RFC 9728 section 2).",
        ["resource", "authorization_servers"],
        {"resource": TEXT, "authorization_servers": TEXTS, "scopes_supported": TEXTS},
    ),
    "JsonWebKey": _object(
        "A public key (RFC 7517 section 4).",
        ["kid", "kty"],
        {"kid": TEXT, "kty": TEXT, "alg": TEXT, "use": TEXT},
    ),
    "JsonWebKeySet": _object(
        "The public keys (RFC 7517 section 5).",
        ["keys"],
        {"keys": {"type": "array", "items": {"$ref": "#/components/schemas/JsonWebKey"}}},
    ),
    "Nothing": _object("An empty object.", [], {}),
    "OAuthError": _object(
        "Describes an OAuth error (RFC 6749 section 5.2).",
        ["error"],
        {
            "error": {"type": "string", "examples": ["invalid_grant"]},
            "error_description": TEXT,
        },
    ),
}


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
        [
            *("client_id", "redirect_uri", "response_type", "response_mode", "scope", "state"),
            *("nonce", "code_challenge", "code_challenge_method", "prompt", "max_age"),
            *("login_hint", "id_token_hint", "acr_values", "claims", "ui_locales", "resource"),
        ],
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
                "scope",
                "resource",
                *CLIENT,
            ],
            answer="TokenResponse",
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
}
