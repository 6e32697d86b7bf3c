"""What a call of the API may send, by name. What nobody would read is refused with its name: a field
that was misspelt must not silently do nothing.

This is the gateway's alone. Between services unknown fields are ignored (contracts/base.py), so that
they may be deployed in any order; OAuth endpoints ignore unknown parameters (RFC 6749 section 3.1),
and so do pages, to which people bring other sites' tracking parameters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from math import isfinite
from typing import Any, Final

import orjson
from fastapi import Request
from fastapi.routing import APIRoute

from common.known import LONGEST, Unknown, is_model, printable, unknown
from common.problems import Invalid, field_errors

AT_MOST: Final = 20
"""So many are named; who sends thousands gets no longer answer for it."""

NO_NUMBER: Final = re.compile(rb"NaN|Infinity|[eE]\+?[0-9]{3}|[0-9]{300}")
"""A body without any of these has finite numbers only."""
_PARAMETERS: Final[dict[Callable[..., Any], list[str]]] = {}
"""The parameters of each endpoint, once somebody sent one."""


async def check(request: Request) -> None:
    """Raises Invalid that names each unknown parameter and field, and whatever else is wrong with
    the body."""
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    wrong = list(_parameters(route, request)) if request.scope["query_string"] else []
    if request.method != "GET" and await request.body():
        wrong += await _fields(route, request)
    if wrong:
        raise Invalid(errors=wrong)


def _parameters(route: APIRoute, request: Request) -> Iterator[dict[str, str]]:
    known = _PARAMETERS.get(route.endpoint)
    if known is None:
        known = _PARAMETERS[route.endpoint] = _query(route)
    strangers = (name for name in request.query_params if name not in known)
    for name in islice(strangers, AT_MOST):
        yield Unknown("", name, known).told("parameter")


def _query(route: APIRoute) -> list[str]:
    names, asked = [], [route.dependant]
    for one in asked:
        asked.extend(one.dependencies)
        for field in one.query_params:
            names += _names(field.field_info.annotation) or [field.alias]
    return names


async def _fields(route: APIRoute, request: Request) -> list[dict[str, str]]:
    if route.body_field is None:
        return _of_none(await request.body())
    sent = await request.json()
    if lost := _lost(sent, await request.body()):
        return lost
    found = unknown(route.body_field.field_info.annotation, sent)
    read_only = _names(route.response_model)
    wrong = [
        {"field": one.name, "message": "can be read here, not set"}
        if not one.place and one.name in read_only
        else one.told()
        for one in islice(found, AT_MOST)
    ]
    if wrong:  # the other mistakes come along, so that one answer names them all
        _, others = route.body_field.validate(sent, loc=("body",))
        wrong += field_errors([one for one in others if one["type"] != "extra_forbidden"])
    return wrong


def _lost(sent: Any, body: bytes) -> list[dict[str, str]]:
    """What could not be kept as it was sent. Python reads more than JSON holds (RFC 8259 section 6)
    and more than the bus and the database carry."""
    try:
        orjson.dumps(sent)
        carried = True
    except TypeError:  # beyond 64 bits, half a character, too deep
        carried = False
    if carried and not NO_NUMBER.search(body):
        return []
    try:
        found = list(islice(_odd(sent), AT_MOST))
    except RecursionError:
        found = []
    if not found and not carried:
        return [{"field": "body", "message": "is nested too deeply"}]
    return found


def _odd(value: Any, place: str = "") -> Iterator[dict[str, str]]:
    """What cannot be kept, and where it stands."""
    inside: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    for name, one in inside:
        shown = printable(str(name))
        if isinstance(name, str) and _oddity(name):
            yield {"field": f"{place}{shown}", "message": "its name holds half a character"}
        yield from _odd(one, f"{place}{shown}.")
    message = _oddity(value)
    if message:
        yield {"field": place[:-1] or "body", "message": message}


def _oddity(value: Any) -> str | None:
    if isinstance(value, float) and not isfinite(value):
        return "is no number"
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return "is a number beyond 64 bits"
    if isinstance(value, str) and printable(value, len(value)) != value:
        return "holds half a character"
    return None


def _of_none(body: bytes) -> list[dict[str, str]]:
    """A call that takes no body; many libraries send an empty object all the same."""
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError:
        sent = body
    if not sent:
        return []
    names = list(islice(sent, AT_MOST)) if isinstance(sent, dict) else ["body"]
    return [{"field": name[:LONGEST], "message": "this call takes no body"} for name in names]


def _names(kind: Any) -> list[str]:
    return list(kind.model_fields) if is_model(kind) else []
