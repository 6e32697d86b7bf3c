"""Unknown fields and parameters of the JSON API are refused by name: a misspelt field must not silently
do nothing.

Only the gateway does this. Between services unknown fields are ignored (contracts/base.py), so that
services can be deployed in any order. OAuth endpoints ignore unknown parameters (RFC 6749 section
3.1). Pages ignore them too, because links of other sites add tracking parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

import orjson
from fastapi import Request
from fastapi.routing import APIRoute

from common import exact_json
from common.exact_json import AT_MOST
from common.field_errors import FieldError, field_error, field_errors
from common.problems import Invalid
from common.same_json import same_json
from common.unknown_fields import MAX_NAME_LENGTH, UnknownField, is_model, unknown_fields
from gateway.api.current_value import current_value, reader_of

_PARAMETERS: Final[dict[Callable[..., Any], list[str]]] = {}
"""The parameters of each endpoint, filled at the first request that has some."""


async def check_fields(request: Request) -> None:
    """Raises Invalid, which names each unknown parameter and field, and the other mistakes of the body."""
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    wrong = list(_parameters(route, request)) if request.scope["query_string"] else []
    if request.method != "GET" and await request.body():
        wrong += await _fields(route, request)
    if wrong:
        raise Invalid(errors=wrong)


def _parameters(route: APIRoute, request: Request) -> Iterator[FieldError]:
    allowed = _PARAMETERS.get(route.endpoint)
    if allowed is None:
        allowed = _PARAMETERS[route.endpoint] = _query(route)
    names = [name for name, _ in request.query_params.multi_items()]
    for name in islice(dict.fromkeys(names), AT_MOST):
        if name not in allowed:
            yield UnknownField("", name, allowed).field_error("parameter")
        elif names.count(name) > 1:
            yield field_error(name, "repeated_parameter")


def _query(route: APIRoute) -> list[str]:
    names, dependants = [], [route.dependant]
    for one in dependants:
        dependants.extend(one.dependencies)
        for field in one.query_params:
            names += _names(field.field_info.annotation) or [field.alias]
    return names


async def _fields(route: APIRoute, request: Request) -> list[FieldError]:
    if route.body_field is None:
        return _of_none(await request.body())
    sent = await request.json()
    if lost := exact_json.faults(await request.body()):
        return lost
    read_only = await _read_only(route, request, sent)
    unknown_names = unknown_fields(route.body_field.field_info.annotation, sent)
    wrong = [
        field_error(one.name, "read_only")
        if not one.place and one.name in read_only
        else one.field_error()
        for one in islice(unknown_names, AT_MOST)
    ]
    if wrong:  # the other mistakes are added, so that one response names them all
        _, others = route.body_field.validate(sent, loc=("body",))
        wrong += field_errors([one for one in others if one["type"] != "extra_forbidden"])
    return wrong


async def _read_only(route: APIRoute, request: Request, sent: Any) -> list[str]:
    """Returns the names that can be read here but not set. A change may send them with their current
    value, as a client does that sends back what GET returned. Those are removed from the body."""
    read_only = _names(route.response_model)
    settable = _names(route.body_field.field_info.annotation) if route.body_field else []
    if request.method not in ("PUT", "PATCH") or not isinstance(sent, dict):
        return read_only
    others = sent.keys() - set(settable)
    if others and (reader := reader_of(route, request)):
        read_only += _names(reader.response_model)  # GET may tell more than the change answers
    carried = others & set(read_only)
    if carried:
        current = await current_value(route, request)
        for name in carried & current.keys():
            if same_json(sent[name], current[name]):
                del sent[name]  # the body is validated from this same object
    return read_only


def _of_none(body: bytes) -> list[FieldError]:
    """Returns the mistakes for a call without a body. An empty object is accepted: many libraries send
    one."""
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError:
        sent = body
    if not sent:
        return []
    names = list(islice(sent, AT_MOST)) if isinstance(sent, dict) else ["body"]
    return [field_error(name[:MAX_NAME_LENGTH], "unexpected_body") for name in names]


def _names(kind: Any) -> list[str]:
    return list(kind.model_fields) if is_model(kind) else []
