"""Markdown for the generated pages: tables, anchors, and types of a JSON schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

REF = "#/components/schemas/"
BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
}
TYPES = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
    "array": "list",
    "null": "null",
}
FORMATS = {"date-time": "time", "date": "date", "email": "e-mail address", "uri": "URL"}


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Returns a table, or an empty text if there are no rows. Bars and line ends are escaped."""
    lines = [" | ".join(_cell(each) for each in row) for row in rows]
    if not lines:
        return ""
    titles = list(heads)
    return "\n".join(
        [
            f"| {' | '.join(titles)} |",
            f"|{'---|' * len(titles)}",
            *(f"| {each} |" for each in lines),
        ]
    )


def prose(text: str) -> str:
    """Returns text on one line in which `<` outside of code starts no HTML element."""
    parts = " ".join(text.split()).split("`")
    return "`".join(
        part if number % 2 else part.replace("<", "&lt;") for number, part in enumerate(parts)
    )


def _cell(text: str) -> str:
    return prose(text).replace("|", "\\|")


def anchor(heading: str) -> str:
    """Returns the id that Python-Markdown gives to a heading."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def object_heading(name: str) -> str:
    """The heading of a schema. It differs from the title of a page with the same name."""
    return f"{name} object"


def value(default: Any) -> str:
    """A default as it stands in JSON."""
    return f"`{json.dumps(default, ensure_ascii=False)}`"


def type_of(schema: Mapping[str, Any], objects: Mapping[str, Any] = {}) -> str:
    """Says the type of a JSON schema in words. Schemas in `objects` become links to their heading."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{anchor(object_heading(name))})" if name in objects else f"`{name}`"
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(type_of(each, objects) for each in options))
    if "const" in schema:
        return value(schema["const"])
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {type_of(schema.get('items', {}), objects)}"
    if "format" in schema and schema["format"] in FORMATS:
        return FORMATS[schema["format"]]
    return TYPES.get(str(schema.get("type")), "anything")


def bounds_of(schema: Mapping[str, Any]) -> str:
    """Lists what limits a value: `at least 1, at most 100`. Looks into the options of `anyOf`."""
    parts = [schema, *schema.get("anyOf", [])]
    says = [
        text.format(f"{part[key]:,}")
        for part in parts
        for key, text in BOUNDS.items()
        if key in part
    ]
    return ", ".join(dict.fromkeys(says))
