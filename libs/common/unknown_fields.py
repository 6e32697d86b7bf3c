"""Names that nobody knows in what was sent, and the name that was probably meant."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Final, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel

LONGEST: Final = 60
"""Characters of a name that are repeated."""


class Unknown(NamedTuple):
    """A name that means nothing there; `place` ends in a dot unless empty."""

    place: str
    name: str
    known: Collection[str]

    def told(self, what: str = "field") -> dict[str, str]:
        """As an entry of a problem's `errors`: what was sent with the name is not in it."""
        shown = printable(self.name)
        near = get_close_matches(shown, self.known, n=1)
        hint = f": did you mean {near[0]}?" if near else ""
        return {"field": f"{self.place}{shown}", "message": f"there is no such {what}{hint}"}


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
