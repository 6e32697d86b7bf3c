"""Every error that a model of ours can raise has a sentence of ours."""

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
from common.field_errors import PATTERNS, SENTENCES, field_errors

for module in pkgutil.iter_modules(contracts.__path__):
    import_module(f"{contracts.__name__}.{module.name}")  # so that CONTRACTS has them all

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
"""By the kind of schema: what it raises without any constraint."""
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
"""They raise nothing themselves, or `value_error` with a sentence of ours."""


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


def test_every_error_of_every_model_has_a_sentence() -> None:
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

    assert possible - SENTENCES.keys() == set()


def test_patterns_are_explained() -> None:
    """A reader meets no pattern that another sentence describes better."""
    seen: set[int] = set()
    used = {
        str(getattr(node["pattern"], "pattern", node["pattern"]))
        for contract in CONTRACTS.values()
        for node in nodes(contract.__pydantic_core_schema__, seen)
        if "pattern" in node
    }

    assert used == PATTERNS.keys()


def errors(model: Any, sent: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(model).validate_python(sent)
    listed = refused.value.errors(include_url=False, include_input=False)
    return [(one["field"], one["message"]) for one in field_errors(listed)]


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

    found = dict(errors(CreateClient, sent))

    assert found == {
        "name": "a text is needed",
        "type": "one of these is needed: 'web', 'spa', 'native' or 'service'",
        "redirect_uris.0": "at most 2000 characters are accepted",
        "first_party": "true or false is needed",
        "access_token_lifetime": "the number must be at least 60",
        "default_max_age": "a whole number is needed",
        "contacts": "at most 20 entries are accepted",
    }


def test_our_own_validators_keep_their_sentence() -> None:
    assert errors(CreateUser, {"email": "nobody"}) == [("email", "this is not an e-mail address")]
    assert errors(CreateClient, {}) == [("name", "this field is required")]
