"""The OpenAPI document: what FastAPI derives, the problems, and the endpoints of OAuth."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from gateway.api import deps
from gateway.api.openapi_authzen import AUTHZEN, AUTHZEN_SCHEMAS
from gateway.api.openapi_conditions import describe_conditions, versioned_paths
from gateway.api.openapi_oauth import OAUTH
from gateway.api.openapi_oauth_schemas import OAUTH_SCHEMAS
from gateway.api.openapi_problems import LIMITED, PROBLEM, USUAL
from gateway.api.openapi_texts import ANSWERS, BEARER, DESCRIPTION, EXAMPLES, SESSION, TAGS

REF: Final = "#/components/schemas/"
CREDENTIALS: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"session": []}]
AS_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": f"{REF}Problem"}}}
METHODS: Final = ("get", "post", "put", "patch", "delete")


def describe(app: FastAPI) -> None:
    """Makes `app.openapi()` return the whole document of this kind of host."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(
        title=app.title, version=app.version, routes=app.routes, description=DESCRIPTION
    )
    parts = schema.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Problem"] = PROBLEM
    parts["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": BEARER},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "__Host-aero2_session",
            "description": SESSION,
        },
        "client": {
            "type": "http",
            "scheme": "basic",
            "description": "The `client_id` and the secret of a client (RFC 6749 section 2.3.1).",
        },
    }
    schema["security"] = CREDENTIALS
    needs_none, versioned = _without_credential(app), versioned_paths(app)
    for path, operations in schema.get("paths", {}).items():
        for method, operation in operations.items():
            _complete(operation, schemas, public=(method, path) in needs_none)
            if path in versioned:
                describe_conditions(method, operation, AS_PROBLEM, versioned[path])
    _close_bodies(schema)
    schema["paths"].update(deepcopy(OAUTH) | deepcopy(AUTHZEN))
    schemas.update(OAUTH_SCHEMAS | AUTHZEN_SCHEMAS)
    _name_groups(schema)
    return schema


def _without_credential(app: FastAPI) -> set[tuple[str, str]]:
    """Returns the operations that look at no credential."""
    return {
        (method.lower(), context.path or "")
        for context in iter_route_contexts(app.routes)
        if isinstance(context.original_route, APIRoute) and not _asks(context.dependant)
        for method in context.methods or ()
    }


def _asks(dependant: Dependant) -> bool:
    return dependant.call in (deps.signed_in, deps.acting) or any(
        _asks(each) for each in dependant.dependencies
    )


def _complete(operation: dict[str, Any], schemas: dict[str, Any], *, public: bool) -> None:
    """Adds what FastAPI does not know: problems, credentials, an example, a description of the response."""
    responses = operation["responses"]
    for status, why in USUAL.items():
        about = LIMITED if status == "429" else {"description": why}
        responses.setdefault(status, {**about, "content": AS_PROBLEM})
        if status == "422":
            responses[status] = {"description": why, "content": AS_PROBLEM}
    if public:
        operation["security"] = []
    for status, answer in responses.items():
        if answer["description"] == "Successful Response":
            answer["description"] = _summary(answer, schemas) or ANSWERS[status]
    example = EXAMPLES.get(operation["operationId"].removeprefix("application_"))
    if example is not None:
        operation["requestBody"]["content"]["application/json"]["example"] = example


def _summary(answer: dict[str, Any], schemas: dict[str, Any]) -> str:
    """Returns the first sentence of the description of the response's schema."""
    content = answer.get("content", {}).get("application/json", {}).get("schema", {})
    schema = schemas.get(str(content.get("$ref", "")).removeprefix(REF), {})
    says = " ".join(str(schema.get("description", "")).split())
    first, dot, _ = says.partition(". ")
    return first + dot.strip()


def _name_groups(schema: dict[str, Any]) -> None:
    """Replaces tags by titles, each described once, in the order of TAGS."""
    used = set()
    for operations in schema["paths"].values():
        for method, operation in operations.items():
            if method in METHODS and "tags" in operation:
                used.update(operation["tags"])
                operation["tags"] = [TAGS[tag][0] for tag in operation["tags"]]
    schema["tags"] = [
        {"name": title, "description": says} for tag, (title, says) in TAGS.items() if tag in used
    ]


def _close_bodies(schema: dict[str, Any]) -> None:
    """Says that request bodies have no other fields (unknown_fields.py). Responses may get more fields
    later. If a schema is in both, the request body gets a schema of its own."""
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


def _reach(part: Any, schemas: dict[str, Any], reached: set[str]) -> None:
    """Adds the names of the schemas to which this part of the document refers."""
    if isinstance(part, list):
        for one in part:
            _reach(one, schemas, reached)
    elif isinstance(part, dict):
        name = str(part.get("$ref", "")).removeprefix(REF)
        if name in schemas and name not in reached:
            reached.add(name)
            _reach(schemas[name], schemas, reached)
        for one in part.values():
            _reach(one, schemas, reached)


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
