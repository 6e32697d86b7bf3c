"""Floods against the running platform, with its default limits."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator

import asyncpg
import httpx
import pytest
from tests.kit.deployments import Shape
from tests.kit.system import System

from aero2.demo import CALLBACKS
from gateway.admission.flood_limits import CLIENT_SECRET_FAILURE, PENDING_AUTHORIZATION
from gateway.admission.token_bucket import Limit

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def limited(shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A deployment of its own, because a client that is limited here stays limited for a while."""
    running = System.start(shape, tmp_path_factory.mktemp("limited") / "data", limit_scale="1")
    yield running
    running.stop()


def most(limit: Limit, started: float) -> int:
    """Returns the largest number of requests that may have passed since then."""
    return int(limit.burst + limit.rate * (time.monotonic() - started)) + 1


async def rows(system: System) -> int:
    db = await asyncpg.connect(system.deployment.owner_dsn())
    try:
        return int(await db.fetchval("SELECT count(*) FROM authorization_requests"))
    finally:
        await db.close()


def authorize(system: System) -> dict[str, str]:
    return {
        "client_id": system.demo["client_id"],
        "redirect_uri": CALLBACKS[0],
        "response_type": "code",
        "scope": "openid",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    }


async def test_a_flood_of_authorization_requests_stops_making_rows(limited: System) -> None:
    """Pending requests of one network stay within a limit. Signed-in users and machines are not
    affected."""
    asked, started = authorize(limited), time.monotonic()
    answers: Counter[int] = Counter()

    async def flood(count: int) -> None:
        async with limited.http() as http:
            for _ in range(count):
                answers[(await http.get("/oauth2/authorize", params=asked)).status_code] += 1

    await asyncio.gather(*(flood(PENDING_AUTHORIZATION.burst // 2) for _ in range(8)))
    made = await rows(limited)

    assert answers.keys() == {303, 429}
    assert PENDING_AUTHORIZATION.burst <= made <= most(PENDING_AUTHORIZATION, started)
    assert made == answers[303]
    async with limited.backend() as backend:
        assert (await backend.get("/api/users")).status_code == 200
        assert "x-ratelimit-limit" not in (await backend.get("/api/users")).headers


async def test_guessed_secrets_do_not_shut_the_client_out(limited: System) -> None:
    """Wrong secrets from the client's own address are soon refused. The client itself still gets
    every token."""
    demo, started = limited.demo, time.monotonic()
    form = {"grant_type": "client_credentials"}

    async def ask(http: httpx.AsyncClient, secret: str) -> httpx.Response:
        return await http.post("/oauth2/token", data=form, auth=(demo["client_id"], secret))

    async with limited.http() as http:
        assert (await ask(http, demo["client_secret"])).status_code == 200

        async def guess() -> list[int]:
            return [(await ask(http, f"cs_{number}")).status_code for number in range(30)]

        async def work() -> list[int]:
            return [(await ask(http, demo["client_secret"])).status_code for _ in range(200)]

        guesses, others, *worked = await asyncio.gather(guess(), guess(), work(), work(), work())
        answers = Counter(guesses + others)

        assert worked == [[200] * 200] * 3
        assert answers.keys() <= {401, 429, 503}
        assert (
            0 < answers[401] <= most(CLIENT_SECRET_FAILURE, started) + 1
        )  # two guesses that were sent before
        refused = await ask(http, "cs_again")
        if refused.status_code == 429:
            assert refused.json()["error"] == "slow_down"
            assert int(refused.headers["retry-after"]) >= 1
