"""Nodes of PostgreSQL under Patroni hang, come back, and are promoted. What was acknowledged is there."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import asyncpg
import pytest
from tests.kit.etcd import etcd
from tests.kit.instance import environment
from tests.kit.nats_server import until
from tests.kit.patroni import PROGRAM
from tests.kit.patroni_hooks import PatroniHooks
from tests.kit.patroni_writes import ADD, PatroniWrites, patroni_writes
from tests.kit.tcp_proxy import tcp_proxy, with_hosts

from aero2.embedded.postgres import binaries
from common.db import Database
from common.ids import DASHBOARD, new_id
from common.problems import TooLate, Unavailable

pytestmark = [
    pytest.mark.long,
    pytest.mark.patroni,
    pytest.mark.timeout(600),
    pytest.mark.skipif(etcd() is None, reason="etcd is missing (Debian's etcd-server)"),
    pytest.mark.skipif(
        not PROGRAM.exists(), reason="`make test` installs Patroni in .venv/patroni"
    ),
]

NOT_ACKNOWLEDGED = (Unavailable, TooLate, TimeoutError)
LIMIT = (
    "INSERT INTO rate_limits (app_id, key, window_start, hits, expires_at)"
    " VALUES ($1, $2, now(), 99, now() + interval '1 day')"
)
LOCK = (
    "INSERT INTO sign_in_guards (app_id, address_hash, failed_attempts, locked_until, expires_at)"
    " VALUES ($1, $2, 10, now() + interval '1 day', now() + interval '1 day')"
)


@pytest.fixture(scope="module")
def hooks() -> Iterator[PatroniHooks]:
    made = PatroniHooks.make()
    yield made
    made.remove()


@pytest.fixture(scope="module")
async def running(hooks: PatroniHooks) -> AsyncIterator[PatroniWrites]:
    async with patroni_writes(local=hooks.local) as writes:
        yield writes


@pytest.fixture
async def writes(running: PatroniWrites) -> PatroniWrites:
    """A pair that is whole, and counts from zero."""
    await running.whole()
    running.refused.clear()
    return running


async def promoted(writes: PatroniWrites, old: str) -> str:
    """Waits until the other node is the primary. Returns its name."""
    await writes.wait_for(lambda: writes.pair.leader not in (None, old))
    return str(writes.pair.leader)


async def test_a_frozen_primary_that_resumes_accepts_no_write(writes: PatroniWrites) -> None:
    """The primary hangs with its connections open, and the other node is promoted. Clients are there without a
    restart. When the old primary goes on where it was, no write to it is acknowledged (Patroni issue 3639)."""
    pair, old = writes.pair, str(writes.pair.leader)
    alone = await Database.connect(pair.dsn_of(old, "tenancy"), name="test", size=2)
    direct = await asyncpg.connect(pair.dsn_of(old))
    late = PatroniWrites(pair, alone)
    await late.write()
    ids = [new_id(), new_id()]

    async def write_directly() -> None:
        await direct.execute(ADD, DASHBOARD, ids[0], timeout=30)

    async with writes.running():
        await asyncio.to_thread(pair.freeze, old)
        await promoted(writes, old)
        await writes.more()
        tasks = [asyncio.create_task(write_directly()), asyncio.create_task(late.write(ids[1], 30))]
        await asyncio.sleep(0)
        await asyncio.to_thread(pair.thaw, old)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        await writes.more()

    assert all(isinstance(outcome, BaseException) for outcome in outcomes), outcomes
    assert isinstance(outcomes[1], NOT_ACKNOWLEDGED)
    await writes.whole()
    stored = await writes.fetch("SELECT event_id::text FROM audit_outbox")
    assert not set(ids) & {row["event_id"] for row in stored}
    await writes.compare()
    direct.terminate()
    await alone.close()


async def test_what_a_promotion_forgets(writes: PatroniWrites) -> None:
    """Limits are counted in a table without WAL and start again. The lock of an address after wrong passwords is in
    WAL and stays. Sequences go on behind every number that was given."""
    pair, key, old = writes.pair, new_id(), str(writes.pair.leader)
    await writes.fetch(LIMIT, DASHBOARD, key)
    await writes.fetch(LOCK, DASHBOARD, key)
    async with writes.running():
        await writes.more()
        before = await writes.fetch("SELECT max(seq) AS last FROM audit_outbox")
        await asyncio.to_thread(pair.kill, old)
        await promoted(writes, old)
        await writes.more()

    count = "SELECT count(*) AS n FROM {} WHERE app_id = $1 AND {} = $2"
    limits = await writes.fetch(count.format("rate_limits", "key"), DASHBOARD, key)
    locks = await writes.fetch(count.format("sign_in_guards", "address_hash"), DASHBOARD, key)
    assert (limits[0]["n"], locks[0]["n"]) == (0, 1)
    after = await writes.fetch("SELECT max(seq) AS last FROM audit_outbox")
    assert after[0]["last"] > before[0]["last"]
    await writes.compare()


async def test_one_address_for_both_nodes(writes: PatroniWrites) -> None:
    """A virtual address leads to the old primary for a moment after a switchover. Writes are refused by the standby,
    and go on when the address has moved (gpustack issue 6105)."""
    pair = writes.pair
    async with tcp_proxy(pair.dsn_of(str(pair.leader))) as address:
        dsn = with_hosts(pair.dsn("tenancy"), address.port)
        behind = PatroniWrites(pair, await Database.connect(dsn, name="test", size=3))
        async with behind.running():
            old = str(pair.leader)
            await asyncio.to_thread(pair.switch_over)
            refused = behind.refused.total()
            await until(lambda: behind.refused.total() > refused)
            await writes.wait_for(lambda: pair.synchronous_standby == old)
            refused = behind.refused.total()
            await until(lambda: behind.refused.total() > refused)
            address.target = pair.nodes[str(pair.leader)].postgres
            await behind.more()
        assert "Unavailable" in behind.refused
        await behind.compare()
        await behind.db.close()


async def test_a_leader_that_is_still_read_only(writes: PatroniWrites, hooks: PatroniHooks) -> None:
    """A node has the leader's key, and its promotion takes long. A write gets `unavailable`, also over an address of
    that node alone, and goes on by itself afterwards (Patroni issue 2972)."""
    pair, old = writes.pair, str(writes.pair.leader)
    new = str(pair.synchronous_standby)
    alone = PatroniWrites(
        pair, await Database.connect(pair.dsn_of(new, "tenancy"), name="test", size=1)
    )
    text = "promoted self to leader by acquiring session lock"
    before = pair.log(new).count(text)
    async with writes.running():
        with hooks.promotion_held():
            await asyncio.to_thread(pair.kill, old)
            await until(lambda: pair.log(new).count(text) > before, within=120)
            for each in (alone, writes):
                with pytest.raises(Unavailable):
                    await each.write(within=30)
        await promoted(writes, old)
        await writes.more()
        await alone.write()
    await writes.compare()
    await alone.db.close()


async def test_a_slot_of_a_move_stays(writes: PatroniWrites) -> None:
    """When Patroni starts again, it drops slots that it does not know, but none of a subscription, which an
    application's move makes (Patroni issue 3237)."""
    pair, leader = writes.pair, str(writes.pair.leader)
    await writes.fetch("SELECT pg_create_logical_replication_slot('moves', 'pgoutput')")
    await writes.fetch("SELECT pg_create_physical_replication_slot('stranger')")

    await asyncio.to_thread(pair.restart_patroni, leader)

    async def dropped() -> bool:
        rows = await writes.fetch("SELECT slot_name FROM pg_replication_slots")
        names = {row["slot_name"] for row in rows}
        assert "moves" in names
        return "stranger" not in names

    await until(dropped, within=120)
    assert pair.leader == leader
    await writes.fetch("SELECT pg_drop_replication_slot('moves')")


@contextmanager
def wal_receiver(writes: PatroniWrites) -> Iterator[None]:
    """Runs pg_receivewal, which tells the primary at once what it has on its disk."""
    pair = writes.pair
    node = pair.nodes[str(pair.leader)]
    address = ["-h", "127.0.0.1", "-p", str(node.postgres), "-U", "replicator"]
    with tempfile.TemporaryDirectory(prefix="aero2-wal-") as folder:
        process = subprocess.Popen(
            [binaries() / "pg_receivewal", *address, "--synchronous", "-D", folder],
            env=environment() | {"PGPASSWORD": pair.passwords["upkeep"]},
        )
        try:
            yield
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait(10)


async def test_a_wal_receiver_is_no_standby(writes: PatroniWrites) -> None:
    """With `synchronous_mode_strict` and without a standby, no write is acknowledged, although a process receives
    all WAL. This needs `remote_apply`: Patroni then names every receiver a standby (issues 789 and 3632)."""
    pair = writes.pair
    pair.configure(
        synchronous_mode_strict=True,
        postgresql={"parameters": {"synchronous_commit": "remote_apply"}},
    )
    receiving = (
        "SELECT count(*) AS n FROM pg_stat_replication WHERE application_name = 'pg_receivewal'"
        " AND sync_state IN ('sync', 'quorum') AND flush_lsn = pg_current_wal_flush_lsn()"
    )
    try:
        await writes.whole()
        standby = str(pair.synchronous_standby)
        await asyncio.to_thread(pair.kill, standby)
        with wal_receiver(writes):

            async def counted() -> bool:
                return bool((await writes.fetch(receiving))[0]["n"])

            await until(counted, within=120)
            with pytest.raises(NOT_ACKNOWLEDGED):
                await writes.write(within=5)
            await until(counted, within=120)
        await asyncio.to_thread(pair.launch, standby)
        await writes.wait_for(lambda: pair.synchronous_standby == standby)
        await writes.write()
    finally:
        pair.configure(
            synchronous_mode_strict=None,
            postgresql={"parameters": {"synchronous_commit": "on"}},
        )
    await writes.compare()
