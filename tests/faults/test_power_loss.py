"""A machine loses its power, with all that its programs had not synced to the disk."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from nats.js.errors import APIError
from tests.kit.fault_report import FaultReport
from tests.kit.history import ABSENT, PRESENT, Act, History, ViolationKind
from tests.kit.nats_server import NatsServer, free_port
from tests.kit.postgres import Postgres
from tests.kit.power_loss import LosingDisk, losing_disk

from aero2 import nats_access
from aero2.cluster_config import OPERATOR
from aero2.embedded.folder import Folder
from aero2.embedded.nats import Nats
from common.audit import STREAM
from common.outbox import ensure_stream

pytestmark = [pytest.mark.long, pytest.mark.timeout(200)]

SYNCED = "sync_interval: always"
LOGINS = dict.fromkeys((*nats_access.SERVICES, nats_access.CLI, *OPERATOR), "pw")
MESSAGES = 200


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LosingDisk]:
    with losing_disk(tmp_path / "machine") as disk:
        yield disk


def nats_on(disk: LosingDisk, *, synced: bool) -> NatsServer:
    """Starts NATS on the disk as `aero2 up` configures it, or with the default of `sync_interval`."""
    nats = Nats(Folder.at(disk.folder), free_port())
    nats.config.parent.mkdir(exist_ok=True)
    nats.prepare(LOGINS)
    config = nats.config.read_text()
    assert SYNCED in config
    if not synced:
        nats.config.write_text(config.replace(SYNCED, ""))
    disk.sync()
    server = NatsServer(disk.folder.parent, nats.port, nats.config)
    server.launch()
    return server


async def published_and_read_back(disk: LosingDisk, history: History, *, synced: bool) -> None:
    """Publishes audit messages. After the last acknowledgement, the power is lost. Then looks for each."""
    server = nats_on(disk, synced=synced)
    nc = await server.connect(user="tenancy", password="pw", inbox_prefix="_INBOX_tenancy")
    js = nc.jetstream()
    await ensure_stream(js)
    numbers: dict[str, int] = {}
    for name in map(str, range(MESSAGES)):
        operation = history.invoke("messages", Act.WRITE, name, PRESENT)
        ack = await js.publish("audit.tenancy.x.batch", name.encode())
        operation.ok()
        numbers[name] = ack.seq
    server.stop(signal.SIGKILL)
    await nc.close()
    disk.lose_power()

    server.launch()
    nc = await server.connect(user="tenancy", password="pw", inbox_prefix="_INBOX_tenancy")
    try:
        for name, number in numbers.items():
            operation = history.invoke("read back", Act.READ, name)
            try:
                found = (await nc.jetstream().get_msg(STREAM, number)).data == name.encode()
            except APIError:
                found = False
            operation.ok(PRESENT if found else ABSENT)
    finally:
        await nc.close()
        server.stop(signal.SIGKILL)


@pytest.mark.fault("F10")
async def test_nats_loses_nothing_acknowledged(disk: LosingDisk, fault: FaultReport) -> None:
    """With the configuration of the product, each acknowledged message is on the stream."""
    await published_and_read_back(disk, fault.history, synced=True)
    await fault.settle()


@pytest.mark.fault("F10")
async def test_it_would_with_the_default_of_nats(disk: LosingDisk) -> None:
    """The same with NATS's own `sync_interval` loses messages, and the checker says so: the disk of this test
    does lose what is not synced."""
    history = History()
    await published_and_read_back(disk, history, synced=False)

    lost = [violation.rule for violation in history.violations()]
    assert lost
    assert set(lost) == {ViolationKind.LOST}


async def rows_after_a_kill(history: History, *, durable: bool) -> None:
    """Inserts rows, kills every process of PostgreSQL at once after the last acknowledgement, and looks for each
    row after its recovery."""
    server = Postgres.start(template=False)
    try:
        commit = "on" if durable else "off"
        for setting in (f"synchronous_commit = {commit}", "wal_writer_delay = '10s'"):
            server.query(f"ALTER SYSTEM SET {setting}")
        await asyncio.to_thread(server.restart)
        server.query("CREATE TABLE rows (name text PRIMARY KEY)")
        server.query("CHECKPOINT")
        db = await asyncpg.connect(server.dsn())
        names = [f"row {number}" for number in range(100)]
        for name in names:
            operation = history.invoke("rows", Act.WRITE, name, PRESENT)
            await db.execute("INSERT INTO rows VALUES ($1)", name)
            operation.ok()
        await asyncio.to_thread(server.kill_all)
        db.terminate()
        await asyncio.to_thread(server.restart)
        db = await asyncpg.connect(server.dsn())
        left = {row["name"] for row in await db.fetch("SELECT name FROM rows")}
        await db.close()
        for name in names:
            history.invoke("read back", Act.READ, name).ok(PRESENT if name in left else ABSENT)
    finally:
        server.stop()


async def test_the_checker_finds_what_asynchronous_commits_lose() -> None:
    """With `synchronous_commit` and `fsync` off, a kill loses acknowledged rows, and the checker is red."""
    history = History()
    await rows_after_a_kill(history, durable=False)

    assert {violation.rule for violation in history.violations()} == {ViolationKind.LOST}
    with pytest.raises(AssertionError, match="acknowledged and lost"):
        history.check()


async def test_the_checker_is_silent_about_synchronous_commits() -> None:
    """The same kill with `synchronous_commit` on: every acknowledged row is there."""
    history = History()
    await rows_after_a_kill(history, durable=True)

    history.check()
