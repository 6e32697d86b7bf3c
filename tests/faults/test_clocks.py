"""Clocks of processes differ, or jump. The database's clock decides when something ends."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from tests.kit.fault_report import FaultReport
from tests.kit.history import ABSENT, Act
from tests.kit.recorded_load import KINDS, RecordedLoad
from tests.kit.skewed_clocks import SkewedClocks
from tests.kit.system import PASSWORD, fresh_email

from aero2.nats_access import SERVICES

pytestmark = [pytest.mark.long, pytest.mark.timeout(300), pytest.mark.fault("F18")]

CALLBACK = "https://rp.example.com/cb"
ALL_KINDS = (*KINDS, "tokens", "log", "lists")
WITHIN = 60.0
"""Seconds, long enough for a busy machine."""


@pytest.fixture(scope="module")
def clocks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SkewedClocks]:
    """A deployment of these tests' own, whose codes live for five seconds."""
    clocks = SkewedClocks.start(tmp_path_factory.mktemp("clocks"), AERO2_CODE_LIFETIME="5")
    yield clocks
    clocks.system.stop()


@pytest.fixture(autouse=True)
def right_clocks(clocks: SkewedClocks) -> Iterator[None]:
    yield
    clocks.set_right()


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


async def client_of(clocks: SkewedClocks) -> tuple[str, str]:
    """Creates a client whose access tokens live for a minute."""
    new = {
        "name": "RP",
        "redirect_uris": [CALLBACK],
        "require_pkce": False,
        "first_party": True,
        "access_token_lifetime": 60,
        "id_token_lifetime": 60,
    }
    async with clocks.system.backend() as api:
        made = (await api.post("/api/clients", json=new)).json()
    return made["client_id"], made["client_secret"]


async def code_of(clocks: SkewedClocks, client: tuple[str, str]) -> str:
    email = fresh_email()
    new = {"email": email, "email_verified": True, "password": PASSWORD}
    query = {
        "client_id": client[0],
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid offline_access",
    }
    async with clocks.system.backend() as api, clocks.system.browser() as browser:
        assert (await api.post("/api/users", json=new)).status_code == 201
        await browser.sign_in(email, PASSWORD)
        page = await browser.get(f"/oauth2/authorize?{urlencode(query)}")
    return parse_qs(urlsplit(page.url).query)["code"][0]


async def redeem(clocks: SkewedClocks, client: tuple[str, str], code: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    async with clocks.system.http() as http:
        return await http.post("/oauth2/token", data=form, auth=client)


async def userinfo(clocks: SkewedClocks, token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    async with clocks.system.http() as http:
        return (await http.get("/oauth2/userinfo", headers=headers)).status_code


async def until_status(clocks: SkewedClocks, token: str, *wanted: int) -> None:
    ends = time.monotonic() + WITHIN
    while (status := await userinfo(clocks, token)) not in wanted:
        assert time.monotonic() < ends, status
        await asyncio.sleep(0.2)


@pytest.mark.parametrize("seconds", [-90, 90])
@pytest.mark.parametrize("service", SERVICES)
async def test_ninety_seconds_are_no_fault(
    clocks: SkewedClocks, fault: FaultReport, service: str, seconds: int
) -> None:
    """One process is 90 seconds ahead or behind, which is longer than its access tokens live. Every kind of request succeeds, nothing is refused, and
    the times in tokens are those of the database."""
    fault.watch(clocks.system)
    clocks.set(service, seconds)
    load = RecordedLoad(clocks.system, workers=1, kinds=ALL_KINDS, history=fault.history)
    async with load.running():
        await load.works_again(times=5)
    client = await client_of(clocks)
    answer = await redeem(clocks, client, await code_of(clocks, client))
    tokens = answer.json()

    assert answer.status_code == 200, answer.text
    assert {kind: set(seen) for kind, seen in load.statuses.items()} == {
        kind: {"ok"} for kind in ALL_KINDS
    }
    for token in (tokens["access_token"], tokens["id_token"]):
        claims = claims_of(token)
        assert abs(claims["iat"] - time.time()) < 45
        assert claims["exp"] - claims["iat"] == 60
    assert await userinfo(clocks, tokens["access_token"]) == 200
    await load.compare()
    await fault.settle()


@pytest.mark.parametrize("seconds", [-600, 600])
async def test_ten_minutes_are_refused(
    clocks: SkewedClocks, fault: FaultReport, seconds: int
) -> None:
    """The clock of oidc jumps by ten minutes. It refuses requests with 503 and says why in its log, and no
    token is accepted that has expired. Once the clock is right it works again by itself."""
    fault.watch(clocks.system)
    client = await client_of(clocks)
    token = (await redeem(clocks, client, await code_of(clocks, client))).json()["access_token"]
    assert await userinfo(clocks, token) == 200
    clocks.set("oidc", seconds)
    fault.strike()
    await until_status(clocks, token, 503, 401)
    expires = claims_of(token)["exp"]
    while time.time() < expires + 5:
        use = fault.history.invoke("uses a token", Act.ASK)
        status = await userinfo(clocks, token)
        assert status in (401, 503), "a clock that is behind lets a token live longer"
        use.refused(status, "")
        await asyncio.sleep(1)
    log = (clocks.system.deployment.folder / "logs" / "oidc.log").read_text()
    assert '"clock is wrong"' in log

    clocks.set_right()
    load = RecordedLoad(clocks.system, workers=1, kinds=("tokens",), history=fault.history)
    async with load.running():
        await load.works_again()
    assert await userinfo(clocks, token) == 401
    await fault.settle()


@pytest.mark.parametrize("service", ["gateway", "identity", "oidc"])
async def test_a_jump_back_makes_no_code_good_again(
    clocks: SkewedClocks, fault: FaultReport, service: str
) -> None:
    """A code is used, and another one expires. Then the clock of a process jumps back by 90 seconds. Neither
    code gives tokens."""
    fault.watch(clocks.system)
    client = await client_of(clocks)
    used, expired = await code_of(clocks, client), await code_of(clocks, client)
    taken = fault.history.invoke("codes", Act.TAKE, used, ABSENT)
    answer = await redeem(clocks, client, used)
    assert answer.status_code == 200, answer.text
    taken.ok("the first")
    await asyncio.sleep(6)
    clocks.set(service, -90)
    for code in (used, expired):
        again = fault.history.invoke("codes", Act.TAKE, code, ABSENT)
        answer = await redeem(clocks, client, code)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        again.fail()
    await fault.settle()
