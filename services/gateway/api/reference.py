"""The reference of the JSON API: its OpenAPI document, and a page made from it."""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from typing import Any, Final

import orjson
from fastapi import FastAPI
from markupsafe import Markup, escape

from gateway.api.fastapi_app import json_api
from gateway.http.compression import GZIP, VARY, PackedText, accepts_gzip, pack, packed_response
from gateway.http.request import GatewayRequest
from gateway.http.response import JSON, GatewayResponse
from gateway.pages.languages import Language, language
from gateway.pages.render import open_page
from gateway.pages.template_engine import environment
from gateway.routing import ErrorStyle, HostKind, Route, RouteSet
from gateway.state import Gateway

CACHE: Final = (b"cache-control", b"public, max-age=300")
METHODS: Final = ("get", "post", "put", "patch", "delete")
IN_APPLICATION: Final = "/api/applications/{slug}/"
REF: Final = "#/components/schemas/"


@dataclass(frozen=True)
class Field:
    name: str
    kind: Markup
    required: bool
    says: str


@dataclass
class Operation:
    """One method of one path, as the page shows it. `also` is the same operation for another
    application, on the Dashboard."""

    tag: str
    method: str
    path: str
    id: str
    summary: str
    says: str
    credentials: list[str]
    fields: list[Field]
    example: str | None
    answers: list[tuple[str, str, Markup]]
    also: str | None = None


@dataclass(frozen=True)
class DocumentedObject:
    """An object in requests or responses."""

    name: str
    says: str
    fields: list[Field] = field(default_factory=list)


async def reference(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /docs. The page is compressed for each request: it has no form and no secret."""
    page = open_page(gateway, request)
    app = json_api(dashboard=request.app.is_dashboard)
    response = page.show(
        "reference.html", api=_rendered(app, page.language.code), origin=request.origin
    )
    response.headers.append(VARY)
    if accepts_gzip(request):
        response.body = await asyncio.to_thread(gzip.compress, response.body, 4, mtime=0)
        response.headers.append(GZIP)
    return response


async def document(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /openapi.json"""
    text = _packed_document(dashboard=request.app.is_dashboard)
    return packed_response(request, text, [JSON, CACHE])


@cache
def _packed_document(*, dashboard: bool) -> PackedText:
    """Returns the document, compressed once: it has several hundred kilobytes."""
    return pack(orjson.dumps(json_api(dashboard=dashboard).openapi()), 6)


@cache
def _rendered(app: FastAPI, code: str) -> Markup:
    """Returns the part of the page that depends only on the API and the language."""
    document, words = app.openapi(), language(code)
    return Markup(  # noqa: S704 - the template escapes
        environment(code)
        .get_template("reference_api.html")
        .render(
            groups=_groups(document),
            schemas=_schemas(document),
            paragraphs=document["info"]["description"].strip().split("\n\n"),
            **_texts(words),
        )
    )


def _texts(words: Language) -> dict[str, Any]:
    return {"_": words.translate, "gettext": words.words.gettext, "ngettext": words.words.ngettext}


def _groups(document: dict[str, Any]) -> list[tuple[str, str, list[Operation]]]:
    """Returns the title, the description and the operations of each group."""
    order = {tag["name"]: place for place, tag in enumerate(document["tags"])}
    says = {tag["name"]: tag["description"] for tag in document["tags"]}
    operations = sorted(
        _operations(document),
        key=lambda one: (
            order.get(one.tag, len(order)),
            one.path,
            METHODS.index(one.method.lower()),
        ),
    )
    grouped = groupby(operations, key=lambda one: one.tag)
    return [(tag, says.get(tag, ""), list(group)) for tag, group in grouped]


def _operations(document: dict[str, Any]) -> list[Operation]:
    """Returns the operations. One that exists for this host and for other applications is there once."""
    operations_by_key: dict[tuple[str, str], Operation] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method in METHODS:
                made = _operation(document, path, method, operation)
                operations_by_key[method, path] = made
    for (method, path), operation in list(operations_by_key.items()):
        own = operations_by_key.get((method, path.replace(IN_APPLICATION, "/api/", 1)))
        if own is not None and own is not operation:
            own.also = path
            del operations_by_key[method, path]
    return list(operations_by_key.values())


def _operation(
    document: dict[str, Any], path: str, method: str, description: dict[str, Any]
) -> Operation:
    fields = [
        Field(each["name"], _kind(each.get("schema", {})), each.get("required", False), each["in"])
        for each in description.get("parameters", ())
    ]
    content = description.get("requestBody", {}).get("content", {})
    example = next((each["example"] for each in content.values() if "example" in each), None)
    return Operation(
        tag=(description.get("tags") or ["Other"])[0],
        method=method.upper(),
        path=path,
        id=f"{method}{path}".replace("/", "-").replace("{", "").replace("}", ""),
        summary=description.get("summary", ""),
        says=description.get("description", ""),
        credentials=[
            name for each in description.get("security", document["security"]) for name in each
        ],
        fields=fields + _body(document, content),
        example=None
        if example is None
        else orjson.dumps(example, option=orjson.OPT_INDENT_2).decode(),
        answers=[
            _answer(status, each) for status, each in sorted(description["responses"].items())
        ],
    )


def _answer(status: str, description: dict[str, Any]) -> tuple[str, str, Markup]:
    content = description.get("content", {})
    kinds = {_kind(each["schema"]) for each in content.values() if "schema" in each}
    return status, str(description["description"]), Markup(", ").join(sorted(kinds))


def _body(document: dict[str, Any], content: dict[str, Any]) -> list[Field]:
    schema: dict[str, Any] = next((each.get("schema", {}) for each in content.values()), {})
    name = str(schema.get("$ref", "")).removeprefix(REF)
    return _fields(document["components"]["schemas"].get(name, schema))


def _fields(schema: dict[str, Any]) -> list[Field]:
    required = set(schema.get("required", ()))
    return [
        Field(name, _kind(each), name in required, str(each.get("description", "")))
        for name, each in schema.get("properties", {}).items()
    ]


def _schemas(document: dict[str, Any]) -> list[DocumentedObject]:
    return [
        DocumentedObject(name, str(schema.get("description", "")), _fields(schema))
        for name, schema in sorted(document["components"]["schemas"].items())
    ]


def _kind(schema: dict[str, Any]) -> Markup:
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix(REF)
        return Markup('<a href="#schema-{0}">{0}</a>').format(name)
    if "anyOf" in schema:
        kinds = [_kind(each) for each in schema["anyOf"]]
        return Markup(" or ").join(dict.fromkeys(kinds))
    if "enum" in schema:
        return escape(" | ".join(str(each) for each in schema["enum"]))
    kind = str(schema.get("type", "any"))
    if kind == "array" and "items" in schema:
        return Markup("list of ") + _kind(schema["items"])
    return escape(kind)


routes = RouteSet(
    (
        Route(HostKind.APPLICATION, "GET", "/docs", reference, ErrorStyle.PAGE),
        Route(HostKind.APPLICATION, "GET", "/openapi.json", document, ErrorStyle.PAGE),
    )
)
