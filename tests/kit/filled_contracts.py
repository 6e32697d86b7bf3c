"""Replies of contracts with every field filled: lists that are full, names and addresses of usual length."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from tests.kit.fake_services import FakeServices

from common.answering import encode_reply
from common.context import Context
from common.contracts.base import Contract, Request
from common.events.base import EVENTS
from common.testing import LocalBus

M = TypeVar("M", bound=BaseModel)
FIRST_ID: Final = "00000000-0000-7000-8000-000000000000"
"""The id of the first thing of every list, so that a page with this id in its path shows something."""
WHEN: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
USUAL: Final = 20
"""Things of a list that the caller does not limit."""
INSIDE: Final = 3
"""Things of a list that belongs to a thing of a list."""
TEXTS: Final = (
    "https://shop.example/callback/%d",
    "mira.lindqvist.%d@example.com",
    "login%d.shop.example",
    "Mira Lindqvist %d",
    "reports%d:read",
    "shop-of-mira-%d",
    "shop_of_mira_%d",
    "#0d9488",
    "2026-01-02",
    "03:04",
    "Version",
    "en",
    "192.0.2.%d",
    "a" * 43,
    "1",
)
"""Texts of which the first that a field accepts is taken."""


class NoValueError(Exception):
    """None of the usual values suits a field."""


@dataclass(frozen=True)
class Place:
    """Where a value stands: the name of its field, the number of its thing, and the models around it."""

    name: str
    number: int = 0
    depth: int = 0
    length: int = USUAL


@dataclass
class FilledBus(LocalBus):
    """Answers what nobody serves with a filled reply. A list has as many things as the caller asked for.
    Replies are made once, so the CPU of a page is that of the gateway. `own` are replies that differ."""

    own: Mapping[type[Request[Any]], Contract] = field(default_factory=dict)
    replies: dict[tuple[type[Request[Any]], int], bytes] = field(default_factory=dict)

    async def raw(self, ctx: Context, request: Request[Any]) -> bytes:
        if type(request) in self.handlers:
            return await super().raw(ctx, request)
        self.calls.append(request)
        key = type(request), getattr(request, "limit", USUAL)
        if key not in self.replies:
            reply = self.own.get(key[0]) or filled(request.reply, length=key[1])
            self.replies[key] = encode_reply(reply)
        return self.replies[key]


def filled_world(own: Mapping[type[Request[Any]], Contract]) -> FakeServices:
    """Returns fake services in which every call has an answer: the `own` one of its contract, if any."""
    return FakeServices(bus=FilledBus(own=own))


def filled(model: type[M], *, length: int = USUAL) -> M:
    """Returns a model with a value in each field."""
    return model.model_validate(_fields(model, Place("", length=length)))


def _fields(model: type[BaseModel], place: Place) -> dict[str, Any]:
    values = {}
    for name, info in model.model_fields.items():
        inside = replace(place, name=name, depth=place.depth + 1)
        try:
            values[info.alias or name] = _value(_annotation(info), inside)
        except NoValueError:
            if info.is_required():
                raise
    return values


def _annotation(info: FieldInfo) -> Any:
    if not info.metadata:
        return info.annotation
    return Annotated[info.annotation, *info.metadata]


def _value(annotation: Any, place: Place) -> Any:
    """Returns a value that the annotation accepts."""
    if _is_plain(annotation):
        return _accepted(annotation, place)
    kind = get_origin(annotation)
    if kind is Annotated:
        return _value(get_args(annotation)[0], place)
    if kind in (Union, UnionType):
        return _value(next(one for one in get_args(annotation) if one is not NoneType), place)
    return _collection(annotation, place) if kind else _fields(annotation, place)


def _is_plain(annotation: Any) -> bool:
    """Returns whether a value has no parts: no model, list or dictionary."""
    kind, inner = get_origin(annotation), get_args(annotation)
    if kind is Annotated:
        return _is_plain(inner[0])
    if kind in (Union, UnionType):
        return all(_is_plain(one) for one in inner)
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return kind is Literal or (kind is None and not is_model)


def _collection(annotation: Any, place: Place) -> Any:
    kind, inner = get_origin(annotation), get_args(annotation)
    if kind is dict:
        inside = replace(place, depth=place.depth + 1)
        return {_value(inner[0], inside): _value(inner[1], inside)}
    if kind is tuple and Ellipsis not in inner:
        return [_value(one, place) for one in inner]
    if not (isinstance(kind, type) and issubclass(kind, Collection)):
        raise NoValueError(f"no value for {place.name}: {annotation}")
    numbers = range(place.length if place.depth <= 1 else INSIDE)
    things = [_value(inner[0], replace(place, number=number)) for number in numbers]
    return list(dict.fromkeys(things)) if _is_plain(inner[0]) else things


def _accepted(annotation: Any, place: Place) -> Any:
    """Returns the first of the usual values that the annotation accepts."""
    for candidate in _candidates(annotation, place):
        if _accepts(annotation, candidate):
            return candidate
    raise NoValueError(f"no value for {place.name}: {annotation}")


def _accepts(annotation: Any, candidate: Any) -> bool:
    try:
        _adapter(annotation).validate_python(candidate, strict=type(candidate) is not str)
    except ValidationError:
        return False
    return True


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def _candidates(annotation: Any, place: Place) -> Iterator[Any]:
    name, number = place.name, place.number
    if name == "id" or name.endswith("_id"):
        yield f"{FIRST_ID[:-12]}{number:012x}"
    if name == "event_type":
        yield sorted(EVENTS)[number % len(EVENTS)]
    if name == "locale":
        yield "en"
    if "name" in name:
        yield f"Mira Lindqvist {number}"
    if name == "zoneinfo":
        yield "Europe/Berlin"
    if "email" in name:
        yield f"mira.lindqvist{number}@example.com"
    yield from _choices(annotation, place.number)
    yield from (True, 7, 3600, 0.5, WHEN - timedelta(hours=number), date(2026, 1, 2), b"7")
    yield from (text.replace("%d", str(number)) for text in TEXTS)
    yield f"{FIRST_ID[:-12]}{number:012x}"
    yield from ({"plan": "pro"}, ["reports:read"])


def _choices(annotation: Any, number: int) -> Iterator[Any]:
    """Yields the values of a Literal, each thing's own first."""
    if get_origin(annotation) is Literal:
        values = get_args(annotation)
        yield values[number % len(values)]
    for inner in get_args(annotation):
        if get_origin(inner) is Literal or get_origin(inner) is Annotated:
            yield from _choices(inner, number)
