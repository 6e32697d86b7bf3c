"""The request of an operation, with the values of one canary."""

from __future__ import annotations

import re
from typing import Final

from aero2.isolation.operations import Operation
from aero2.isolation.recipes import CONSTANTS, PARAMETERS, recipe_of
from aero2.isolation.things import Things
from aero2.isolation.wire import Parts

LOCALE: Final = "{kind}/locale"
"""Requests in the Dashboard name another one: deleting a template works once."""


class UnknownValue(Exception):
    """An operation has a parameter that this version does not know. The text names it."""


def knows(operation: Operation) -> bool:
    """Returns whether there is a value for each parameter of the path."""
    known = PARAMETERS.keys() | CONSTANTS.keys() | {LOCALE}
    return all(each in known for each in operation.parameters)


def request_of(operation: Operation, values: dict[str, str]) -> tuple[Parts, frozenset[str]]:
    """Returns the request, and the names of the things that it names. Raises UnknownValue."""
    things, recipe = Things(values), recipe_of(operation.recipe)
    path = operation.path
    for parameter in operation.parameters:
        value = _value(operation, parameter, things)
        path = re.sub(r"\{\w+\}", lambda _, value=value: value, path, count=1)  # type: ignore[misc]
    parts = Parts(
        operation.method,
        path,
        json=recipe.body(things) if recipe.body else None,
        form=recipe.form(things) if recipe.form else None,
        query=recipe.query(things) if recipe.query else None,
    )
    return parts, frozenset(things.read)


def _value(operation: Operation, parameter: str, things: Things) -> str:
    if parameter == "applications/slug":
        things.read.add("slug")  # everybody may know it, but it names an application
    if parameter == LOCALE:
        return "de" if operation.in_dashboard else "en"
    if parameter in CONSTANTS:
        return CONSTANTS[parameter]
    name = recipe_of(operation.recipe).names.get(parameter) or PARAMETERS.get(parameter)
    if name is None:
        raise UnknownValue(f"this version of aero2 knows no value for {parameter}")
    return things[name]
