"""A process dies under load: requests fail cleanly, and everything recovers without a restart by
hand.

The product runs as `aero2 up` starts it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from tests.kit.system import PASSWORD, System, fresh_email

from common.events.base import AuditEvent

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

CLEAN = {200, 429, 503, 504}
"""Statuses that a request may have while a process is down."""
WELL = 15
"""As many answers of each kind in a row show that everything has recovered."""


@dataclass
class Load:
    """Sends one request again and again, and keeps the responses."""

    system: System
    name: str
    answers: list[tuple[float, int, str]] = field(default_factory=list)
    stop: bool = False

    async def run(self) -> None:
        async with self.system.backend() as http:
            while not self.stop:
                self.answers.append((time.monotonic(), *await self._once(http)))
                await asyncio.sleep(0.02)

    async def _once(self, http: httpx.AsyncClient) -> tuple[int, str]:
        demo = self.system.demo
        try:
            if self.name == "token":
                answer = await http.post(
                    "/oauth2/token",
                    data={"grant_type": "client_credentials"},
                    auth=(demo["client_id"], demo["client_secret"]),
                )
            else:
                answer = await http.get({"log": "/api/audit", "users": "/api/users"}[self.name])
        except httpx.TransportError as error:
            return 0, type(error).__name__
        return answer.status_code, answer.text

    def well_since(self, moment: float) -> bool:
        late = [status for at, status, _ in self.answers if at > moment][-WELL:]
        return len(late) == WELL and set(late) == {200}


@pytest.mark.parametrize("victim", ["nats", "postgres", "tenancy", "identity", "oidc", "rbac"])
async def test_it_recovers_by_itself(fragile: System, victim: str) -> None:
    """After a SIGKILL under load every response is a clean refusal, without a bare 500 or a hang.
    Then it is 200 again."""
    loads = [Load(fragile, name) for name in ("token", "log", "users")]
    tasks = [asyncio.create_task(load.run()) for load in loads]
    await _until(loads, time.monotonic())
    fragile.deployment.kill(victim)
    killed = time.monotonic()
    await _until(loads, killed + 1.0)
    took = time.monotonic() - killed
    for load in loads:
        load.stop = True
    await asyncio.gather(*tasks)

    for load in loads:
        seen = Counter(status for _, status, _ in load.answers)
        odd = [(s, text[:300]) for _, s, text in load.answers if s not in CLEAN]
        assert odd == [], (load.name, seen)
        for _, status, text in load.answers:
            assert "Traceback" not in text
            if status == 503:
                assert '"code"' in text or '"error"' in text
    assert took < 30


async def _until(loads: list[Load], moment: float, within: float = 60.0) -> None:
    ends = time.monotonic() + within
    while not all(load.well_since(moment) for load in loads):
        if time.monotonic() > ends:
            seen = {
                load.name: Counter(s for at, s, _ in load.answers if at > moment) for load in loads
            }
            raise AssertionError(f"not well after {within} s: {seen}")
        await asyncio.sleep(0.05)


async def test_a_dead_gateway_comes_back(fragile: System) -> None:
    """Connections break while the gateway is down. Its port answers again within seconds."""
    fragile.deployment.kill("gateway")
    ends = time.monotonic() + 30
    async with fragile.backend() as http:
        while time.monotonic() < ends:
            try:
                if (await http.get("/api/audit")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)
    pytest.fail("the gateway did not come back")


async def test_every_sign_in_is_in_the_log_once_whatever_died(fragile: System) -> None:
    """Users sign up while identity and NATS are killed. Each session has exactly one `login` on the
    stream, and no other `login` is there."""
    signed: list[str] = []

    async def sign_up() -> None:
        email = fresh_email()
        async with fragile.browser() as ada:
            try:
                await ada.sign_up(email, PASSWORD)
                me = await ada.http.get("/api/auth/session")
            except (AssertionError, httpx.TransportError):
                return  # A clean refusal or a broken connection: the user may try again.
            if me.status_code == 200:
                signed.append(me.json()["user_id"])

    async def trouble() -> None:
        for victim in ("identity", "nats"):
            await asyncio.sleep(1.0)
            fragile.deployment.kill(victim)
            await asyncio.sleep(3.0)

    await asyncio.gather(trouble(), *(sign_up() for _ in range(6)))
    for _ in range(30):  # until one more user is signed in
        before = len(signed)
        await sign_up()
        if len(signed) > before:
            break
    last = signed[-1]
    ends = time.monotonic() + 20
    logins: list[str | None] = []
    while time.monotonic() < ends and last not in logins:
        async with fragile.bus() as nc:
            js = nc.jetstream()
            sub = await js.subscribe(
                f"audit.*.{fragile.demo['app_id']}.batch", stream="AUDIT", ordered_consumer=True
            )
            info = await sub.consumer_info()
            found = [await sub.next_msg(timeout=3) for _ in range(info.num_pending or 0)]
        logins = [user for message in found for user in _signed_in(message.data)]
    counted = Counter(logins)

    assert {user: counted[user] for user in signed} == dict.fromkeys(signed, 1)


def _signed_in(data: bytes) -> Iterator[str | None]:
    """Yields the user of each sign-in in a message."""
    for event in map(AuditEvent.model_validate_json, data.split(b"\n")):
        if event.event_type == "login":
            yield event.user_id
