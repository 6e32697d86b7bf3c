"""A NATS server that leads the stream is killed under sign-ins."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx
import orjson
import pytest
from nats.js import JetStreamContext
from nats.js.api import DeliverPolicy
from tests.kit.nats_cluster import (
    NAMES,
    NatsCluster,
    all_current,
    jetstream_ready,
    leader_of,
    nats_cluster,
    stream_info,
)
from tests.kit.nats_server import until
from tests.kit.services_on_cluster import ServicesOnCluster, started
from tests.kit.system import Browser, System

from aero2.cluster_config import SYSTEM_USER
from aero2.cluster_state import wait_current
from aero2.demo import USER
from common.audit import STREAM

WORKERS = 4


@pytest.fixture(scope="module")
async def platform(
    module_database: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[NatsCluster, ServicesOnCluster]]:
    """Three NATS servers and the services on them."""
    with nats_cluster(tmp_path_factory.mktemp("nats")) as cluster:
        folder: Path = tmp_path_factory.mktemp("services")
        services = await started(cluster, module_database, folder)
        yield cluster, services
        await asyncio.to_thread(services.end)


@dataclass
class SignIns:
    """People who sign in again and again, and what they got."""

    system: System
    sessions: list[str] = field(default_factory=list)
    """Sessions that the API has confirmed."""
    failures: list[tuple[int, float, httpx.Response]] = field(default_factory=list)
    """The worker, the time and the answer of each failed sign-in."""
    going: bool = True

    async def work(self, worker: int) -> None:
        while self.going:
            await self.once(worker)

    async def once(self, worker: int) -> None:
        failed: list[httpx.Response] = []

        async def note(response: httpx.Response) -> None:
            if response.status_code >= 500:
                await response.aread()
                failed.append(response)

        demo = self.system.demo
        async with self.system.http("demo", event_hooks={"response": [note]}) as http:
            browser = Browser(self.system, self.system.origin("demo"), http)
            try:
                await browser.sign_in(USER, demo["user_password"])
                session = await http.get("/api/auth/session")
            except AssertionError:
                assert failed
            else:
                if not failed:
                    self.sessions.append(session.json()["id"])
        self.failures += [(worker, time.monotonic(), response) for response in failed]


async def logins(js: JetStreamContext) -> Counter[str]:
    """Returns how often the stream has a `login` of each session."""
    found: Counter[str] = Counter()
    info = await stream_info(js)
    assert info is not None
    subscription = await js.subscribe(
        "audit.>", stream=STREAM, ordered_consumer=True, deliver_policy=DeliverPolicy.ALL
    )
    for _ in range(info.state.messages):
        message = await subscription.next_msg(timeout=10)
        for event in map(orjson.loads, message.data.split(b"\n")):
            if event["event_type"] == "login":
                found[event["event_data"]["session_id"]] += 1
    await subscription.unsubscribe()
    return found


@pytest.mark.timeout(300)
async def test_the_stream_leader_is_killed_under_sign_ins(
    platform: tuple[NatsCluster, ServicesOnCluster],
) -> None:
    """At most one sign-in of each person fails, the one under way, with 503 and Retry-After. All others succeed
    while the server is away. Each session that was confirmed has one `login` on the stream, which has the whole
    queue after a moment, and three current copies when the server is back."""
    cluster, services = platform
    people = SignIns(System(services))
    nc = await cluster.connect("cli")
    js = nc.jetstream(timeout=5)
    await jetstream_ready(js)
    await all_current(js)
    workers = [asyncio.create_task(people.work(worker)) for worker in range(WORKERS)]
    await until(lambda: len(people.sessions) >= 2 * WORKERS)
    leader = await leader_of(js)
    killed = time.monotonic()
    cluster.stop(leader, how=signal.SIGKILL)
    before = len(people.sessions)
    await until(lambda: len(people.sessions) >= before + 3 * WORKERS)
    people.going = False
    await asyncio.gather(*workers)

    refused = [(answer.status_code, answer.text[:300]) for _, _, answer in people.failures]
    assert {status for status, _ in refused} <= {503}, refused
    assert all("retry-after" in answer.headers for _, _, answer in people.failures)
    assert all(at >= killed for _, at, _ in people.failures)
    assert set(Counter(worker for worker, _, _ in people.failures).values()) <= {1}, refused
    assert await leader_of(js) != leader
    owner = await asyncpg.connect(services.owner_dsn())

    async def none_waiting() -> bool:
        return not await owner.fetchval("SELECT count(*) FROM audit_outbox")

    await until(none_waiting)
    found = await logins(js)
    assert {session: found[session] for session in people.sessions} == dict.fromkeys(
        people.sessions, 1
    )
    assert max(found.values()) == 1
    await owner.close()
    cluster.start(leader)
    await all_current(js)
    await nc.close()


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_every_server_is_replaced_in_turn(
    platform: tuple[NatsCluster, ServicesOnCluster],
) -> None:
    """As docs/operating.md says: lame duck, stop, start, and the next one when `wait_current` says so. Only calls
    that are on their way between two servers when a service moves may fail, one for each person and server at most.
    Each sign-in has its event on the stream once (nats-server issue 5064, nats.py issue 868)."""
    cluster, services = platform
    people = SignIns(System(services))
    system = await cluster.connect(SYSTEM_USER)
    nc = await cluster.connect("cli")
    js = nc.jetstream(timeout=5)
    await jetstream_ready(js)
    workers = [asyncio.create_task(people.work(worker)) for worker in range(WORKERS)]
    for name in NAMES:
        before = len(people.sessions)
        await until(lambda before=before: len(people.sessions) >= before + WORKERS)
        await wait_current(system, 3, 120, print)
        await asyncio.to_thread(cluster.servers[name].leave)
        await asyncio.to_thread(cluster.start, name)
        state = await wait_current(system, 3, 120, print)
        assert state is not None, name
        assert cluster.monitor(name, "/healthz") == {"status": "ok"}
    people.going = False
    await asyncio.gather(*workers)

    refused = [line for line in services.lines("http") if line["status"] >= 500]
    assert {line["status"] for line in refused} <= {503, 504}, refused
    assert len(refused) <= len(NAMES) * WORKERS, refused
    owner = await asyncpg.connect(services.owner_dsn())

    async def none_waiting() -> bool:
        return not await owner.fetchval("SELECT count(*) FROM audit_outbox")

    await until(none_waiting)
    found = await logins(js)
    assert {session: found[session] for session in people.sessions} == dict.fromkeys(
        people.sessions, 1
    )
    await owner.close()
    await system.close()
    await nc.close()
