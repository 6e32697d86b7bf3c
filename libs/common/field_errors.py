"""What is wrong with a field, in our words: one sentence for each kind of pydantic's errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

SENTENCES: Final[Mapping[str, str]] = {
    "missing": "this field is required",
    "extra_forbidden": "there is no such field",
    "json_invalid": "this is not valid JSON: {error}",
    "json_type": "JSON text is needed",
    "invalid-json-value": "a JSON value is needed",
    "model_type": "an object is needed",
    "model_attributes_type": "an object is needed",
    "dict_type": "an object is needed",
    "invalid_key": "the names of this object must be texts",
    "list_type": "a list is needed",
    "tuple_type": "a list is needed",
    "set_type": "a list is needed",
    "too_short": "at least {min_length} entries are needed",
    "too_long": "at most {max_length} entries are accepted",
    "string_type": "a text is needed",
    "string_unicode": "this text holds half a character",
    "string_sub_type": "a text is needed",
    "string_too_short": "at least {min_length} characters are needed",
    "string_too_long": "at most {max_length} characters are accepted",
    "string_pattern_mismatch": "the text must match the pattern {pattern}",
    "literal_error": "one of these is needed: {expected}",
    "enum": "one of these is needed: {expected}",
    "none_required": "null is needed",
    "bool_type": "true or false is needed",
    "bool_parsing": "true or false is needed",
    "int_type": "a whole number is needed",
    "int_parsing": "a whole number is needed",
    "int_parsing_size": "the number has too many digits",
    "int_from_float": "a whole number is needed",
    "float_type": "a number is needed",
    "float_parsing": "a number is needed",
    "finite_number": "a finite number is needed",
    "greater_than": "the number must be greater than {gt}",
    "greater_than_equal": "the number must be at least {ge}",
    "less_than": "the number must be less than {lt}",
    "less_than_equal": "the number must be at most {le}",
    "multiple_of": "the number must be a multiple of {multiple_of}",
    "datetime_type": "a time is needed, like 2026-01-31T12:00:00Z",
    "datetime_parsing": "a time is needed, like 2026-01-31T12:00:00Z",
    "datetime_from_date_parsing": "a time is needed, like 2026-01-31T12:00:00Z",
    "datetime_object_invalid": "a time is needed, like 2026-01-31T12:00:00Z",
    "timezone_naive": "a time without a time zone is needed",
    "timezone_aware": "a time with a time zone is needed, like 2026-01-31T12:00:00Z",
    "date_type": "a date is needed, like 2026-01-31",
    "date_parsing": "a date is needed, like 2026-01-31",
    "date_from_datetime_parsing": "a date is needed, like 2026-01-31",
    "date_from_datetime_inexact": "a date without a time is needed, like 2026-01-31",
    "union_tag_invalid": "this kind of value is not accepted here",
    "union_tag_not_found": "this kind of value is not accepted here",
    "recursion_loop": "this is nested too deeply",
}
PATTERNS: Final[Mapping[str, str]] = {
    r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$": (
        "an id is needed: a UUID, like 01890a5d-ac96-774b-bcce-b302099a8057"
    ),
    r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$": (
        "3 to 63 letters a to z in lower case, digits and hyphens are needed, with no hyphen at "
        "either end"
    ),
    r"^[a-z](?:-?[a-z0-9])*$": (
        "letters a to z in lower case, digits and single hyphens are needed, with a letter first"
    ),
    r"^[a-z][a-z0-9_-]*$": (
        "letters a to z in lower case, digits, hyphens and underscores are needed, with a letter "
        "first"
    ),
    r"^[a-z][a-z0-9_.-]*:[a-z][a-z0-9_.-]*(?::[a-z][a-z0-9_.-]*)?$": (
        "a permission is needed, like articles:write"
    ),
    r"^[\x21\x23-\x5b\x5d-\x7e]+$": (
        "printable ASCII without spaces, quotes and backslashes is needed"
    ),
    r"^https?://[^\s<>\"\\]+$": "a URL is needed, like https://example.com/picture.png",
    r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$": "an origin is needed, like https://app.example.com",
    r"^([0-9]{4}|[0-9]{4}-[0-9]{2}-[0-9]{2})$": "a date is needed, like 1990-12-31, or a year",
    r"^[A-Za-z0-9_+/-]+$": "a zone of the tz database is needed, like Europe/Berlin",
    r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$": "a language is needed, like en or pt-BR",
    r"^\+?[0-9 ()-]{3,31}$": "a phone number is needed, like +49 30 901820",
}
"""By pattern: what it asks for, for readers of no regular expressions."""
OTHERWISE: Final = "this value is not accepted"
"""For kinds of errors that no model of ours raises."""


def field_errors(errors: Sequence[Any]) -> list[dict[str, str]]:
    """Returns pydantic's errors as entries of a problem's `errors`, without the input that caused
    them. Broken JSON is the body's fault, whatever its position."""
    return [{"field": _field(error), "message": _message(error)} for error in errors]


def _field(error: Mapping[str, Any]) -> str:
    if error["type"] == "json_invalid":
        return "body"
    return ".".join(str(part) for part in error["loc"] if part != "body") or "body"


def _message(error: Mapping[str, Any]) -> str:
    """Our own sentence where a validator of ours raised, else that of the kind of error."""
    kind, context = error["type"], error.get("ctx") or {}
    if kind == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    if kind == "string_pattern_mismatch" and context.get("pattern") in PATTERNS:
        return PATTERNS[context["pattern"]]
    try:
        return SENTENCES.get(kind, OTHERWISE).format_map(context)
    except KeyError:
        return OTHERWISE
