"""`aero2 stream replicas` and `aero2 cluster wait-current`: copies are changed and servers stopped safely."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from tests.kit.nats_cluster import (
    NAMES,
    NatsCluster,
    all_current,
    jetstream_ready,
    leader_of,
    password_of,
)
from tests.kit.nats_server import until
from typer.testing import CliRunner

from aero2 import stream_replicas
from aero2.__main__ import app
from aero2.cluster_config import PASSWORD, SYSTEM_USER
from aero2.cluster_state import cluster_state, wait_current
from aero2.failures import CommandError
from aero2.nats_access import STREAM_ADMIN
from aero2.stream_replicas import change_replicas, stream_status
from common.audit import STREAM
from common.metrics import STREAM_CURRENT, STREAM_REPLICAS
from common.nats_client import NatsClient
from common.outbox import ensure_stream
from identity import stream_metrics

pytestmark = pytest.mark.long


@pytest.fixture
async def admin(cluster: NatsCluster) -> AsyncIterator[NatsClient]:
    connected = await cluster.connect(STREAM_ADMIN)
    yield connected
    await connected.close()


@pytest.fixture
async def js(cluster: NatsCluster, nc: NatsClient) -> JetStreamContext:
    """JetStream as identity sees it, and the stream: with one copy for the first test."""
    context = nc.jetstream(timeout=5)
    await jetstream_ready(context)
    await ensure_stream(context, replicas=1)
    return context


def ignore(_: str) -> None:
    """Nobody reads the progress."""


async def test_copies_change_one_step_at_a_time(
    cluster: NatsCluster, js: JetStreamContext, admin: NatsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From one copy to three: what was there is on all, and a consumer of before delivers (nats-server issue
    6838). A second change at once is refused (7774), and so is one while a copy is not current."""
    cli = await cluster.connect("cli")
    durable = ConsumerConfig(
        name="archive", durable_name="archive", deliver_subject="_INBOX_cli.archive", ack_policy=AckPolicy.EXPLICIT,
        deliver_policy=DeliverPolicy.ALL,
    )  # fmt: skip
    await js.publish("audit.identity.x.batch", b"before")
    await cli.jetstream(timeout=5).add_consumer(STREAM, durable)
    got: list[bytes] = []

    async def keep(message: object) -> None:
        got.append(message.data)  # type: ignore[attr-defined]
        await message.ack()  # type: ignore[attr-defined]

    await cli.subscribe("_INBOX_cli.archive", cb=keep)
    assert (await stream_status(admin)).replicas == 1

    told: list[str] = []
    after = await change_replicas(admin, 3, 60, told.append)

    assert told[0] == "From 1 to 3 copies."
    assert (after.replicas, after.behind, after.messages) == (3, (), 1)
    assert after.consumers == ("archive",)
    await js.publish("audit.identity.x.batch", b"after")
    await until(lambda: got == [b"before", b"after"])
    with pytest.raises(CommandError, match="less than 60 seconds ago"):
        await change_replicas(admin, 1, 60, ignore)
    assert (await change_replicas(admin, 3, 60, told.append)).replicas == 3
    assert told[-1] == "The number of copies is 3 already."

    monkeypatch.setattr(stream_replicas, "REST", stream_replicas.REST * 0)
    away = next(name for name in NAMES if name != after.leader)
    cluster.stop(away, how=signal.SIGKILL)
    try:
        await until(lambda: _refused(admin))
    finally:
        cluster.start(away)
    assert (await stream_status(admin)).replicas == 3
    await all_current(js)
    await cli.close()


async def _refused(admin: NatsClient, replicas: int = 1) -> bool:
    """Whether NATS has noticed that a server is away, so that a change is refused."""
    try:
        status = await stream_status(admin)
    except CommandError:
        return False
    if not status.behind:
        return False
    with pytest.raises(CommandError, match=r"Not current: nats-\d"):
        await change_replicas(admin, replicas, 5, ignore)
    return True


async def test_a_copy_that_never_catches_up_is_made_again(
    cluster: NatsCluster, js: JetStreamContext, admin: NatsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figures of the alert show it, and a change of the copies is refused. While the others are current, its
    server may start with an empty store, and gets the whole stream from them (nats-server issues 8319 and 7791)."""
    monkeypatch.setattr(stream_replicas, "REST", stream_replicas.REST * 0)
    await change_replicas(admin, 3, 60, ignore)
    leader = await leader_of(js)
    stuck = next(name for name in NAMES if name != leader)
    others = [name for name in NAMES if name != stuck]
    reader = await cluster.connect("identity", to=others)
    operator = await cluster.connect(STREAM_ADMIN, to=others)
    last = (await js.publish("audit.identity.x.batch", b"{}")).seq
    cluster.servers[stuck].signal(signal.SIGSTOP)

    async def alarms() -> bool:
        await stream_metrics.export(reader.jetstream(timeout=2))
        return bool(STREAM_CURRENT._value.get() == 2 < STREAM_REPLICAS._value.get())

    await until(alarms)
    await until(lambda: _refused(operator, 2))

    cluster.stop(stuck, how=signal.SIGKILL)
    shutil.rmtree(cluster.servers[stuck].folder / "jetstream")
    await asyncio.to_thread(cluster.start, stuck)
    system = await cluster.connect(SYSTEM_USER)
    state = await wait_current(system, 3, 120, ignore)
    assert state is not None
    assert [(server.last_seq or 0) >= last for server in state.servers] == [True] * 3
    for connected in (reader, operator, system):
        await connected.close()


async def test_a_change_keeps_what_an_operator_has_set(
    cluster: NatsCluster, js: JetStreamContext, admin: NatsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A field of the stream that nats-py does not know stays as it is."""
    monkeypatch.setattr(stream_replicas, "REST", stream_replicas.REST * 0)
    await change_replicas(admin, 3, 60, ignore)
    config = await _config(admin)
    config |= {"allow_batched": True, "max_msgs": 12345}
    await admin.request(f"$JS.API.STREAM.UPDATE.{STREAM}", json.dumps(config).encode(), timeout=5)
    config = await _config(admin)

    await change_replicas(admin, 1, 60, ignore)

    after = await _config(admin)
    for each in (config, after):
        del each["metadata"], each["num_replicas"]
    assert after == config
    assert after["max_msgs"] == 12345


async def _config(admin: NatsClient) -> dict[str, object]:
    answer = await admin.request(f"$JS.API.STREAM.INFO.{STREAM}", timeout=5)
    found: dict[str, object] = json.loads(answer.data)["config"]
    return found


async def test_the_stream_admin_may_do_nothing_else(
    cluster: NatsCluster, js: JetStreamContext, admin: NatsClient
) -> None:
    """The user that may change the copies reads no event, publishes none, and calls no service."""
    refused: list[str] = []

    async def keep(error: Exception) -> None:
        refused.append(str(error))

    other = await cluster.connect(STREAM_ADMIN, error_cb=keep)
    subjects = ["audit.identity.x.batch", "changed.x.user.y", "identity.user.create"]
    subjects += [f"$JS.API.STREAM.{verb}.{STREAM}" for verb in ("DELETE", "PURGE", "MSG.GET")]
    for subject in subjects:
        await other.publish(subject, b"{}")
    await other.flush()
    await until(lambda: len(refused) == len(subjects))
    await other.close()


async def test_nobody_removes_a_server(cluster: NatsCluster) -> None:
    """Without a majority, NATS would keep a removal and carry it out when the others are back. No user may send
    it (nats-server issues 7561 and 7545)."""
    refused: list[str] = []

    async def keep(error: Exception) -> None:
        refused.append(str(error))

    users = (SYSTEM_USER, STREAM_ADMIN, "cli", "identity")
    for user in users:
        connected = await cluster.connect(user, error_cb=keep)
        await connected.publish("$JS.API.SERVER.REMOVE", b'{"peer": "nats-3"}')
        await connected.flush()
        await connected.close()

    await until(lambda: len(refused) == len(users))
    assert all("permissions violation" in error.lower() for error in refused)


async def test_wait_current_names_what_it_waits_for(
    cluster: NatsCluster, js: JetStreamContext, admin: NatsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next server may stop when the command ends with 0: every server is healthy and has the stream. While
    one is away the command says so, and ends with 1."""
    monkeypatch.setattr(stream_replicas, "REST", stream_replicas.REST * 0)
    await change_replicas(admin, 3, 60, ignore)
    last = (await js.publish("audit.identity.x.batch", b"{}")).seq
    monkeypatch.setenv("AERO2_NATS_URL", cluster.url)
    monkeypatch.setenv("AERO2_NATS_CA_FILE", cluster.ca_file)
    monkeypatch.setenv(PASSWORD, password_of(SYSTEM_USER))

    done = await asyncio.to_thread(CliRunner().invoke, app, ["cluster", "wait-current"])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line.partition(",")[0] for line in lines] == [f"{name}: healthy" for name in NAMES]
    assert all(f"stream up to {last}" in line for line in lines)
    assert sum(line.endswith("leads") for line in lines) == 1

    leader = await leader_of(js)
    away = next(name for name in NAMES if name != leader)
    cluster.stop(away)
    try:
        words = ["cluster", "wait-current", "--within", "0"]
        done = await asyncio.to_thread(CliRunner().invoke, app, words)
        assert done.exit_code == 1
        assert "2 of 3 servers answer" in done.output
        assert "Stop no other server now" in done.output
    finally:
        cluster.start(away)
    await all_current(js)


async def test_a_copy_that_lags_is_not_current(
    cluster: NatsCluster, js: JetStreamContext, admin: NatsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that answers and has not all of the stream yet is named."""
    monkeypatch.setattr(stream_replicas, "REST", stream_replicas.REST * 0)
    await change_replicas(admin, 3, 60, ignore)
    system = await cluster.connect(SYSTEM_USER)
    state = await wait_current(system, 3, 60, ignore)
    assert state is not None

    assert "has the stream up to" in str(state.fault(state.last_seq + 1))
    incomplete = replace(
        state, servers=tuple(replace(server, replicas=4) for server in state.servers)
    )
    assert incomplete.fault(0) == "3 servers have a copy of the stream, not 4"
    assert "3 of 4 servers" in str((await cluster_state(system, 4)).fault(0))
    await system.close()
