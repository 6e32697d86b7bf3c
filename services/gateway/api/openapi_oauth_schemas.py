"""Schemas of the OAuth endpoints' answers, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

TEXT: Final = {"type": "string"}
TEXTS: Final = {"type": "array", "items": TEXT}


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
    "PushedAuthorization": _object(
        "The name of a pushed authorization request (RFC 9126 section 2.2).",
        ["request_uri", "expires_in"],
        {
            "request_uri": TEXT,
            "expires_in": {
                "type": "integer",
                "description": "The seconds in which the browser must come with the name.",
            },
        },
    ),
    "DeviceAuthorization": _object(
        "The codes of a device that waits for its user (RFC 8628 section 3.2).",
        ["device_code", "user_code", "verification_uri", "expires_in", "interval"],
        {
            "device_code": TEXT,
            "user_code": TEXT,
            "verification_uri": TEXT,
            "verification_uri_complete": TEXT,
            "expires_in": {"type": "integer", "description": "Seconds."},
            "interval": {"type": "integer", "description": "The seconds between two polls."},
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
    "RelatedOrigins": _object(
        "The origins that may use the passkeys of this host (Web Authentication section 5.11).",
        ["origins"],
        {"origins": TEXTS},
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
    "ClientMetadata": _object(
        "Metadata of a client (RFC 7591 section 2). It can have more members; unknown ones are ignored.",
        ["redirect_uris"],
        {
            "redirect_uris": TEXTS,
            "client_name": TEXT,
            "token_endpoint_auth_method": TEXT,
            "grant_types": TEXTS,
            "response_types": TEXTS,
            "scope": TEXT,
            "application_type": {"type": "string", "enum": ["web", "native"]},
            "contacts": TEXTS,
            "logo_uri": TEXT,
            "client_uri": TEXT,
            "policy_uri": TEXT,
            "tos_uri": TEXT,
            "jwks_uri": TEXT,
        },
    ),
    "ClientInformation": _object(
        "The registered metadata of a client, with its credentials (RFC 7591 section 3.2.1).",
        ["client_id", "registration_access_token", "registration_client_uri", "redirect_uris"],
        {
            "client_id": TEXT,
            "client_id_issued_at": {"type": "integer"},
            "client_secret": {"type": "string", "description": "Only at the registration."},
            "client_secret_expires_at": {
                "type": "integer",
                "description": "0: it does not expire. Only of a client with a secret.",
            },
            "registration_access_token": TEXT,
            "registration_client_uri": TEXT,
            "redirect_uris": TEXTS,
            "scope": {"type": "string", "description": "The scopes that it can request."},
            "token_endpoint_auth_method": TEXT,
            "grant_types": TEXTS,
            "response_types": TEXTS,
        },
    ),
}
