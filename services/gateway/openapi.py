"""The OpenAPI document: what FastAPI derives, our problems, and the endpoints the edge answers."""

from __future__ import annotations

import gzip
from functools import cache
from typing import Any, Final

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:problem:invalid"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Machine-readable name."},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "The trace of the request."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
REF: Final = "#/components/schemas/"
USUAL = {
    "400": "It cannot be understood.",
    "401": "Nobody is signed in, or the credential does not hold.",
    "403": "The caller lacks the permission, or the call came from another site.",
    "404": "There is no such thing, or it is not yours.",
    "409": "It contradicts what is there already.",
    "410": "It was used already or has expired.",
    "413": "The request is too large.",
    "422": "Some fields are not valid; `errors` names each.",
    "429": "Too often; see Retry-After.",
    "503": "A part of the service is not available, or busy; see Retry-After.",
    "504": "It took too long.",
}


LEFT = {
    "X-RateLimit-Limit": "How many there are at once.",
    "X-RateLimit-Remaining": "How many of them are left.",
    "X-RateLimit-Reset": "When all are there again, in Unix time.",
}
"""Where a limit of the caller's network applies: to whom shows no credential that holds."""
LIMITED: dict[str, Any] = {
    "description": USUAL["429"],
    "headers": {
        "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}},
        **{
            name: {"description": says, "schema": {"type": "integer"}}
            for name, says in LEFT.items()
        },
    },
}


def describe(app: FastAPI) -> None:
    """Make `app.openapi()` tell the whole truth about this kind of host."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]

    @cache
    def bodies() -> tuple[bytes, bytes]:
        """The document as it is and packed, written once: it is several hundred kilobytes."""
        body = orjson.dumps(openapi())
        return body, gzip.compress(body, 6, mtime=0)

    async def document(request: HttpRequest) -> Response:
        headers = {"vary": "Accept-Encoding"}
        body, packed = bodies()
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            body = packed
        return Response(body, media_type="application/json", headers=headers)

    app.add_route("/openapi.json", document, methods=["GET"], include_in_schema=False)


def _document(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(
        title=app.title,
        version=app.version,
        routes=app.routes,
        description="Errors are RFC 9457 problem documents with a `code`; OAuth endpoints answer "
        "as RFC 6749 says. Lists take `limit` and `cursor` and answer with `next`.",
    )
    parts = schema.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Problem"] = PROBLEM
    parts["securitySchemes"] = {
        "session": {"type": "apiKey", "in": "cookie", "name": "__Host-aero2_session"},
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "Access token or sk_live_ key.",
        },
    }
    schema["security"] = [{"session": []}, {"bearer": []}, {}]
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in schema.get("paths", {}).values():
        for operation in path.values():
            for status, why in USUAL.items():
                about = LIMITED if status == "429" else {"description": why}
                operation["responses"].setdefault(status, {**about, "content": problem})
                if status == "422":
                    operation["responses"][status] = {"description": why, "content": problem}
    _close_bodies(schema)
    schema["paths"].update(OAUTH)
    return schema


def _close_bodies(schema: dict[str, Any]) -> None:
    """What is sent has no further fields (known.py); what is answered may get some. Where the two
    share a schema, what is sent gets one of its own."""
    schemas = schema["components"]["schemas"]
    sent, answered = set[str](), set[str]()
    for operation in (one for path in schema["paths"].values() for one in path.values()):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body is not None:
            _reach(body, schemas, sent)
        _reach(operation["responses"], schemas, answered)
    names = {name: f"{name}Sent" for name in sent & answered if "properties" in schemas[name]}
    for name in sorted(sent):
        made = _renamed(schemas[name], names)
        if "properties" in made:
            made["additionalProperties"] = False
        schemas[names.get(name, name)] = made
    for operation in (one for path in schema["paths"].values() for one in path.values()):
        body = operation.get("requestBody", {}).get("content", {})
        if "application/json" in body:
            body["application/json"] = _renamed(body["application/json"], names)


def _reach(part: Any, schemas: dict[str, Any], found: set[str]) -> None:
    """The names of the schemas that this part of the document refers to."""
    if isinstance(part, list):
        for one in part:
            _reach(one, schemas, found)
    elif isinstance(part, dict):
        name = str(part.get("$ref", "")).removeprefix(REF)
        if name in schemas and name not in found:
            found.add(name)
            _reach(schemas[name], schemas, found)
        for one in part.values():
            _reach(one, schemas, found)


def _renamed(part: Any, names: dict[str, str]) -> Any:
    if isinstance(part, list):
        return [_renamed(one, names) for one in part]
    if not isinstance(part, dict):
        return part
    made = {key: _renamed(value, names) for key, value in part.items()}
    if isinstance(part.get("$ref"), str):
        name = part["$ref"].removeprefix(REF)
        made["$ref"] = REF + names.get(name, name)
    return made


def _form(summary: str, required: list[str], fields: list[str]) -> dict[str, Any]:
    properties = {name: {"type": "string"} for name in fields}
    body = {"schema": {"type": "object", "properties": properties, "required": required}}
    ok = {"description": "Done.", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {
        "tags": ["oauth"],
        "summary": summary,
        "security": [],
        "requestBody": {"content": {"application/x-www-form-urlencoded": body}},
        "responses": {
            "200": ok,
            "400": {"description": "RFC 6749 section 5.2."},
            "401": {"description": "Client authentication or the token failed."},
            "413": {"description": "The request is too large."},
            "429": LIMITED,
            "503": {"description": "Not available, or busy; see Retry-After."},
        },
    }


def _get(summary: str, *more: str) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": "The document."}}
    responses |= {status: {"description": USUAL.get(status, "See there.")} for status in more}
    if "429" in more:
        responses["429"] = LIMITED
    return {"tags": ["oauth"], "summary": summary, "security": [], "responses": responses}


def _browser(summary: str, fields: list[str]) -> dict[str, Any]:
    """What a browser is sent to, by GET or POST: it shows a page or sends the person on."""
    texts = {name: {"type": "string"} for name in fields}
    responses: dict[str, Any] = {
        "200": {"description": "A page: a question, or what has happened."},
        "303": {"description": "To the client, to our own pages, or onward."},
        "400": {"description": "A page or a problem: nobody can safely be sent anywhere."},
        "403": {"description": USUAL["403"]},
        "413": {"description": USUAL["413"]},
        "429": {**LIMITED, "description": "A page or a problem: too often; see Retry-After."},
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
            **_get("The session of the cookie", "401", "429", "503"),
            "tags": ["auth"],
            "security": [{"session": []}],
        }
    },
    "/.well-known/openid-configuration": {"get": _get("OpenID Connect discovery")},
    "/.well-known/oauth-authorization-server": {
        "get": _get("Authorization server metadata, RFC 8414")
    },
    "/.well-known/oauth-protected-resource": {
        "get": _get("What this API is as a protected resource, RFC 9728")
    },
    "/oauth2/jwks.json": {"get": _get("Public signing keys, RFC 7517")},
    "/oauth2/jwks/{kid}": {
        "get": {
            **_get("One of them, not wrapped", "404"),
            "parameters": [
                {"name": "kid", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
        }
    },
    "/oauth2/authorize": _browser(
        "Ask a person for authorization, RFC 6749 section 3.1, OpenID Connect Core 3.1.2",
        [
            *("client_id", "redirect_uri", "response_type", "response_mode", "scope", "state"),
            *("nonce", "code_challenge", "code_challenge_method", "prompt", "max_age"),
            *("login_hint", "id_token_hint", "acr_values", "claims", "ui_locales", "resource"),
        ],
    ),
    "/oauth2/logout": _browser(
        "Sign out at the wish of a client, OpenID Connect RP-Initiated Logout 1.0",
        ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"],
    ),
    "/oauth2/token": {
        "post": _form(
            "Get tokens, RFC 6749 section 3.2",
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
        )
    },
    "/oauth2/introspect": {
        "post": _form(
            "Ask about a token, RFC 7662", ["token"], ["token", "token_type_hint", *CLIENT]
        )
    },
    "/oauth2/revoke": {
        "post": _form("Revoke a token, RFC 7009", ["token"], ["token", "token_type_hint", *CLIENT])
    },
    "/oauth2/userinfo": {
        "get": {
            **_get("Claims about the user", "401", "403", "429", "503"),
            "security": [{"bearer": []}],
        },
        "post": {
            **_get("Claims about the user", "400", "401", "403", "429", "503"),
            "security": [{"bearer": []}],
        },
    },
}
