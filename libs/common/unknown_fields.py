"""Finds fields that no model has, and proposes the field that was probably meant.

Models ignore unknown fields, so that services can be deployed in any order. Requests from outside are
checked more strictly: a misspelt field must not silently do nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from common.field_errors import FieldError, field_error

MAX_NAME_LENGTH: Final = 60
"""Characters of an unknown name that an error repeats."""


class UnknownField(NamedTuple):
    """A field that does not exist. `place` is the path to its object, and ends in a dot unless it
    is empty. `choices` are the fields that exist there."""

    place: str
    name: str
    choices: Collection[str]

    def field_error(self, noun: Literal["field", "parameter"] = "field") -> FieldError:
        """Returns an entry of a problem's `errors`, without the value that was sent."""
        name = printable(self.name)
        field, matches = f"{self.place}{name}", get_close_matches(name, self.choices, n=1)
        if matches:
            return field_error(field, f"misspelled_{noun}", suggestion=matches[0])
        return field_error(field, f"unknown_{noun}")


def printable(name: str, length: int = MAX_NAME_LENGTH) -> str:
    """Returns the beginning of a name as valid Unicode. JSON can spell half a surrogate pair; UTF-8
    cannot."""
    return name[:length].encode("utf-8", "replace").decode()


def unknown_fields(kind: Any, value: Any) -> Iterator[UnknownField]:
    """Yields the fields in a JSON value that no model of the type `kind` has, at any depth. Objects
    that are open by their type (metadata, key sets) may have any field."""
    try:
        _adapter(kind).validate_python(value, extra="forbid")
    except ValidationError as error:
        for each in error.errors(include_url=False, include_context=False, include_input=False):
            if each["type"] == "extra_forbidden":
                *path, name = each["loc"]
                place = "".join(f"{part}." for part in path)
                yield UnknownField(place, str(name), _fields_at(kind, path))


@lru_cache(maxsize=512)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _fields_at(kind: Any, path: list[int | str]) -> list[str]:
    """Returns the fields of the models that a value of the type may have at a path."""
    kinds = list(_members(kind))
    for part in path:
        kinds = [
            member for each in kinds for inner in _inner(each, part) for member in _members(inner)
        ]
    return [name for each in kinds if is_model(each) for name in each.model_fields]


def _inner(kind: Any, part: int | str) -> Iterator[Any]:
    """Yields the type of a field, of the entries of a list, or of the values of a dictionary."""
    if is_model(kind):
        if part in kind.model_fields:
            yield kind.model_fields[part].annotation
    elif get_origin(kind) in (list, dict):
        yield get_args(kind)[-1]


def is_model(kind: Any) -> bool:
    """Returns whether a type is a pydantic model."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _members(kind: Any) -> Iterator[Any]:
    """Yields the members of a union, or the type itself, without annotations."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _members(get_args(kind)[0])
    elif origin in (Union, UnionType):
        for member in get_args(kind):
            yield from _members(member)
    else:
        yield kind
