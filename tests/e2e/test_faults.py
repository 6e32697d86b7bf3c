"""A process dies under load: requests fail cleanly, and everything recovers without a restart by
hand.

The product runs as `aero2 up` starts it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
from tests.kit.fault_report import FaultReport
from tests.kit.recorded_load import RecordedLoad
from tests.kit.system import PASSWORD, System, fresh_email

from common.events.base import AuditEvent

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

KINDS = ("tokens", "log", "lists")
"""Requests that need oidc, tenancy and identity, and rbac for their rights."""
WELL = 15
"""As many answers of each kind in a row show that everything has recovered."""
ROWS = {
    "nats": "F7",
    "postgres": "F11",
    "tenancy": "F5",
    "identity": "F2",
    "oidc": "F3",
    "rbac": "F4",
}


@pytest.mark.parametrize(
    "victim", [pytest.param(victim, marks=pytest.mark.fault(row)) for victim, row in ROWS.items()]
)
async def test_it_recovers_by_itself(fragile: System, fault: FaultReport, victim: str) -> None:
    """After a SIGKILL under load every response is a success or a clean refusal, without a bare 500 or a
    hang. Then each is a success again. Connections break only if they led to the victim."""
    fault.watch(fragile)
    load = RecordedLoad(fragile, workers=1, kinds=KINDS, history=fault.history, pause=0.02)
    async with load.running():
        fault.strike()
        fragile.deployment.kill(victim)
        await fault.works_again(load.kinds, times=WELL)

    assert load.wrong == []
    if not fragile.deployment.serves_clients(victim):
        said = {name for seen in load.statuses.values() for name in seen}
        assert all(name == "ok" or name.isdigit() for name in said), load.statuses
    await fault.settle()


@pytest.mark.fault("F1")
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


@pytest.mark.fault("F2", "F7")
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
