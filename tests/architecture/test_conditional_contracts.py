"""Whatever shows a version can be changed on the condition that it is still current."""

from __future__ import annotations

from typing import Any, Final

from fastapi.routing import APIRoute
from tests.architecture.source import contracts

from common.contracts.base import Request
from common.contracts.versioned import Versioned
from gateway.api.route_sets import ROUTE_SETS

VERBS: Final = ("Update", "Put", "Delete", "Reset")
ELSEWHERE: Final = {"identity.me.delete": "POST, at a path without GET"}
"""Contracts that do not change what GET shows at the same path, and why."""
LISTS: Final = {
    "/clients/{id}/grants": "a list, which DELETE empties",
    "/users/{id}/sessions": "a list, which DELETE empties",
    "/sessions": "a list, which DELETE empties",
    "/auth/second-factor": "a sign-in that waits, in one browser",
    "/client-documents": "a list; PUT stores one of them whole",
}
"""Paths with GET and a change that show no single object, and why."""


def is_versioned(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Versioned)


def changes_of(noun: str) -> list[type[Request[Any]]]:
    names = {f"{verb}{noun}" for verb in VERBS}
    return [one for one in contracts().values() if one.__name__ in names]


def test_changes_of_versioned_objects_are_conditional() -> None:
    """For each contract `Get…` that shows a version, those that change or delete the same are
    conditional. No other contract is."""
    expected = {
        change.subject
        for one in contracts().values()
        if one.__name__.startswith("Get") and is_versioned(one.reply)
        for change in changes_of(one.__name__.removeprefix("Get"))
    }

    conditional = {subject for subject, one in contracts().items() if one.conditional}
    assert conditional == expected - set(ELSEWHERE)
    assert len(expected) > 15


def test_a_change_is_compared_with_what_get_shows() -> None:
    """What GET shows beyond the reply of a change is state, and no part of the tag. Otherwise no tag of GET
    would be current for the change."""
    beyond = {
        f"{one.reply.__name__}.{name}"
        for one in contracts().values()
        if one.__name__.startswith("Get") and issubclass(one.reply, Versioned)
        for change in changes_of(one.__name__.removeprefix("Get"))
        if issubclass(change.reply, Versioned)
        for name in one.reply.model_fields.keys() - change.reply.model_fields.keys()
        if name not in one.reply.volatile
    }

    assert beyond == set()


def test_what_get_shows_has_a_version() -> None:
    """At each path of the API with GET and a change, GET shows a version."""
    shown: dict[str, Any] = {}
    changed: set[str] = set()
    for routes in ROUTE_SETS:
        for route in routes.router.routes if routes.router else ():
            assert isinstance(route, APIRoute)
            if route.methods == {"GET"}:
                shown[route.path] = route.response_model
            elif route.methods and route.methods <= {"PUT", "PATCH", "DELETE"}:
                changed.add(route.path)
    without = {path for path in changed & shown.keys() if not is_versioned(shown[path])}

    assert without == set(LISTS)


def test_a_conditional_contract_is_no_read() -> None:
    """The bus repeats a safe call. A repeated change would fail its own condition."""
    assert [s for s, one in contracts().items() if one.conditional and one.safe] == []
