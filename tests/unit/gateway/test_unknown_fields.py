"""The API refuses unknown fields and parameters by their name."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from tests.kit.fake_services import FakeServices

from common.context import Context
from common.contracts.clients import Client, ClientFields, GetClient, UpdateClient
from common.contracts.profiles import MyChanges
from common.contracts.user_import import ImportUsers, TransferredUsers
from common.contracts.users import CreateUser
from common.ids import new_id
from common.problems import Forbidden
from common.unknown_fields import unknown_fields
from gateway.api.fastapi_app import json_api
from gateway.api.route_sets import ROUTE_SETS
from gateway.routing import HostKind

KEY = {"authorization": "Bearer sk_live_1"}
PUBLISHABLE_KEY = {"authorization": "Bearer pk_live_1"}


def _operations() -> list[tuple[str, str]]:
    """Returns every operation of an application's host."""
    return sorted(
        (method, f"/api{route.path}")
        for routes in ROUTE_SETS
        if routes.router is not None and routes.host is HostKind.APPLICATION
        for route in routes.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    )


@pytest.fixture(autouse=True)
def key(world: FakeServices) -> None:
    demo = world.add("demo", guests=True)
    world.key(demo, "sk_live_1")
    world.key(demo, "pk_live_1")


def _key(path: str) -> dict[str, str]:
    """Returns the key that this operation accepts."""
    return PUBLISHABLE_KEY if path == "/api/auth/guest" else KEY


def _errors(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {error["field"]: error["message"] for error in answer.json()["errors"]}


@pytest.mark.parametrize(("method", "path"), [one for one in _operations() if one[0] != "GET"])
async def test_no_operation_takes_a_field_that_it_does_not_know(
    http: httpx.AsyncClient, method: str, path: str
) -> None:
    """An unknown field is refused and no service is called. A body where none is expected is
    refused too. The answer does not repeat the value."""
    path = re.sub(r"\{[^}]+\}", new_id(), path)

    answer = await http.request(method, path, json={"zzyzx": "hunter2"}, headers=_key(path))

    assert "zzyzx" in _errors(answer)
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(("method", "path"), _operations())
async def test_no_operation_takes_a_parameter_that_it_does_not_know(
    http: httpx.AsyncClient, method: str, path: str
) -> None:
    """An unknown query parameter is refused. Otherwise a mistyped filter could widen a DELETE."""
    path = re.sub(r"\{[^}]+\}", new_id(), path)

    answer = await http.request(method, path, params={"zzyzx": "hunter2"}, headers=_key(path))

    assert _errors(answer)["zzyzx"] == "There is no such parameter."
    assert "hunter2" not in answer.text


async def test_the_name_that_was_meant_is_told(
    http: httpx.AsyncClient, world: FakeServices
) -> None:
    """The error proposes a similar name, and says if a field is read-only. Other errors are in the
    same answer."""

    async def get(_: FakeServices, ctx: Context, one: GetClient) -> Client:
        return Client(**_CLIENT)

    world.bus.serve(world, {GetClient: get})
    answer = await http.patch(
        "/api/clients/x", json={"disabled": True, "id": "x", "type": "robot"}, headers=KEY
    )
    listed = await http.delete("/api/clients/x/grants?userid=1", headers=KEY)

    found = _errors(answer)
    assert found["disabled"] == "There is no such field. Did you mean enabled?"
    assert found["id"] == "This field can be read but not set."
    assert "'web'" in found["type"]
    assert _errors(listed) == {"userid": "There is no such parameter. Did you mean user_id?"}


async def test_who_may_not_call_learns_that_first(http: httpx.AsyncClient) -> None:
    """Without a credential the answer is 401, whatever the body contains."""
    answer = await http.post("/api/clients", json={"zzyzx": 1})

    assert answer.status_code == 401


async def test_a_flood_of_names_is_not_told_back(http: httpx.AsyncClient) -> None:
    """The answer names at most twenty fields, each cut short."""
    body = {f"{n}{'x' * 500}": 1 for n in range(500)}

    answer = await http.post("/api/roles", json={"name": "R", **body}, headers=KEY)

    assert len(_errors(answer)) == 20
    assert len(answer.content) < 4000


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("1" + "0" * 30, "user_metadata.a.1"),
        ("-" + "9" * 20, "user_metadata.a.1"),
        ("NaN", "user_metadata.a.1"),
        ("-Infinity", "user_metadata.a.1"),
        ("1e999", "user_metadata.a.1"),
        ("7" * 400 + ".5", "user_metadata.a.1"),
        ("[" * 300 + "]" * 300, "body"),
        ('"\\ud800"', "user_metadata.a.1"),
        ('{"\\udfff": 1}', "user_metadata.a.1.?"),
    ],
)
async def test_what_cannot_be_kept_as_it_was_sent_is_refused(
    http: httpx.AsyncClient, value: str, place: str
) -> None:
    """NaN, numbers beyond 64 bits and lone surrogates are refused, in open objects too. Python
    could read them, but NaN would become null."""
    body = f'{{"user_metadata": {{"a": [0, {value}]}}}}'
    headers = KEY | {"content-type": "application/json"}
    answer = await http.put("/api/users/me", content=body.encode(), headers=headers)

    assert list(_errors(answer)) == [place]


async def test_words_that_look_like_no_numbers_are_words(http: httpx.AsyncClient) -> None:
    """The text "Infinity" is accepted as a text."""
    sent = {"user_metadata": {"NaN": "Infinity", "n" * 100: [2**63, 1e300]}, "zzyzx": 1}
    answer = await http.put("/api/users/me", json=sent, headers=KEY)

    assert list(_errors(answer)) == ["zzyzx"]


async def test_a_name_that_is_no_text_is_refused_like_any_other(http: httpx.AsyncClient) -> None:
    """A name with a lone surrogate is refused, and the error shows `?` instead."""
    headers = KEY | {"content-type": "application/json"}
    answer = await http.put("/api/clients/x", content=b'{"\\ud800": 1}', headers=headers)

    assert "?" in _errors(answer)


async def test_changes_of_a_client_arrive_as_they_were_sent(
    http: httpx.AsyncClient, world: FakeServices
) -> None:
    """Absent fields stay absent, null stays null, and open objects stay open."""
    sent = {"jwks": None, "claims_mapping": {"anything": "user.name"}, "enabled": False}
    asked: list[UpdateClient] = []

    async def update(_: FakeServices, ctx: Context, one: UpdateClient) -> Client:
        asked.append(one)
        return Client(**_CLIENT)

    world.bus.serve(world, {UpdateClient: update})
    answer = await http.patch("/api/clients/x", json=sent, headers=KEY)

    assert answer.status_code == 200
    assert asked[0].changes == sent


_CLIENT: dict[str, Any] = {
    "id": new_id(),
    "client_id": "client_x",
    "name": "X",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
}


async def test_what_can_only_be_read_may_come_back_unchanged(
    http: httpx.AsyncClient, world: FakeServices
) -> None:
    """A PUT with the response of GET changes nothing: read-only fields with the same value are
    ignored. With another value each one is refused by its name, and nothing is changed."""
    asked: list[UpdateClient] = []

    async def get(_: FakeServices, ctx: Context, one: GetClient) -> Client:
        return Client(**_CLIENT)

    async def update(_: FakeServices, ctx: Context, one: UpdateClient) -> Client:
        asked.append(one)
        return Client(**_CLIENT)

    world.bus.serve(world, {GetClient: get, UpdateClient: update})
    present = (await http.get("/api/clients/x", headers=KEY)).json()
    answer = await http.put("/api/clients/x", json=present, headers=KEY)
    other = {**present, "id": new_id(), "created_at": None}
    refused = await http.patch("/api/clients/x", json=other, headers=KEY)

    assert answer.status_code == 200, answer.text
    assert not {"id", "client_id", "created_at", "updated_at"} & asked[0].changes.keys()
    assert asked[0].changes["name"] == "X"
    assert _errors(refused) == dict.fromkeys(
        ["id", "created_at"], "This field can be read but not set."
    )
    assert len(asked) == 1


async def test_what_the_caller_cannot_read_is_not_compared(
    http: httpx.AsyncClient, world: FakeServices
) -> None:
    """A read-only value that the caller may not read is not compared, since a change would confirm
    a guess."""

    async def forbidden(_: FakeServices, ctx: Context, one: GetClient) -> Client:
        raise Forbidden

    world.bus.serve(world, {GetClient: forbidden})
    answer = await http.put("/api/clients/x", json={"id": _CLIENT["id"]}, headers=KEY)

    assert _errors(answer) == {"id": "This field can be read but not set."}


@pytest.mark.parametrize(
    ("kind", "sent", "places"),
    [
        (CreateUser, {"profile": {"nam": "Ada"}}, ["profile.nam"]),
        (CreateUser, {"private_metadata": {"any": {"thing": 1}}}, []),
        (ImportUsers, {"users": [{"emial": "x"}], "dry": True}, ["dry"]),
        (TransferredUsers, {"users": [{"email": "a@b.c"}, {"emial": "x"}]}, ["users.1.emial"]),
        (MyChanges, {"address": {"country": "DE", "planet": "Earth"}}, ["address.planet"]),
        (ClientFields, {"jwks": {"keys": [{"kty": "EC"}]}, "claims_mapping": {"x": 1}}, []),
        (ClientFields, ["no", "object"], []),
    ],
)
def test_unknown_names_are_found_at_any_depth(kind: Any, sent: Any, places: list[str]) -> None:
    """Unknown names are found in nested models and lists, but not in objects that are open."""
    assert [one.place + one.name for one in unknown_fields(kind, sent)] == places


@pytest.mark.parametrize("dashboard", [False, True])
def test_the_document_says_that_bodies_are_closed(dashboard: bool) -> None:
    """Every body has additionalProperties: false, nested ones too. Responses have not, because they
    may grow. Of clients that register themselves, unknown members are ignored (RFC 7591 section 2)."""
    document = json_api(dashboard=dashboard).openapi()
    schemas = document["components"]["schemas"]
    closed = {name for name, one in schemas.items() if one.get("additionalProperties") is False}
    operations = [one for path in document["paths"].values() for one in path.values()]
    sent = [one["requestBody"]["content"] for one in operations if "requestBody" in one]
    answered = str([one["responses"] for one in operations])

    bodies = {
        body["application/json"]["schema"]["$ref"] for body in sent if "application/json" in body
    }
    assert bodies
    names = {ref.rsplit("/", 1)[-1] for ref in bodies}
    # Unknown members are ignored by RFC 7591 and by AuthZEN.
    open_bodies = {"ClientMetadata", "AuthzenEvaluation", "AuthzenEvaluations"}
    assert names - open_bodies <= closed
    assert "TransferredUser-Input" in closed or dashboard
    assert not {name for name in closed if f"/{name}'" in answered}


async def test_a_name_stands_once(http: httpx.AsyncClient) -> None:
    """A name that is given twice is refused, in a body and in the query."""
    body = b'{"name": "A", "name": "B"}'
    json = {**KEY, "content-type": "application/json"}
    posted = await http.post("/api/organizations", content=body, headers=json)
    listed = await http.get("/api/users?limit=1&limit=2", headers=KEY)

    assert _errors(posted) == {"name": "This name occurs twice in the same object."}
    assert _errors(listed) == {"limit": "Send this parameter only once."}
