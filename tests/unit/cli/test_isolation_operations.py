"""`aero2 doctor isolation` knows every operation of the OpenAPI documents."""

from __future__ import annotations

import pytest

from aero2.isolation.operations import Operation, operations_of
from aero2.isolation.recipes import RECIPES, recipe_of
from aero2.isolation.requests import UnknownValue, knows, request_of
from aero2.isolation.things import Things, address, ghosts, word
from aero2.isolation.uncovered import REASONS, UNTRIED, reason_of
from common.ids import new_id
from gateway.api.fastapi_app import json_api


class Anything(dict[str, str]):
    """A value for each name."""

    def __missing__(self, name: str) -> str:
        value = new_id()
        return self.setdefault(
            name, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP" if name == "totp_secret" else value
        )


@pytest.fixture(scope="module")
def operations() -> list[Operation]:
    documents = [json_api(dashboard=dashboard).openapi() for dashboard in (False, True)]
    return operations_of(documents[0], documents[1])


def test_every_operation_has_a_request(operations: list[Operation]) -> None:
    """The values of its path are known, and it has a body if it needs one."""
    bodies = {
        f"{method.upper()} {path}": operation["requestBody"].get("required", False)
        for dashboard in (False, True)
        for path, methods in json_api(dashboard=dashboard).openapi()["paths"].items()
        for method, operation in methods.items()
        if "requestBody" in operation
    }

    assert len(operations) > 350
    for operation in operations:
        assert knows(operation), operation.name
        request, _ = request_of(operation, Anything())
        assert "{" not in request.path
        if bodies.get(operation.name):
            assert request.body() != (b"", ""), operation.name


def test_what_is_not_covered_is_short_and_has_reasons(operations: list[Operation]) -> None:
    """A new operation must be shown to work for its owner, or be listed here on purpose."""
    uncovered = {each.name: reason_of(each) for each in operations if reason_of(each)}
    names = {each.name for each in operations} | {each.recipe for each in operations}

    assert len(uncovered) <= 68, sorted(uncovered)
    assert len(uncovered) < len(operations) / 6
    assert all(len(reason or "") > 10 for reason in uncovered.values())
    assert len(UNTRIED) <= 9
    assert REASONS.keys() | UNTRIED.keys() | RECIPES.keys() <= names


def test_an_operation_is_tried_across_unless_it_is_listed(operations: list[Operation]) -> None:
    """What names nothing and may be done by anybody is listed; all else is tried in some way."""
    for each in operations:
        _, named = request_of(each, Anything())
        by = recipe_of(each.recipe).by
        is_away = not each.public or by in ("client", "token", "publishable")
        is_tried = bool(named) or each.safe or is_away or each.in_dashboard
        if "make an operator" in UNTRIED.get(each.name, ""):
            continue
        assert is_tried != (each.name in UNTRIED), each.name


def test_an_operation_of_a_newer_version_is_not_guessed() -> None:
    """A parameter that is not known is an error with its name, and no request."""
    unknown = Operation("DELETE", "/api/gadgets/{id}", public=False)

    assert not knows(unknown)
    with pytest.raises(UnknownValue, match="gadgets/id"):
        request_of(unknown, Anything())


def test_a_request_says_what_it_names() -> None:
    """What everybody may know, like a password that was chosen, names nothing."""
    update = Operation("PUT", "/api/users/me/password", public=False)
    member = Operation("DELETE", "/api/organizations/{org_id}/members/{user_id}", public=False)

    assert request_of(update, Anything())[1] == frozenset()
    assert request_of(member, Anything())[1] == {"org_id", "user_id"}


def test_ghosts_have_the_form_of_things() -> None:
    """Only their values differ. The same value gets the same ghost."""
    id, email, name = new_id(), address(), word()
    made = ghosts({"a": id, "b": email, "c": name, "d": id, "slug": "shop"})

    assert made["a"] == made["d"] != id
    assert made["b"].endswith(".invalid")
    assert made["b"] != email
    assert (len(made["c"]), made["c"][:5]) == (len(name), "quoll")
    assert made["c"] != name
    assert made["slug"] == "shop"


def test_things_remember_what_was_read() -> None:
    things = Things({"user_id": "1", "password": "2"})

    assert things["user_id"] + things["password"] == "12"
    assert things.read == {"user_id"}
