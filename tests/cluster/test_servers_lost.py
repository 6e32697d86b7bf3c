"""Servers are killed, paused, cut off, emptied or damaged. What the outbox was told to be on the stream is there."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import orjson
import pytest
from nats.js.errors import APIError
from tests.kit.nats_cluster import (
    AWAY,
    NAMES,
    NatsCluster,
    all_current,
    jetstream_ready,
    leader_of,
    nats_cluster,
    stream_info,
)
from tests.kit.nats_server import until
from tests.kit.outbox_post import Post

from aero2.cluster_config import SYSTEM_USER
from aero2.cluster_state import wait_current
from common.audit import MESSAGE_ID
from common.db import Database
from common.ids import DASHBOARD
from common.nats_client import NatsClient
from common.nats_reconnect import ReconnectPlan
from common.outbox import Relay, ensure_stream
from common.outbox_publisher import BatchPublisher
from tenancy.stream_refill import StreamRefill

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

BEGAN = datetime.now(UTC) - timedelta(hours=1)
prefixes = count()


def quiet(_: str) -> None:
    """Nobody reads the progress."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsCluster]:
    """Three servers for the module, in groups of their own if a firewall can be used."""
    with nats_cluster(tmp_path_factory.mktemp("cluster"), groups=os.geteuid() == 0) as running:
        yield running


@dataclass
class ClusterPost(Post):
    """A database whose relay sends to a stream with three copies."""

    names: list[str] = field(default_factory=list)
    """Events that were committed."""
    prefix: str = ""
    client: NatsClient = field(default_factory=NatsClient)
    """The same as `nc`, by its own type."""

    def new_relay(self) -> Relay:
        return Relay(self.relay_db, BatchPublisher(self.nc, self.js, "tenancy"), replicas=3)

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Commits events and relays them while the context is open. After it, all of them are on the stream."""
        going = True

        async def write(relay: Relay) -> None:
            while going:
                name = f"{self.prefix}.{len(self.names)}"
                await self.record(name)
                self.names.append(name)
                relay.wake()
                await asyncio.sleep(0.002)

        async with self.relay() as relay:
            writer = asyncio.create_task(write(relay))
            try:
                yield
            finally:
                going = False
                await writer
            relay.wake()
            await until(self.none_waiting, within=120)

    async def more(self, number: int = 100) -> None:
        """Waits until so many more events are committed."""
        target = len(self.names) + number
        await until(lambda: len(self.names) >= target)

    async def sent(self) -> None:
        """Waits until one more message is on the stream."""
        info = await stream_info(self.js)
        target = (info.state.last_seq if info else 0) + 1

        async def reached() -> bool:
            now = await stream_info(self.js)
            return now is not None and now.state.last_seq >= target

        await until(reached, within=120)

    async def check(self) -> None:
        """Every event that was committed is on the stream once."""
        found = Counter(n for n in await self._streamed() if n.startswith(f"{self.prefix}."))
        assert set(self.names) - set(found) == set()
        assert set(found) - set(self.names) == set()
        assert max(found.values()) == 1

    async def _streamed(self) -> list[str]:
        """Returns the names of the events on the stream, as soon as JetStream answers each question."""
        names: list[str] = []

        async def read() -> bool:
            try:
                messages = await self.messages()
            except AWAY:
                return False
            lines = [
                line
                for message in messages
                if DASHBOARD in (message.subject or "")
                for line in (message.data or b"").split(b"\n")
            ]
            names.extend(orjson.loads(line)["event_data"]["session_id"] for line in lines)
            return True

        await until(read)
        return names


@pytest.fixture
async def post(cluster: NatsCluster, database: dict[str, str]) -> AsyncIterator[ClusterPost]:
    """A fresh database, and a client of the cluster that reconnects as the product's does."""
    cluster.restore()
    tenancy = await Database.connect(database["tenancy"], name="test", size=2)
    relay_db = await Database.connect(database["relay"], name="test-relay", size=4)
    plan = ReconnectPlan()
    nc = await cluster.connect(
        "tenancy",
        reconnect_to_server_handler=plan.next,
        ping_interval=3,
        max_outstanding_pings=2,
        connect_timeout=2,
    )
    js = nc.jetstream(timeout=3)
    await jetstream_ready(js)
    await ensure_stream(js, replicas=3)
    await all_current(js)
    server = cluster.servers["nats-1"]
    made = ClusterPost(server, database, tenancy, relay_db, nc, js)
    made.prefix, made.client = f"p{next(prefixes)}", nc
    yield made
    await nc.close()
    await tenancy.close()
    await relay_db.close()


async def healthy_again(cluster: NatsCluster) -> None:
    """Waits until all servers are healthy and have the whole stream."""
    system = await cluster.connect(SYSTEM_USER)
    assert await wait_current(system, 3, 120, quiet) is not None
    await system.close()


async def test_all_servers_are_killed_again_and_again(
    cluster: NatsCluster, post: ClusterPost
) -> None:
    """Three times all servers are killed at once under load. The stream is there each time, and nothing that it
    acknowledged is missing (nats-server issue 6888)."""
    async with post.load():
        for _ in range(3):
            await post.sent()
            for name in NAMES:
                cluster.servers[name].signal(signal.SIGKILL)
            cluster.stop(how=signal.SIGKILL)
            await post.more(20)
            cluster.start()
            await jetstream_ready(post.js)
        await post.sent()
    await post.check()
    await healthy_again(cluster)


async def test_one_is_killed_while_another_pauses(cluster: NatsCluster, post: ClusterPost) -> None:
    """A copy dies with all that it did not write, and another one stands still. What was acknowledged is on the
    disk of two servers, so it is not missing (7567)."""
    async with post.load():
        await post.sent()
        leader = await leader_of(post.js)
        dead, paused = (name for name in NAMES if name != leader)
        cluster.servers[paused].signal(signal.SIGSTOP)
        await post.more(30)
        cluster.stop(dead, how=signal.SIGKILL)
        await asyncio.sleep(3)
        cluster.stop(leader, how=signal.SIGKILL)
        cluster.servers[paused].signal(signal.SIGCONT)
        cluster.start(dead)
        await post.sent()
        cluster.start(leader)
    await post.check()
    await healthy_again(cluster)


@pytest.mark.fault("F9")
async def test_two_of_three_are_gone_for_a_while(cluster: NatsCluster, post: ClusterPost) -> None:
    """Without a majority nothing is acknowledged, and the events wait in Postgres. Calls go on over the server that
    is left. When the others are back, the stream is the old one and takes all (6188)."""
    info = await stream_info(post.js)
    assert info is not None
    created = info.created
    async with post.load():
        await post.sent()
        cluster.stop("nats-2", "nats-3", how=signal.SIGKILL)
        await until(lambda: post.client.is_usable)
        await asyncio.sleep(2)
        before = await post.waiting()
        await post.more(50)
        assert await post.waiting() > before
        alive = "/healthz?js-enabled-only=true"  # what kills a pod must not fail without a majority
        assert cluster.monitor("nats-1", alive) == {"status": "ok"}
        heard = asyncio.Event()

        async def hear(_: object) -> None:
            heard.set()

        await post.nc.subscribe("changed.>", cb=hear)
        await post.nc.publish("changed.x.user.y", b"y")
        await until(heard.is_set)
        await asyncio.to_thread(cluster.start, "nats-2", "nats-3")
        await post.sent()
    info = await stream_info(post.js)
    assert info is not None
    assert info.created == created
    await post.check()
    await healthy_again(cluster)


async def test_all_stores_are_lost(
    cluster: NatsCluster, post: ClusterPost, database: dict[str, str]
) -> None:
    """All servers come back without their stores. The relay creates the stream again and sends what waits; a refill
    brings the rest from the log, once (7564)."""
    async with post.load():
        await post.more(200)
        await post.sent()
        cluster.stop(how=signal.SIGKILL)
        for server in cluster.servers.values():
            shutil.rmtree(server.folder / "jetstream")
        await post.more(20)
        cluster.start()
        await jetstream_ready(post.js)
        await post.sent()
        missing = 0
        async for done in StreamRefill(post.tenancy, post.relay_db, post.js).run(BEGAN):
            missing += done.missing
        assert missing >= 150
    await post.check()
    info = await stream_info(post.js)
    assert info is not None
    assert info.config.num_replicas == 3
    await healthy_again(cluster)


async def test_the_same_id_again_after_the_leader_was_lost(
    cluster: NatsCluster, post: ClusterPost
) -> None:
    """A message that was sent to a dying leader is sent again under its id. It is stored once, and `duplicate` is
    never said of one that is not there (6415)."""
    for attempt in range(3):
        leader = await leader_of(post.js)
        id = f"{post.prefix}-{attempt}"
        first = asyncio.create_task(
            post.js.publish("audit.tenancy.x.batch", id.encode(), 3, headers={MESSAGE_ID: id})
        )
        await asyncio.sleep(0.001 * attempt)
        cluster.stop(leader, how=signal.SIGKILL)
        await asyncio.gather(first, return_exceptions=True)
        await leader_of(post.js)

        async def again(id: str = id) -> bool:
            try:
                ack = await post.js.publish(
                    "audit.tenancy.x.batch", id.encode(), 3, headers={MESSAGE_ID: id}
                )
            except AWAY:
                return False
            stored = await post.js.get_msg("AUDIT", ack.seq)
            assert stored.data == id.encode()
            return True

        await until(again)
        stored = [message.data for message in await post.messages()]
        assert stored.count(id.encode()) == 1
        cluster.start(leader)
        await healthy_again(cluster)


async def test_a_damaged_copy_is_found_or_repaired(cluster: NatsCluster, post: ClusterPost) -> None:
    """Bytes of a message on the disk of one server are changed while it is stopped. Afterwards the stream is whole
    on every server, or the damaged server says that it is not healthy (7549)."""
    async with post.load():
        await post.more(300)
    leader = await leader_of(post.js)
    victim = next(name for name in NAMES if name != leader)
    cluster.stop(victim)
    blocks = sorted(
        (cluster.servers[victim].folder / "jetstream").rglob("streams/AUDIT/msgs/*.blk")
    )
    assert blocks
    data = bytearray(blocks[-1].read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4] = bytes(byte ^ 0xFF for byte in data[middle : middle + 4])
    blocks[-1].write_bytes(data)
    for index in blocks[-1].parent.glob("index.db"):
        index.unlink()
    cluster.start(victim)
    async with post.load():
        await post.sent()
    cluster.stop(leader, how=signal.SIGKILL)  # so that the damaged one may lead
    await leader_of(post.js)
    if cluster.healthy(victim):
        await post.check()
    cluster.start(leader)


@pytest.mark.fault("F16")
async def test_the_disk_of_one_server_is_full(
    cluster: NatsCluster, post: ClusterPost, tmp_path: Path
) -> None:
    """A server without space falls behind, and the others go on. With space again it comes back, after a restart
    at the latest (7654)."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    leader = await leader_of(post.js)
    victim = next(name for name in NAMES if name != leader)
    store = cluster.servers[victim].folder / "jetstream"
    cluster.stop(victim)
    kept = tmp_path / "kept"
    shutil.copytree(store, kept)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(store)], check=True)
    try:
        shutil.copytree(kept, store, dirs_exist_ok=True)
        cluster.start(victim)
        await healthy_again(cluster)
        filler = store / "filler"
        with suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(bytes(65536))
        async with post.load():
            await post.more(400)
            await post.sent()
        await post.check()
        filler.unlink()
        async with post.load():
            await post.sent()
        cluster.stop(victim, how=signal.SIGKILL)
        cluster.start(victim)
        await healthy_again(cluster)
        await post.check()
    finally:
        cluster.stop(victim, how=signal.SIGKILL)
        subprocess.run(["umount", str(store)], check=True)
        shutil.rmtree(store, ignore_errors=True)
        cluster.start(victim)
    await healthy_again(cluster)


@pytest.mark.fault("F9")
async def test_the_leader_is_cut_off(cluster: NatsCluster, post: ClusterPost) -> None:
    """The server that leads, and that the client is on, can send nothing and gets no word of that. The client is
    on another one within ten seconds, and nothing acknowledged is lost."""
    async with post.load():
        await post.sent()
        connected = post.client.server
        mine = next(n for n in NAMES if str(cluster.servers[n].port) in str(connected))
        with cluster.cut_off(mine):
            began = time.monotonic()
            await until(lambda: post.client.server != connected and post.client.is_usable)
            moved = time.monotonic() - began
            await post.sent()
            await post.more(50)
        await post.sent()
    assert moved < 20  # 9 s and the time of a busy machine; the pings are counted elsewhere
    await post.check()
    await healthy_again(cluster)


async def test_the_first_message_after_a_reconnect_arrives(
    cluster: NatsCluster, post: ClusterPost
) -> None:
    """What is published at once after the connection is back arrives, each time (nats.py issue 529)."""
    for number in range(10):
        reconnects = post.nc.stats["reconnects"]
        await post.nc.force_reconnect()
        await until(lambda before=reconnects: post.nc.stats["reconnects"] > before)
        id = f"{post.prefix}.first-{number}"
        ack = await post.js.publish("audit.tenancy.x.batch", id.encode(), 5)
        assert (await post.js.get_msg("AUDIT", ack.seq)).data == id.encode()


async def test_an_error_of_jetstream_comes_at_once(post: ClusterPost) -> None:
    """An error of JetStream's API ends the wait of the relay with its words, and not the time limit of an
    acknowledgement."""
    began = time.monotonic()
    with pytest.raises(APIError) as refusal:
        await post.js.publish("audit.tenancy.x.batch", b"{}", 60, stream="OTHER")
    assert refusal.value.description == "expected stream does not match"
    assert time.monotonic() - began < 30
