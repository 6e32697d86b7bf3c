"""/docs: the API of this host, rendered from its own OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.pages.render import open_page

METHODS: Final = ("get", "post", "put", "patch", "delete")
IN_APPLICATION: Final = "/api/applications/{slug}/"


@dataclass(frozen=True)
class Field:
    name: str
    kind: str
    required: bool
    says: str


@dataclass(frozen=True)
class Operation:
    """One method of one path, as the page shows it."""

    tag: str
    method: str
    path: str
    id: str
    summary: str
    says: str
    fields: list[Field]
    answers: list[tuple[str, str]]


async def reference(request: Request) -> Response:
    """GET /docs"""
    document = request.app.openapi()
    groups = [
        (tag, list(operations))
        for tag, operations in groupby(_operations(document), key=lambda operation: operation.tag)
    ]
    return open_page(request.scope["visit"]).show("reference.html", groups=groups)


def _operations(document: dict[str, Any]) -> list[Operation]:
    found = [
        _operation(document, path, method, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method in METHODS
    ]
    return sorted(found, key=lambda one: (one.tag, one.path, METHODS.index(one.method.lower())))


def _operation(document: dict[str, Any], path: str, method: str, told: dict[str, Any]) -> Operation:
    tag = (told.get("tags") or ["api"])[0]
    if path.startswith(IN_APPLICATION) and tag not in ("applications", "api keys", "domains"):
        tag = f"{tag} of an application"
    fields = [
        Field(each["name"], _kind(each.get("schema", {})), each.get("required", False), each["in"])
        for each in told.get("parameters", ())
    ]
    return Operation(
        tag=tag,
        method=method.upper(),
        path=path,
        id=f"{method}{path}".replace("/", "-").replace("{", "").replace("}", ""),
        summary=told.get("summary", ""),
        says=told.get("description", ""),
        fields=fields + _body(document, told),
        answers=[(status, str(each["description"])) for status, each in told["responses"].items()],
    )


def _body(document: dict[str, Any], told: dict[str, Any]) -> list[Field]:
    content = told.get("requestBody", {}).get("content", {})
    schema = _resolved(document, next((each.get("schema", {}) for each in content.values()), {}))
    required = set(schema.get("required", ()))
    return [
        Field(name, _kind(each), name in required, str(each.get("description", "")))
        for name, each in schema.get("properties", {}).items()
    ]


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if not reference:
        return schema
    name = reference.rsplit("/", 1)[-1]
    return dict(document["components"]["schemas"].get(name, {}))


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        kinds = [_kind(each) for each in schema["anyOf"]]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    kind = str(schema.get("type", "any"))
    return f"list of {_kind(schema['items'])}" if kind == "array" and "items" in schema else kind


OF_THE_APP = True
"""It shows the routes of the app that calls it."""
ROUTES = [Route("/docs", reference, methods=["GET"])]
