"""`aero2 doctor` finds each mistake of a NATS server, and none in a server like the product's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from nats.js.api import ClusterInfo, PeerInfo, StreamInfo
from tests.kit.certificates import certified
from tests.kit.nats_server import NatsServer, free_port, start

from aero2 import nats_access
from aero2.doctor import examine
from aero2.doctor_bus import _stream
from aero2.doctor_findings import Finding, Level
from aero2.doctor_target import Target, from_environment
from common import audit
from common.nats_logins import second_login
from common.outbox import ensure_stream

PASSWORD = "a-password-of-the-command-line"


def users(login: str) -> str:
    """Returns a configuration that knows one login."""
    return f"""
accounts {{ A {{ jetstream: enabled, users: [{{ user: {login}, password: {PASSWORD} }}] }} }}
"""


USERS = users(nats_access.CLI)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server that asks for a password."""
    server = start(tmp_path_factory.mktemp("closed"), USERS)
    yield server
    server.stop()


def target(server: NatsServer, password: str = PASSWORD) -> Target:
    logins = [(nats_access.CLI, password)]
    return Target(nats_url=server.url, nats_logins=logins, nats_config=server.config)


async def one(target: Target, check: str) -> Finding:
    (finding,) = await examine(target, (check,))
    return finding


async def test_a_server_with_users_and_stream(closed: NatsServer) -> None:
    nc = await closed.connect(user=nats_access.CLI, password=PASSWORD)
    await ensure_stream(nc.jetstream())
    finding = await one(target(closed), "bus")
    await nc.jetstream().delete_stream(audit.STREAM)
    await nc.close()

    assert finding.level is Level.OK, finding


async def test_a_stream_that_is_missing(closed: NatsServer) -> None:
    finding = await one(target(closed), "bus")

    assert finding.level is Level.FAILURE
    assert "stream AUDIT of audit events is missing" in finding.sentence


async def test_a_wrong_password(closed: NatsServer) -> None:
    finding = await one(target(closed, "another-password"), "bus")

    assert finding.level is Level.FAILURE
    assert "cannot be reached as the user `cli`" in finding.sentence
    assert "another-password" not in finding.sentence


@pytest.mark.parametrize("known", [nats_access.CLI, second_login(nats_access.CLI)])
async def test_logins_of_a_file_while_they_are_replaced(tmp_path: Path, known: str) -> None:
    """The file has the new login first and the former one below, and NATS accepts one of the two. Neither the
    variable nor the name of the login is asked for."""
    file, other = tmp_path / "password", second_login(nats_access.CLI)
    file.write_text(f"{other}:{PASSWORD}\n{nats_access.CLI}:{PASSWORD}\n")
    server = start(tmp_path, users(known))
    try:
        read = from_environment(
            {"AERO2_NATS_URL": server.url, "AERO2_NATS_PASSWORD_FILE": str(file)}
        )
        finding = await one(read, "bus")
    finally:
        server.stop()

    assert "stream AUDIT of audit events is missing" in finding.sentence
    assert PASSWORD not in repr(read)


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_server_with_tls(tmp_path: Path, trusted: bool) -> None:
    """Its authority is known from the variable of the services, and no other one is believed."""
    pem, _ = certified(tmp_path, "localhost")
    tls = f"tls {{ cert_file: '{pem}', key_file: '{tmp_path / 'key.pem'}' }}\n"
    server = start(tmp_path, USERS + tls)
    try:
        read = from_environment(
            {
                "AERO2_NATS_URL": server.url.replace("127.0.0.1", "localhost"),
                "AERO2_NATS_PASSWORD": PASSWORD,
                **({"AERO2_NATS_CA_FILE": str(pem)} if trusted else {}),
            }
        )
        finding = await one(read, "bus")
    finally:
        server.stop()

    said = "stream AUDIT of audit events is missing" if trusted else "cannot be reached"
    assert said in finding.sentence


async def test_a_server_without_passwords(server: NatsServer) -> None:
    """Anybody could send any contract, as any caller."""
    finding = await one(target(server), "bus")

    assert finding.level is Level.FAILURE
    assert "without a password" in finding.sentence


async def test_jetstream_that_is_off(tmp_path: Path) -> None:
    server = start(tmp_path, USERS.replace("jetstream: enabled, ", ""), jetstream=False)
    try:
        finding = await one(target(server), "bus")
    finally:
        server.stop()

    assert finding.level is Level.FAILURE
    assert "JetStream is off" in finding.sentence


async def test_a_server_that_is_away() -> None:
    finding = await one(Target(nats_url=f"nats://127.0.0.1:{free_port()}"), "bus")

    assert finding.level is Level.FAILURE
    assert "cannot be reached" in finding.sentence


@pytest.mark.parametrize(("replicas", "level"), [(1, Level.WARNING), (3, Level.OK)])
async def test_one_copy_on_three_servers(replicas: int, level: Level) -> None:
    """A server that burns would take the stream along."""

    class Cluster:
        discovered_servers = ("nats://b", "nats://c")

        def jetstream(self, timeout: float) -> Cluster:
            return self

        async def stream_info(self, name: str) -> StreamInfo:
            answer = {
                "config": {"name": name, "num_replicas": replicas},
                "state": dict.fromkeys(("messages", "bytes", "first_seq", "last_seq"), 0)
                | {"consumer_count": 0},
            }
            info: StreamInfo = StreamInfo.from_response(answer)
            info.cluster = ClusterInfo(leader="a", replicas=[PeerInfo("b")] * (replicas - 1))
            return info

    (finding,) = await _stream(Cluster())  # type: ignore[arg-type]

    assert finding.level is level


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("jetstream { sync_interval: always }", Level.OK),
        ('jetstream {\n  sync: "always"\n}', Level.OK),
        ("jetstream { store_dir: x }", Level.FAILURE),
        ("jetstream {\n  # sync_interval: always\n}", Level.FAILURE),
        ("jetstream { sync_interval: 10s }", Level.FAILURE),
    ],
)
async def test_a_disk_that_is_synced_late(tmp_path: Path, text: str, level: Level) -> None:
    """With the default of two minutes, a crash of the machine loses acknowledged events."""
    config = tmp_path / "nats.conf"
    config.write_text(text)

    assert (await one(Target(nats_config=config), "sync_interval")).level is level


async def test_our_own_configurations_sync_always() -> None:
    file = Path("deploy/nats.conf")

    assert (await one(Target(nats_config=file), "sync_interval")).level is Level.OK
