"""What developers write is checked field by field."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from common.contracts.applications import ApplicationPatch, SettingsChange


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/logo.png",
        "javascript:alert(1)",
        "data:image/svg+xml,<svg onload=alert(1)>",
        "https://",
        "https://user@example.com",
        "https://example.com/a b",
        "https://example.com/'x",
        'https://example.com/">',
        "https://example.com:port/",
        "//example.com/x",
        "https://exämple.com",
    ],
)
def test_a_url_that_could_do_harm_is_refused(url: str) -> None:
    """Only https URLs that need no escaping anywhere become part of pages and mails."""
    with pytest.raises(ValidationError):
        ApplicationPatch(logo_url=url)


@pytest.mark.parametrize(
    "url", ["https://example.com/logo.png?v=1#x", "http://localhost:3000/l.png"]
)
def test_an_ordinary_url_is_taken(url: str) -> None:
    """https everywhere, plain http on the machine itself."""
    assert ApplicationPatch(logo_url=url).logo_url == url


@pytest.mark.parametrize(("text", "color"), [("#ABC", "#aabbcc"), ("#12aBcF", "#12abcf")])
def test_colours_are_normalised(text: str, color: str) -> None:
    """Three digits become six, in lower case."""
    assert ApplicationPatch(primary_color=text).primary_color == color


@pytest.mark.parametrize("text", ["red", "#12", "#1234567", "#12345g", "#fff;}", "url(x)", ""])
def test_what_is_no_colour_is_refused(text: str) -> None:
    """Nothing that could end a declaration gets into a style sheet."""
    with pytest.raises(ValidationError):
        ApplicationPatch(primary_color=text)


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://*.example.com",
        "https://example.com/",
        "https://example.com:443",
        "http://example.com",
        "http://localhost.evil.org",
        "example.com",
        "null",
        "https://.example.com",
        "https://example..com",
    ],
)
def test_origins_are_exact(origin: str) -> None:
    """Whatever a browser would never send as this origin is refused."""
    with pytest.raises(ValidationError):
        SettingsChange(allowed_origins=[origin])


@pytest.mark.parametrize(
    "origin", ["https://example.com", "https://a.example.com:8443", "http://localhost:3000"]
)
def test_exact_origins_are_taken(origin: str) -> None:
    """Scheme, host and port as a browser sends them."""
    assert SettingsChange(allowed_origins=[origin]).allowed_origins == [origin]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strange"},
        {"type": "array"},
        {"properties": {"x": {"$ref": "https://example.com/schema"}}},
        {"properties": {"x": {"type": "string", "pattern": "(a+)+$"}}},
        {"patternProperties": {"(a+)+$": {}}},
        {"properties": {"x": {"minimum": "one"}}},
        {"description": "x" * 20_000},
    ],
)
def test_a_schema_that_could_do_harm_is_refused(schema: dict[str, Any]) -> None:
    """No schema that is wrong, huge, fetched from elsewhere or slow to match."""
    with pytest.raises(ValidationError):
        SettingsChange(user_metadata_schema=schema)


def test_deep_schemas_are_refused() -> None:
    """Nesting has an end."""
    schema: dict[str, Any] = {}
    for _ in range(40):
        schema = {"properties": {"x": schema}}

    with pytest.raises(ValidationError):
        SettingsChange(user_metadata_schema=schema)


def test_an_ordinary_schema_is_taken() -> None:
    """A property may be called `pattern`; enum values are data."""
    schema = {
        "type": "object",
        "properties": {
            "pattern": {"type": "string", "enum": ["plain", "$ref"]},
            "size": {"$ref": "#/$defs/size"},
        },
        "$defs": {"size": {"type": "integer", "minimum": 1}},
        "additionalProperties": False,
    }

    assert SettingsChange(user_metadata_schema=schema).user_metadata_schema == schema


def test_a_method_stands_once() -> None:
    """The order of the methods is the order on the page, so each can stand in it once."""
    with pytest.raises(ValidationError):
        SettingsChange(auth_methods=["password", "password"])
