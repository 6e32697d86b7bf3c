"""Every error that a model can raise has a code and a message."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from common import contracts
from common.contracts.base import CONTRACTS
from common.contracts.clients import CreateClient
from common.contracts.users import CreateUser
from common.field_errors import FieldError, field_error, field_errors
from common.value_error_codes import PATTERNS, PYDANTIC_ERRORS

for module in pkgutil.iter_modules(contracts.__path__):
    import_module(f"{contracts.__name__}.{module.name}")  # so that CONTRACTS is complete

RAISED = {
    "str": {"string_type", "string_unicode", "string_sub_type"},
    "int": {"int_type", "int_parsing", "int_parsing_size", "int_from_float"},
    "float": {"float_type", "float_parsing"},
    "bool": {"bool_type", "bool_parsing"},
    "none": {"none_required"},
    "list": {"list_type"},
    "set": {"set_type"},
    "tuple": {"tuple_type", "missing"},
    "dict": {"dict_type"},
    "datetime": {
        *("datetime_type", "datetime_parsing", "datetime_object_invalid"),
        "datetime_from_date_parsing",
    },
    "date": {
        *("date_type", "date_parsing", "date_from_datetime_parsing"),
        "date_from_datetime_inexact",
    },
    "literal": {"literal_error"},
    "enum": {"enum"},
    "model": {"model_type"},
    "model-fields": {"model_attributes_type", "missing", "extra_forbidden", "invalid_key"},
    "tagged-union": {"union_tag_invalid", "union_tag_not_found"},
    "definition-ref": {"recursion_loop"},
}
"""Errors without any constraint, by the kind of schema."""
CONSTRAINTS = {
    ("str", "min_length"): "string_too_short",
    ("str", "max_length"): "string_too_long",
    ("str", "pattern"): "string_pattern_mismatch",
    **{(kind, "min_length"): "too_short" for kind in ("list", "set", "tuple", "dict")},
    **{(kind, "max_length"): "too_long" for kind in ("list", "set", "tuple", "dict")},
    **{
        (kind, name): error
        for kind in ("int", "float")
        for name, error in (
            ("gt", "greater_than"),
            ("ge", "greater_than_equal"),
            ("lt", "less_than"),
            ("le", "less_than_equal"),
            ("multiple_of", "multiple_of"),
        )
    },
    ("float", "allow_inf_nan"): "finite_number",
    ("datetime", "tz_constraint"): "timezone_aware",
}
SILENT = {
    *("default", "nullable", "definitions", "model-field", "any", "union", "json-or-python"),
    *("function-after", "function-before", "function-wrap", "function-plain", "no-info"),
    *("chain", "is-instance", "lax-or-strict", "with-info"),
}
"""These kinds raise nothing themselves, or an error with a code of its own."""


def nodes(schema: Any, seen: set[int]) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict) and id(schema) not in seen:
        seen.add(id(schema))
        if isinstance(schema.get("type"), str):
            yield schema
        for name, part in schema.items():
            if name not in ("metadata", "serialization"):
                yield from nodes(part, seen)
    elif isinstance(schema, list | tuple):
        for part in schema:
            yield from nodes(part, seen)


def test_every_error_of_every_model_has_a_code() -> None:
    seen: set[int] = set()
    possible = {"json_invalid"}
    for contract in CONTRACTS.values():
        for node in nodes(contract.__pydantic_core_schema__, seen):
            kind = node["type"]
            assert kind in RAISED or kind in SILENT, kind
            possible |= RAISED.get(kind, set())
            possible |= {CONSTRAINTS[kind, name] for name in node if (kind, name) in CONSTRAINTS}
            if "custom_error_type" in node:
                possible.add(node["custom_error_type"])

    assert possible - PYDANTIC_ERRORS.keys() == set()


def test_patterns_are_explained() -> None:
    """The message explains the pattern and does not show it."""
    seen: set[int] = set()
    used = {
        str(getattr(node["pattern"], "pattern", node["pattern"]))
        for contract in CONTRACTS.values()
        for node in nodes(contract.__pydantic_core_schema__, seen)
        if "pattern" in node
    }

    assert used == PATTERNS.keys()


def errors(model: Any, sent: Any) -> list[FieldError]:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(model).validate_python(sent)
    listed = refused.value.errors(include_url=False, include_input=False)
    return field_errors(listed)


def test_sentences_name_the_limit_and_never_the_value() -> None:
    sent = {
        "name": 7,
        "redirect_uris": ["hunter2" * 400],
        "access_token_lifetime": 1,
        "default_max_age": "hunter2",
        "type": "hunter2",
        "first_party": "hunter2",
        "contacts": ["hunter2"] * 21,
    }

    found = errors(CreateClient, sent)

    expected = "'web', 'spa', 'native' or 'service'"
    assert sorted(found, key=str) == sorted(
        [
            field_error("name", "not_a_text"),
            field_error("type", "not_one_of", expected=expected),
            field_error("redirect_uris.0", "text_too_long", maximum=2000),
            field_error("first_party", "not_a_boolean"),
            field_error("access_token_lifetime", "not_at_least", limit=60),
            field_error("default_max_age", "not_an_integer"),
            field_error("contacts", "list_too_long", maximum=20),
        ],
        key=str,
    )
    assert "hunter2" not in str(found)
    assert found[0]["message"] == "A text is required."


def test_our_own_validators_keep_their_code() -> None:
    """A validator of the product names its code. A missing field has a code too."""
    assert errors(CreateUser, {"email": "nobody"}) == [field_error("email", "not_an_email_address")]
    assert errors(CreateUser, {"email": f"{'a' * 65}@example.com"})[0]["code"] in {
        "email_local_part_too_long",
        "not_an_email_address",
    }
    assert errors(CreateClient, {}) == [field_error("name", "required")]


def test_a_pattern_has_a_code_of_its_own() -> None:
    """A pattern has a code, because its text explains nothing."""
    assert errors(CreateUser, {"profile": {"birthdate": "1990-02-31"}}) == [
        field_error("profile.birthdate", "not_a_birthdate")
    ]
    assert errors(CreateUser, {"profile": {"birthdate": "soon"}}) == [
        field_error("profile.birthdate", "not_a_birthdate")
    ]


def test_an_unknown_kind_of_error_has_a_code() -> None:
    """A kind of error that pydantic adds later has a code too."""
    listed = [{"type": "new_kind", "loc": ("body", "name"), "ctx": {"limit": object()}}]

    assert field_errors(listed) == [field_error("name", "invalid_value")]
