"""docs/reference/api: the operations of the HTTP API, one page for each group."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from aero2.reference.markdown import REF, anchor, bounds_of, object_heading, table, type_of, value

METHODS: Final = ("get", "post", "put", "patch", "delete")
MANAGED: Final = "/api/applications/{slug}"
"""Where the Dashboard's host serves the operations of an application."""
SCHEMES: Final = {
    "bearer": "secret key, access token",
    "session": "session cookie",
    "client": "client credentials",
}
HEAD: Final = """\
# HTTP API

Every host of an application serves this API below `/api`, and the OAuth endpoints at its root. The Dashboard's host serves the same operations for your applications below `/api/applications/{slug}`. Each host has its OpenAPI document at `/openapi.json` and shows it at `/docs`.
"""


@dataclass(frozen=True)
class Operation:
    """One method of one path. `managed` is its path on the Dashboard's host, if it has one."""

    method: str
    path: str
    managed: str | None
    tag: str
    schema: dict[str, Any]

    @property
    def line(self) -> str:
        return f"{self.method.upper()} {self.path}"


def pages() -> dict[str, str]:
    """Returns each page by its file name: one for each group, and `index.md`."""
    application, dashboard = _documents()
    schemas = dashboard["components"]["schemas"] | application["components"]["schemas"]
    operations = list(_operations(application, dashboard))
    usual = _usual(operations)
    groups = {each["name"]: each["description"] for each in dashboard["tags"]}
    parts = {
        f"{anchor(title)}.md": _group(
            title,
            says,
            operations=[each for each in operations if each.tag == title],
            schemas=schemas,
            usual=usual,
        )
        for title, says in groups.items()
    }
    return {"index.md": _index(application, groups, usual), **parts}


def _documents() -> tuple[dict[str, Any], dict[str, Any]]:
    from gateway.api.fastapi_app import json_api

    return json_api(dashboard=False).openapi(), json_api(dashboard=True).openapi()


def _operations(application: dict[str, Any], dashboard: dict[str, Any]) -> Iterator[Operation]:
    own, managed = dict(_each(application)), dict(_each(dashboard))
    twins = set()
    for (method, path), schema in own.items():
        there = path.replace("/api", MANAGED, 1)
        twin = (method, there) in managed and path.startswith("/api/")
        twins.add((method, there))
        yield Operation(method, path, there if twin else None, schema["tags"][0], schema)
    for (method, path), schema in managed.items():
        if (method, path) not in own and (method, path) not in twins:
            yield Operation(method, path, None, schema["tags"][0], schema)


def _each(document: dict[str, Any]) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, schema in operations.items():
            if method in METHODS:
                yield (method, path), schema


def _usual(operations: list[Operation]) -> dict[str, str]:
    """The problems that most operations may answer, which are said once."""
    counts: dict[tuple[str, str], int] = {}
    for each in operations:
        for status, answer in each.schema["responses"].items():
            if status >= "400":
                key = (status, answer["description"])
                counts[key] = counts.get(key, 0) + 1
    return dict(sorted(key for key, count in counts.items() if count > len(operations) / 2))


def _index(document: dict[str, Any], groups: dict[str, str], usual: dict[str, str]) -> str:
    rows = [(f"[{title}]({anchor(title)}.md)", says) for title, says in groups.items()]
    return "\n".join(
        [
            HEAD,
            document["info"]["description"],
            table(("group", "what it holds"), rows),
            "\n## Problems that any operation may answer\n",
            table(("status", "meaning"), ((f"`{code}`", says) for code, says in usual.items())),
        ]
    )


def _group(
    title: str,
    says: str,
    *,
    operations: list[Operation],
    schemas: dict[str, Any],
    usual: dict[str, str],
) -> str:
    used = _used([each.schema for each in operations], schemas)
    objects = {
        name: schemas[name] for name in sorted(used) if name in schemas and name != "Problem"
    }
    rows = [
        (f"`{each.line}`", f"[{_summary(each)}](#{anchor(_heading(each))})") for each in operations
    ]
    parts = [f"# {title}\n", f"{says}\n", table(("operation", ""), rows) + "\n"]
    parts += [_operation(each, objects, usual) for each in operations]
    if objects:
        parts.append("## Objects\n")
        parts += [_object(name, schema, objects) for name, schema in objects.items()]
    return "\n".join(parts)


def _summary(operation: Operation) -> str:
    return str(operation.schema.get("summary") or operation.line)


def _heading(operation: Operation) -> str:
    """The path belongs to it: two operations may have one summary."""
    return f"{_summary(operation)} · {operation.line}"


def _operation(operation: Operation, objects: dict[str, Any], usual: dict[str, str]) -> str:
    schema = operation.schema
    parts = [f"## {_heading(operation)}\n"]
    if operation.managed:
        parts.append(f"On the Dashboard's host: `{operation.managed}`.\n")
    if says := schema.get("description"):
        parts.append(f"{says}\n")
    parts.append(f"Credentials: {_credentials(schema)}.\n")
    rows = [
        (
            f"`{each['name']}`",
            each["in"],
            _words(type_of(each["schema"], objects), bounds_of(each["schema"])),
            _required(each.get("required", False), each["schema"]),
            each.get("description", ""),
        )
        for each in schema.get("parameters", [])
    ]
    if rows:
        parts.append(table(("parameter", "in", "type", "default", "meaning"), rows) + "\n")
    for kind, content in schema.get("requestBody", {}).get("content", {}).items():
        parts.append(f"Body (`{kind}`): {type_of(content.get('schema', {}), objects)}\n")
        if properties := content.get("schema", {}).get("properties"):
            parts.append(_fields(content["schema"], properties, objects))
    answers = [
        (f"`{status}`", answer["description"], _answer(answer, objects))
        for status, answer in sorted(schema["responses"].items())
        if usual.get(status) != answer["description"]
    ]
    if answers:
        parts.append(table(("answer", "meaning", "body"), answers) + "\n")
    return "\n".join(parts)


def _credentials(schema: dict[str, Any]) -> str:
    options = schema.get("security")
    if options is None:
        options = [{"bearer": []}, {"session": []}]
    names = [" and ".join(SCHEMES[name] for name in option) or "none" for option in options]
    *others, last = ", ".join(names or ["none"]).split(", ")
    return f"{', '.join(others)} or {last}" if others else last


def _answer(answer: dict[str, Any], objects: dict[str, Any]) -> str:
    kinds = answer.get("content", {})
    return ", ".join(
        type_of(content["schema"], objects) if content.get("schema") else f"`{kind}`"
        for kind, content in kinds.items()
    )


def _object(name: str, schema: dict[str, Any], objects: dict[str, Any]) -> str:
    parts = [f"### {object_heading(name)}\n"]
    if says := schema.get("description"):
        parts.append(" ".join(str(says).split()) + "\n")
    if properties := schema.get("properties"):
        parts.append(_fields(schema, properties, objects))
    else:
        parts.append(_words(type_of(schema, objects), bounds_of(schema)) + "\n")
    return "\n".join(parts)


def _fields(schema: dict[str, Any], properties: dict[str, Any], objects: dict[str, Any]) -> str:
    required = schema.get("required", [])
    rows = (
        (
            f"`{name}`",
            _words(type_of(field, objects), bounds_of(field)),
            _required(name in required, field),
            str(field.get("description", "")),
        )
        for name, field in properties.items()
    )
    return table(("field", "type", "default", "meaning"), rows) + "\n"


def _words(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _required(required: bool, schema: dict[str, Any]) -> str:
    if required:
        return "required"
    return value(schema["default"]) if schema.get("default") is not None else ""


def _used(start: list[dict[str, Any]], schemas: dict[str, Any]) -> set[str]:
    """The names of all schemas that these parts of the document lead to."""
    seen: set[str] = set()
    todo: list[Any] = list(start)
    while todo:
        for name in re.findall(rf"{re.escape(REF)}([A-Za-z0-9_.-]+)", str(todo.pop())):
            if name not in seen:
                seen.add(name)
                todo.append(schemas.get(name, {}))
    return seen
