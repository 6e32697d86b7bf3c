"""The OpenAPI document and /docs explain the API to a new reader."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import Any

import pytest
from pydantic import BaseModel

from common.contracts.base import CONTRACTS
from gateway.api import reference
from gateway.api.fastapi_app import json_api
from gateway.api.openapi_texts import EXAMPLES, TAGS

METHODS = {"get", "post", "put", "patch", "delete"}


@cache
def document(dashboard: bool) -> dict[str, Any]:
    return json_api(dashboard=dashboard).openapi()


def operations(dashboard: bool) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", operation)
        for path, found in document(dashboard)["paths"].items()
        for method, operation in found.items()
        if method in METHODS
    ]


@pytest.mark.parametrize("dashboard", [False, True])
def test_groups_have_titles(dashboard: bool) -> None:
    """Each group is described once, and each operation is in one of them."""
    tags = [tag["name"] for tag in document(dashboard)["tags"]]

    assert len(set(tags)) == len(tags)
    assert all(tag["description"] for tag in document(dashboard)["tags"])
    assert {tag for _, operation in operations(dashboard) for tag in operation["tags"]} == set(tags)
    assert not [tag for tag in tags if re.search(r"_|^[a-z]", tag)]


def test_every_group_is_used() -> None:
    assert [tag["name"] for tag in document(True)["tags"]] == [title for title, _ in TAGS.values()]


@pytest.mark.parametrize("dashboard", [False, True])
def test_every_answer_is_described(dashboard: bool) -> None:
    """Every response has a schema or another media type, and a description of its own."""
    for name, operation in operations(dashboard):
        for status, answer in operation["responses"].items():
            assert answer["description"] != "Successful Response", name
            content = answer.get("content", {})
            if status in ("200", "201", "202") and not name.endswith(("authorize", "logout")):
                assert content, name
                assert content.get("application/json", {"schema": 1}).get("schema"), name


@pytest.mark.parametrize("dashboard", [False, True])
def test_every_reference_leads_somewhere(dashboard: bool) -> None:
    names = re.findall(r"'#/components/schemas/(\w+)'", str(document(dashboard)))

    assert set(names) <= document(dashboard)["components"]["schemas"].keys()


def test_credentials_are_described() -> None:
    """Every operation says which credential it needs: of the caller, of a client, or none."""
    schemes = document(True)["components"]["securitySchemes"]
    found = {name: operation.get("security") for name, operation in operations(True)}

    assert all(scheme["description"] for scheme in schemes.values())
    assert "Authorization: Bearer" in document(True)["info"]["description"]
    assert document(True)["security"] == [{"bearer": []}, {"session": []}]
    assert found["post /api/auth/signin"] == []
    assert found["get /oauth2/jwks.json"] == []
    assert found["get /api/users"] is None
    assert found["get /api/applications/{slug}/users"] is None
    assert {name for each in found.values() for one in each or () for name in one} <= set(schemes)


@pytest.mark.parametrize("id", sorted(EXAMPLES))
def test_examples_are_accepted(id: str) -> None:
    """Each example is accepted by its contract."""
    shown = [operation for _, operation in operations(True) if operation.get("operationId") == id]
    assert len(shown) == 1
    body = shown[0]["requestBody"]["content"]["application/json"]
    assert body["example"] == EXAMPLES[id]
    name = body["schema"]["$ref"].rsplit("/", 1)[-1].removesuffix("Sent")
    models = {base.__name__: base for one in CONTRACTS.values() for base in one.__mro__}
    model = models[name]
    assert issubclass(model, BaseModel)
    model.model_validate(EXAMPLES[id], extra="forbid")


def test_docs_show_an_operation_once() -> None:
    """An operation for this host and for other applications is one entry with both paths."""
    groups = reference._groups(document(True))
    shown = [one for _, _, found in groups for one in found]
    paths = [path for one in shown for path in (one.path, one.also) if path]

    assert len(groups) == len(TAGS)
    assert len(paths) == len(operations(True))
    users = next(one for one in shown if (one.method, one.path) == ("GET", "/api/users"))
    assert users.also == "/api/applications/{slug}/users"


@pytest.mark.parametrize("dashboard", [False, True])
def test_an_operation_id_stands_once(dashboard: bool) -> None:
    """Generated clients name their methods by the operation's id."""
    ids = [
        operation["operationId"]
        for _, operation in operations(dashboard)
        if "operationId" in operation
    ]
    assert [id for id, count in Counter(ids).items() if count > 1] == []
