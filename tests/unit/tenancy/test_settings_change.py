"""The settings of an application are checked field by field."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from common.contracts.applications import ApplicationPatch
from common.contracts.settings_change import SettingsChange


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
    """Only https URLs without characters to escape are accepted for pages and mails."""
    with pytest.raises(ValidationError):
        ApplicationPatch(logo_url=url)


@pytest.mark.parametrize(
    "url", ["https://example.com/logo.png?v=1#x", "http://localhost:3000/l.png"]
)
def test_an_ordinary_url_is_taken(url: str) -> None:
    """https is accepted, and http on the machine itself."""
    assert ApplicationPatch(logo_url=url).logo_url == url


@pytest.mark.parametrize(("text", "color"), [("#ABC", "#aabbcc"), ("#12aBcF", "#12abcf")])
def test_colours_are_normalised(text: str, color: str) -> None:
    """Three digits become six, in lower case."""
    assert ApplicationPatch(primary_color=text).primary_color == color


@pytest.mark.parametrize("text", ["red", "#12", "#1234567", "#12345g", "#fff;}", "url(x)", ""])
def test_what_is_no_colour_is_refused(text: str) -> None:
    """A value that could end a CSS declaration is refused."""
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
    """An origin that no browser would send is refused."""
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
    """A schema that is invalid, huge, remote or slow is refused."""
    with pytest.raises(ValidationError):
        SettingsChange(user_metadata_schema=schema)


def _doubling(levels: int, leaf: dict[str, Any]) -> dict[str, Any]:
    """Returns a schema in which each level refers twice to the next. The leaf is evaluated 2^levels
    times."""
    defs: dict[str, Any] = {
        f"d{level}": {"anyOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(levels)
    }
    return {"$defs": {**defs, f"d{levels}": leaf}, "$ref": "#/$defs/d0"}


MULTIPLY = {
    "in place": _doubling(40, {"required": ["nope"]}),
    "in place, just too often": _doubling(12, {"required": ["nope"]}),
    "by level of the data": {"properties": {"a": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}},
    "through a circle": {
        "$defs": {
            "a": {"$ref": "#/$defs/b", "properties": {"x": {"anyOf": [{"$ref": "#/$defs/b"}] * 2}}},
            "b": {"$ref": "#/$defs/a"},
        },
        "$ref": "#/$defs/b",
    },
    "by anchor": {
        "$defs": {"x": {"$anchor": "x", "items": {"allOf": [{"$ref": "#x"}, {"$ref": "#x"}]}}},
        "$ref": "#x",
    },
    "from where data stands": {
        "const": {"properties": {"a": {"allOf": [{"$ref": "#/const"}, {"$ref": "#/const"}]}}},
        "$ref": "#/const",
    },
}


@pytest.mark.parametrize("schema", MULTIPLY.values(), ids=MULTIPLY.keys())
def test_a_schema_that_multiplies_is_refused(schema: dict[str, Any]) -> None:
    """Evaluations are counted through references, for all levels of the data."""
    with pytest.raises(ValidationError, match="multiply"):
        SettingsChange(user_metadata_schema=schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/nowhere"},
        {"$schema": "http://json-schema.org/draft-07/schema#"},
        {"properties": {"a": {"$id": "https://example.com/a", "$ref": "#"}}},
    ],
)
def test_a_schema_whose_references_cannot_be_followed_is_refused(schema: dict[str, Any]) -> None:
    """A schema that cannot be counted is refused."""
    with pytest.raises(ValidationError):
        SettingsChange(user_metadata_schema=schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}},
        _doubling(8, {"properties": {"a": {"type": "string"}}}),
        {"properties": {"a": {"enum": ["x"] * 500}}},
    ],
)
def test_schemas_that_refer_to_themselves_are_taken(schema: dict[str, Any]) -> None:
    """Recursion that does not multiply is accepted, as in trees and lists."""
    assert SettingsChange(user_metadata_schema=schema).user_metadata_schema == schema


def test_deep_schemas_are_refused() -> None:
    """A schema that is nested too deeply is refused."""
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
    """Each method is listed once, because the order is that of the page."""
    with pytest.raises(ValidationError):
        SettingsChange(auth_methods=["password", "password"])


@pytest.mark.parametrize(
    "zone", ["europe/berlin", "Europe/Atlantis", "localtime", "../UTC", "", "x" * 65]
)
def test_a_time_zone_is_one_of_the_database(zone: str) -> None:
    """Names are those of the IANA time zone database, exactly."""
    with pytest.raises(ValidationError):
        SettingsChange(time_zone=zone)


def test_the_default_time_zone_is_utc() -> None:
    """`null` restores it."""
    assert SettingsChange.model_validate({"time_zone": None}).time_zone == "UTC"
    assert SettingsChange(time_zone="Asia/Kathmandu").time_zone == "Asia/Kathmandu"
