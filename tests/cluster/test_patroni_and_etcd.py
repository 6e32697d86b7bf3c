"""What happens to etcd does not move the primary of PostgreSQL, and loses nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from tests.kit.etcd import NAMES, etcd
from tests.kit.nats_server import until
from tests.kit.patroni import PROGRAM, QUICK
from tests.kit.patroni_writes import PatroniWrites, patroni_writes

pytestmark = [
    pytest.mark.long,
    pytest.mark.patroni,
    pytest.mark.timeout(600),
    pytest.mark.skipif(etcd() is None, reason="etcd is missing (Debian's etcd-server)"),
    pytest.mark.skipif(
        not PROGRAM.exists(), reason="`make test` installs Patroni in .venv/patroni"
    ),
]

FAILSAFE = "continue to run as a leader because failsafe mode is enabled"
LOCKED = "the leader with the lock"
KEY_LIVES = QUICK["ttl"] + QUICK["loop_wait"]
"""Seconds, at most."""


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[PatroniWrites]:
    async with patroni_writes() as writes:
        yield writes


@pytest.fixture
async def writes(running: PatroniWrites) -> PatroniWrites:
    """A pair that is whole, and counts from zero."""
    await running.whole()
    running.refused.clear()
    return running


def term(writes: PatroniWrites) -> tuple[str | None, int]:
    """Returns the primary and its timeline: a promotion changes it, also one back and forth."""
    leader = str(writes.pair.leader)
    return leader, writes.pair.status(leader)["timeline"]


async def goes_on(writes: PatroniWrites, *texts: str) -> None:
    """Waits until the primary's Patroni says one of the texts, and again after the leader's key would have ended."""
    leader = str(writes.pair.leader)

    async def said() -> None:
        before = sum(writes.pair.log(leader).count(text) for text in texts)
        await until(
            lambda: sum(writes.pair.log(leader).count(text) for text in texts) > before, within=120
        )

    await said()
    ends = time.monotonic() + KEY_LIVES
    while time.monotonic() < ends:
        await said()


async def test_the_leader_of_etcd_is_killed(writes: PatroniWrites) -> None:
    """Another server leads etcd. The primary renews its key there for longer than the key lives, and no write is
    refused."""
    before = term(writes)
    async with writes.running():
        old = str(writes.pair.etcd.leader)
        writes.pair.etcd.kill(old)
        assert await asyncio.to_thread(writes.pair.etcd.wait_for_leader) != old
        await goes_on(writes, LOCKED)
        await writes.more()

    assert term(writes) == before
    assert not writes.refused
    await writes.compare()


@pytest.mark.parametrize("how", ["dead", "hung"])
async def test_etcd_is_away_for_longer_than_the_key_lives(writes: PatroniWrites, how: str) -> None:
    """Two of three servers are dead, so that the third has no leader; or all of them hang. The primary asks the
    other node instead and goes on. When etcd is back, it still is the primary."""
    before, servers = term(writes), writes.pair.etcd
    async with writes.running():
        if how == "dead":
            servers.kill(*NAMES[:2])
        else:
            servers.freeze(*NAMES)
        await goes_on(writes, FAILSAFE)
        await writes.more()
        await asyncio.to_thread(servers.restore)
        await goes_on(writes, LOCKED)

    assert term(writes) == before
    assert not writes.refused
    await writes.compare()


async def test_etcd_stands_still_for_less_than_the_key_lives(writes: PatroniWrites) -> None:
    """As with a disk that takes seconds for an fsync: the leader of etcd stands still until another one leads, and
    then all of them until Patroni has noticed (etcd issue 15247)."""
    before, servers = term(writes), writes.pair.etcd
    async with writes.running():
        leader = await asyncio.to_thread(servers.wait_for_leader)
        servers.freeze(leader)
        await until(lambda: servers.leader not in (None, leader))
        servers.thaw(leader)
        servers.freeze(*NAMES)
        noticed = writes.pair.log(str(before[0])).count(FAILSAFE)
        await until(lambda: writes.pair.log(str(before[0])).count(FAILSAFE) > noticed)
        servers.thaw(*NAMES)
        await goes_on(writes, LOCKED)

    assert term(writes) == before
    assert not writes.refused
    await writes.compare()


async def test_etcd_takes_two_seconds_for_each_answer(writes: PatroniWrites) -> None:
    """Patroni waits less than that: a third of `retry_timeout` for each server. The primary asks the other node
    instead, and goes on (Patroni issues 3550 and 3572)."""
    servers, before = writes.pair.etcd, term(writes)

    async def slow() -> None:
        while True:
            servers.freeze(*NAMES)
            await asyncio.sleep(2)
            servers.thaw(*NAMES)
            await asyncio.sleep(0.1)

    async with writes.running():
        task = asyncio.create_task(slow())
        await goes_on(writes, FAILSAFE, LOCKED)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(servers.restore)
        await goes_on(writes, LOCKED)

    assert term(writes) == before
    assert not writes.refused
    await writes.compare()
