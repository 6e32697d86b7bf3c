"""Signed authorization responses (JARM)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import jwt
import pytest
import pytest_asyncio
from tests.kit.factories import CALLBACK
from tests.kit.oauth import ORIGIN, fields
from tests.kit.postgres import Postgres
from tests.kit.world import World
from tests.service.oidc.conftest import start_world

from common.context import SYSTEM_CALLER
from common.contracts.keys import EnsureKeys

MODES = {
    "jwt": "query",
    "query.jwt": "query",
    "fragment.jwt": "fragment",
    "form_post.jwt": "form_post",
}


@pytest_asyncio.fixture(scope="module")
async def shared(postgres: Postgres) -> AsyncIterator[World]:
    """An application that signs responses."""
    name = postgres.clone()
    world = await start_world(postgres.dsns(name))
    world.app_id = await world.application(signed_authorization_responses=True)
    await world.call(EnsureKeys(), SYSTEM_CALLER)
    yield world
    await world.close()
    postgres.drop(name)


@pytest.mark.parametrize(("mode", "way"), MODES.items())
async def test_the_answer_is_one_jwt(shared: World, mode: str, way: str) -> None:
    """It has issuer, audience, an end within ten minutes, and all parameters. None is outside."""
    client, ann = await shared.client(), await shared.person()
    answer = await shared.authorize(client, ann, response_mode=mode, state="mine")

    assert answer.kind == ("form_post" if way == "form_post" else "redirect")
    sign = {"query": "?", "fragment": "#", "form_post": ""}[way]
    assert str(answer.location).startswith(f"{CALLBACK}{sign}")
    assert fields(answer).keys() == {"response"}
    claims = await shared.claims(fields(answer)["response"], client.client_id)
    assert claims.keys() == {"iss", "aud", "exp", "code", "state"}
    assert claims["iss"] == ORIGIN
    assert claims["state"] == "mine"
    assert claims["exp"] <= time.time() + 600
    assert (await shared.redeem(client, claims["code"])).id_token


@pytest.mark.parametrize("mode", MODES)
async def test_errors_are_in_it_too(shared: World, mode: str) -> None:
    client = await shared.client()
    answer = await shared.authorize(client, None, response_mode=mode, scope="openid phone")
    assert fields(answer).keys() == {"response"}
    claims = await shared.claims(fields(answer)["response"], client.client_id)
    assert (claims["error"], claims["state"]) == ("invalid_scope", "st")
    assert claims["error_description"]
    assert "code" not in claims


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA", None])
async def test_the_client_chooses_the_algorithm(shared: World, alg: str | None) -> None:
    """RS256 is the default (JARM section 3)."""
    client = await shared.client(authorization_signed_response_alg=alg)
    answer = await shared.authorize(client, None, response_mode="jwt", prompt="none")
    response = fields(answer)["response"]
    assert jwt.get_unverified_header(response)["alg"] == (alg or "RS256")
    assert (await shared.claims(response, client.client_id))["error"] == "login_required"


async def test_a_form_that_was_sent_twice_has_one_code(shared: World) -> None:
    """The second JWT has the code of the first."""
    client, ann = await shared.client(first_party=False), await shared.person()
    waiting = await shared.authorize(client, ann, response_mode="jwt")
    codes = []
    for _ in range(2):
        answer = await shared.resume(waiting.request, ann, consent="allow")
        claims = await shared.claims(fields(answer)["response"], client.client_id)
        codes.append(claims["code"])
    assert codes[0] == codes[1]


@pytest.mark.parametrize("mode", MODES)
async def test_an_application_has_it_switched_off(world: World, mode: str) -> None:
    """That is the default: the mode is unknown."""
    client = await world.client()
    answer = fields(await world.authorize(client, None, response_mode=mode))
    assert answer["error"] == "invalid_request"
