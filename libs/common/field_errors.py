"""Field errors: the entries of a problem's `errors`, each with a code that clients can rely on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from common.rule_error_codes import RULE_ERRORS
from common.value_error_codes import PATTERNS, PYDANTIC_ERRORS, PYDANTIC_PARAMS, VALUE_ERRORS

Param: TypeAlias = int | float | str

MESSAGES: Final[Mapping[str, str]] = {**VALUE_ERRORS, **RULE_ERRORS}
"""The English message for each code. `{name}` stands for a parameter."""
UNREADABLE: Final = "invalid_value"
"""The code for kinds of errors that no model of ours raises."""


class FieldError(TypedDict):
    """An entry of a problem's `errors`: one mistake in one field. Rely on `code`; `params` has the
    values that `message` names."""

    field: str
    code: str
    params: dict[str, Param]
    message: str


def field_error(field: str, code: str, **params: Param) -> FieldError:
    """Returns an entry of a problem's `errors`. Parameters never hold a secret that was sent."""
    return {"field": field, "code": code, "params": params, "message": message(code, params)}


def value_error(code: str, **params: Param) -> PydanticCustomError:
    """Returns the exception for a validator to raise: a ValueError that keeps its code."""
    context: dict[str, Any] = {"code": code, "params": params}
    return PydanticCustomError("field_error", message(code, params), context)


def message(code: str, params: Mapping[str, Param]) -> str:
    """Returns the English message."""
    return MESSAGES[code].format_map(params)


def field_errors(errors: Sequence[Any]) -> list[FieldError]:
    """Returns pydantic's errors as entries of a problem's `errors`, without the input that caused
    them. Broken JSON counts as an error of the body, whatever its position."""
    return [_field_error(error) for error in errors]


def _field_error(error: Mapping[str, Any]) -> FieldError:
    kind, context = error["type"], error.get("ctx") or {}
    field = ".".join(str(part) for part in error["loc"] if part != "body") or "body"
    if kind == "field_error":
        return field_error(field, context["code"], **context["params"])
    if kind == "json_invalid":
        field = "body"
    code = PYDANTIC_ERRORS.get(kind, UNREADABLE)
    if code == "pattern_mismatch":
        code = PATTERNS.get(context["pattern"], code)
    params = {PYDANTIC_PARAMS.get(name, name): _param(value) for name, value in context.items()}
    return field_error(field, code, **_named(code, params))


def _named(code: str, params: Mapping[str, Param]) -> dict[str, Param]:
    """Returns those parameters that the message of the code names."""
    return {name: value for name, value in params.items() if f"{{{name}}}" in MESSAGES[code]}


def _param(value: Any) -> Param:
    return value if isinstance(value, int | float | str) else str(value)
