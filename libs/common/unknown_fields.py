"""Names that nobody knows in what was sent, and the name that was probably meant."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel

from common.field_errors import FieldError, field_error

LONGEST: Final = 60
"""Characters of a name that are repeated."""


class Unknown(NamedTuple):
    """A name that means nothing there; `place` ends in a dot unless empty."""

    place: str
    name: str
    known: Collection[str]

    def field_error(self, what: Literal["field", "parameter"] = "field") -> FieldError:
        """Returns an entry of a problem's `errors`, without the value that was sent."""
        shown = printable(self.name)
        field, near = f"{self.place}{shown}", get_close_matches(shown, self.known, n=1)
        if near:
            return field_error(field, f"misspelled_{what}", suggestion=near[0])
        return field_error(field, f"unknown_{what}")


def printable(name: str, longest: int = LONGEST) -> str:
    """The beginning of it. JSON can say half a surrogate pair; no answer can."""
    return name[:longest].encode("utf-8", "replace").decode()


def unknown(kind: Any, sent: Any, place: str = "") -> Iterator[Unknown]:
    """What stands in a value sent as `kind` that no model there has a field for. Objects that are
    open by their type (metadata, key sets) stay so."""
    kinds = list(_members(kind))
    if isinstance(sent, list):
        for inner in [part for one in kinds if get_origin(one) is list for part in get_args(one)]:
            for index, value in enumerate(sent):
                yield from unknown(inner, value, f"{place}{index}.")
    models = [one for one in kinds if is_model(one)]
    if not isinstance(sent, dict) or not models:
        return
    fields = {name: field.annotation for one in models for name, field in one.model_fields.items()}
    for name, value in sent.items():
        if name not in fields:
            yield Unknown(place, name, fields)
        elif isinstance(value, dict | list):
            yield from unknown(fields[name], value, f"{place}{name}.")


def is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _members(kind: Any) -> Iterator[Any]:
    """What a value of this kind may be: the members of a union, without their annotations."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _members(get_args(kind)[0])
    elif origin in (Union, UnionType):
        for one in get_args(kind):
            yield from _members(one)
    else:
        yield kind
