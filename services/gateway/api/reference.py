"""/docs: the API of this host, rendered from its own OpenAPI document."""

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
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gateway.http import compression
from gateway.http.request import GatewayRequest
from gateway.pages.languages import Language, language
from gateway.pages.render import environment, open_page

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
    """An object that operations take or answer."""

    name: str
    says: str
    fields: list[Field] = field(default_factory=list)


async def reference(request: Request) -> Response:
    """GET /docs. Packed although it is made for each visit: it holds no form and no secret."""
    visit: GatewayRequest = request.scope["visit"]
    page = open_page(visit)
    response = page.show(
        "reference.html", api=_rendered(request.app, page.language.code), origin=visit.origin
    )
    assert isinstance(response, HTMLResponse)
    response.headers["vary"] = "Accept-Encoding"
    if compression.accepts_gzip(visit):
        response.body = await asyncio.to_thread(gzip.compress, response.body, 4, mtime=0)
        response.headers["content-encoding"] = "gzip"
        response.headers["content-length"] = str(len(response.body))
    return response


@cache
def _rendered(app: FastAPI, code: str) -> Markup:
    """All that depends on the API and the language alone."""
    document, words = app.openapi(), language(code)
    return Markup(  # noqa: S704 - the template escapes
        environment()
        .get_template("reference_api.html")
        .render(
            groups=_groups(document),
            schemas=_schemas(document),
            paragraphs=document["info"]["description"].strip().split("\n\n"),
            **_texts(words),
        )
    )


def _texts(words: Language) -> dict[str, Any]:
    return {"_": words.say, "gettext": words.words.gettext, "ngettext": words.words.ngettext}


def _groups(document: dict[str, Any]) -> list[tuple[str, str, list[Operation]]]:
    """Title, description and operations of each group, once."""
    order = {tag["name"]: place for place, tag in enumerate(document["tags"])}
    says = {tag["name"]: tag["description"] for tag in document["tags"]}
    found = sorted(
        _operations(document),
        key=lambda one: (
            order.get(one.tag, len(order)),
            one.path,
            METHODS.index(one.method.lower()),
        ),
    )
    grouped = groupby(found, key=lambda one: one.tag)
    return [(tag, says.get(tag, ""), list(operations)) for tag, operations in grouped]


def _operations(document: dict[str, Any]) -> list[Operation]:
    """Those that exist for this host and for other applications are shown once."""
    found: dict[tuple[str, str], Operation] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method in METHODS:
                made = _operation(document, path, method, operation)
                found[method, path] = made
    for (method, path), operation in list(found.items()):
        own = found.get((method, path.replace(IN_APPLICATION, "/api/", 1)))
        if own is not None and own is not operation:
            own.also = path
            del found[method, path]
    return list(found.values())


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


OF_THE_APP = True
"""It shows the routes of the app that calls it."""
ROUTES = [Route("/docs", reference, methods=["GET"])]
