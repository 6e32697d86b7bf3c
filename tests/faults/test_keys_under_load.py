"""Signing keys are replaced again and again, while clients verify every token with the keys that they cache."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator

import httpx
import jwt
import pytest
from tests.kit.deployments import Shape
from tests.kit.fault_report import FaultReport
from tests.kit.history import Act
from tests.kit.system import System

pytestmark = [pytest.mark.long, pytest.mark.timeout(400), pytest.mark.fault("F21")]

ROTATIONS = 6


@pytest.fixture(scope="module")
def rotating(shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    running = System.start(shape, tmp_path_factory.mktemp("rotating") / "data")
    yield running
    running.stop()


class RelyingParty:
    """Verifies tokens as libraries do: it caches the keys, and fetches them again for an unknown one."""

    def __init__(self, system: System, http: httpx.AsyncClient) -> None:
        self.system, self.http = system, http
        self.keys: dict[str, jwt.PyJWK] = {}
        self.verified: set[str] = set()

    async def token(self) -> str:
        demo = self.system.demo
        answer = await self.http.post(
            "/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(demo["client_id"], demo["client_secret"]),
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def verify(self, token: str) -> None:
        """Raises what PyJWT raises, and KeyError if the key is not published."""
        kid = jwt.get_unverified_header(token)["kid"]
        if kid not in self.keys:
            published = (await self.http.get("/oauth2/jwks.json")).json()
            self.keys = {key["kid"]: jwt.PyJWK(key) for key in published["keys"]}
        key = self.keys[kid]
        jwt.decode(token, key, algorithms=[key.algorithm_name], options={"verify_aud": False})
        self.verified.add(kid)


async def rotate(system: System) -> None:
    done: subprocess.CompletedProcess[str] = await asyncio.to_thread(
        system.deployment.command, "keys", "rotate", system.demo["slug"], "--now"
    )
    assert done.returncode == 0, done.stderr


async def test_no_token_fails_to_verify(rotating: System, fault: FaultReport) -> None:
    """With each rotation the next token has another key, which every client finds at once. Tokens of the keys
    before still verify, also for a client that has just started."""
    fault.watch(rotating)
    going, failures, old = True, list[str](), list[str]()

    async def verify_all() -> set[str]:
        async with rotating.http() as http:
            party = RelyingParty(rotating, http)
            while going:
                operation = fault.history.invoke("tokens", Act.ASK)
                token = await party.token()
                try:
                    await party.verify(token)
                except (jwt.PyJWTError, KeyError) as error:
                    failures.append(f"{type(error).__name__}: {error}")
                operation.ok()
        return party.verified

    tasks = [asyncio.create_task(verify_all()) for _ in range(4)]
    async with rotating.http() as http:
        for _ in range(ROTATIONS):
            old.append(await RelyingParty(rotating, http).token())
            await rotate(rotating)
        going = False
        seen = await asyncio.gather(*tasks)
        for token in old:
            await RelyingParty(rotating, http).verify(token)

    assert failures == []
    assert all(len(kids) >= 2 for kids in seen), seen
    await fault.settle()
