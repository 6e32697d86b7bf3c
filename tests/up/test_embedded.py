"""PostgreSQL and NATS under a data folder: real servers, as root and as an ordinary user."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import asyncpg
import nats
import nats.errors
import psutil
import pytest
from tests.kit.instance import free_port
from tests.kit.nats_server import PATIENCE

from aero2 import nats_access
from aero2.connection import from_environment
from aero2.embedded import ports
from aero2.embedded.folder import Folder
from aero2.embedded.nats import Nats
from aero2.embedded.process import Register
from aero2.embedded.secrets import Secrets
from aero2.failures import CommandError
from aero2.platform import Platform
from aero2.supervisor import Supervisor
from common.nats_client import NatsClient


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder.at(tmp_path / "data")
    made.hold({"url": "http://localhost:1"})
    return made


def platform_of(folder: Folder) -> Platform:
    chosen = ports.choose(folder, public_port=1)
    return Platform(folder, Secrets.load(folder), chosen, 1, "127.0.0.1", "localhost")


@pytest.fixture(scope="module")
async def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Platform, Supervisor]]:
    """Both servers, started after a first start that was interrupted."""
    folder = Folder.at(tmp_path_factory.mktemp("running") / "data")
    folder.hold({"url": "http://localhost:1"})
    (folder.inside("postgres.new") / "PG_VERSION").write_text("18\n")
    platform = platform_of(folder)
    supervisor = Supervisor(folder, lambda *_: None)
    await supervisor.start(*platform.servers())
    yield platform, supervisor
    await supervisor.stop()


def superuser(platform: Platform) -> str:
    return platform.postgres.url("postgres", platform.secrets.superuser)


async def test_data_is_there_after_a_restart(folder: Folder) -> None:
    """After a restart the data, the secrets and the ports are the same. A postmaster.pid whose
    number now belongs to another process is no obstacle."""
    for start in (1, 2):
        platform = platform_of(folder)
        supervisor = Supervisor(folder, lambda *_: None)
        await supervisor.start(*platform.servers())
        db = await asyncpg.connect(superuser(platform))
        if start == 1:
            first = platform
            await db.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        answer = await db.fetchval("SELECT answer FROM kept")
        await db.close()
        await supervisor.stop()
        platform.ports.release()
        if start == 1:
            leave_stale_pid(platform)

    assert answer == 42
    assert platform.secrets == first.secrets
    assert platform.ports.number == first.ports.number


def leave_stale_pid(platform: Platform) -> None:
    stale = platform.postgres.data / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{platform.postgres.data}\n")
    owner = platform.postgres.data.stat()
    os.chown(stale, owner.st_uid, owner.st_gid)


async def test_the_socket_and_the_port_want_the_password(
    running: tuple[Platform, Supervisor],
) -> None:
    """Every connection on the machine needs a password."""
    platform, _ = running
    for url in (
        platform.postgres.url("postgres", "wrong"),
        f"postgresql://postgres:wrong@127.0.0.1:{platform.ports.number['postgres']}/aero2",
    ):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(url)


async def test_only_the_owner_reads_the_secrets(running: tuple[Platform, Supervisor]) -> None:
    """Only the owner can read secrets, configuration and logs."""
    root = running[0].folder.root
    for name in ("secrets.json", "nats/nats.conf", "logs", "nats", "run", "postgres"):
        assert stat.S_IMODE((root / name).stat().st_mode) & 0o077 == 0, name


async def test_nothing_listens_beyond_loopback(running: tuple[Platform, Supervisor]) -> None:
    """PostgreSQL and NATS cannot be reached from another machine."""
    _, supervisor = running
    listening = subprocess.run(
        [sys.executable, "-c", LISTENING, *map(str, supervisor.pids().values())],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert listening
    assert set(listening) == {"127.0.0.1"}


LISTENING = """
import psutil, sys
for pid in map(int, sys.argv[1:]):
    for found in psutil.Process(pid).net_connections("inet"):
        if found.status == psutil.CONN_LISTEN:
            print(found.laddr.ip)
"""


async def test_a_killed_server_comes_back(running: tuple[Platform, Supervisor]) -> None:
    """A killed PostgreSQL recovers by itself, with the same data."""
    platform, supervisor = running
    db = await asyncpg.connect(superuser(platform))
    await db.execute("CREATE TABLE kept AS SELECT 1 AS answer")
    await db.close()
    killed = supervisor.pids()["postgres"]
    children = psutil.Process(killed).children()
    children[0].suspend()  # a process that does not notice, as in the middle of a long write
    os.kill(killed, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        while supervisor.pids().get("postgres", killed) == killed:
            await asyncio.sleep(0.05)
        while not await platform.postgres.ready():
            await asyncio.sleep(0.05)
    db = await asyncpg.connect(superuser(platform))

    assert await db.fetchval("SELECT answer FROM kept") == 1
    await db.close()


async def test_an_interrupted_first_start_does_not_block(
    running: tuple[Platform, Supervisor],
) -> None:
    """A cluster that is half created is deleted and created again."""
    assert not (running[0].folder.root / "postgres.new").exists()
    assert await running[0].postgres.ready()


async def test_a_cluster_of_another_version_is_refused(folder: Folder) -> None:
    """The error names the old data folder, which stays unchanged."""
    platform = platform_of(folder)
    (folder.inside("postgres") / "PG_VERSION").write_text("16\n")
    supervisor = Supervisor(folder, lambda *_: None)

    with pytest.raises(CommandError, match=r"made by PostgreSQL 16, this is 18"):
        await supervisor.start(*platform.servers())
    await supervisor.stop()


async def test_a_folder_whose_path_is_too_long_for_a_socket(tmp_path: Path) -> None:
    """If the path is too long for a socket, the port on loopback is used."""
    folder = Folder.at(tmp_path / ("long" * 30) / "data")
    folder.hold({"url": "x"})
    platform = platform_of(folder)
    supervisor = Supervisor(folder, lambda *_: None)
    await supervisor.start(platform.servers()[0])

    assert "127.0.0.1" in superuser(platform)
    await (await asyncpg.connect(superuser(platform))).close()
    await supervisor.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may pick where nobody may look")
async def test_root_behind_a_closed_folder(tmp_path: Path) -> None:
    """PostgreSQL starts, although its account cannot read root's home."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    folder = Folder.at(closed / "data")
    folder.hold({"url": "x"})
    platform = platform_of(folder)
    supervisor = Supervisor(folder, lambda *_: None)
    await supervisor.start(platform.servers()[0])
    pid = supervisor.pids()["postgres"]
    status = dict(
        line.split(":\t", 1)
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if ":\t" in line
    )
    await supervisor.stop()

    assert status["Uid"].split()[0] != "0"
    assert int(status["CapEff"], 16) in (1 << 1, 1 << 2)


def test_a_folder_has_one_holder(folder: Folder) -> None:
    """A second start in the same folder is refused, and the message names the first."""
    with pytest.raises(CommandError, match=rf"already running .* process {os.getpid()}, http://"):
        Folder.at(folder.root).hold({"url": "y"})


def test_ports_that_are_taken_are_left(folder: Folder) -> None:
    """A stored port that another program uses is replaced by a free one."""
    before = ports.choose(folder, public_port=1)
    before.release()
    with ports.listener("127.0.0.1", before.number["postgres"]):
        after = ports.choose(folder, public_port=1)
    after.release()

    assert after.number["postgres"] != before.number["postgres"]
    assert after.number["nats"] == before.number["nats"]


def test_two_that_start_at_once_never_share_a_port(folder: Folder, tmp_path: Path) -> None:
    """All ports except that of the metrics are reserved as soon as they are chosen."""
    other = Folder.at(tmp_path / "other")
    mine, theirs = ports.choose(folder, public_port=1), ports.choose(other, public_port=1)

    for name in (*ports.HELD, *ports.RESERVED):
        assert mine.number[name] != theirs.number[name]
    mine.release()
    theirs.release()


def test_a_reserved_port_is_the_servers_alone(folder: Folder) -> None:
    """No other program gets the port, before the server opens it or between two runs."""
    chosen = ports.choose(folder, public_port=1)
    for name in ports.RESERVED:
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(("127.0.0.1", chosen.number[name]))
        for _ in range(2):
            ports.listener("127.0.0.1", chosen.number[name]).close()
    chosen.release()


DAMAGED = ["", "{", "[]", "5", "null", '{"postgres": "abc"}', '{"postgres": [1]}', '{"nats": -1}']


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_ports_are_chosen_again(folder: Folder, content: str) -> None:
    """A damaged file of ports is written again."""
    (folder.root / ports.FILE).write_text(content)

    chosen = ports.choose(folder, public_port=1)
    chosen.release()

    assert chosen.number == ports.remembered_ports(folder)
    assert set(chosen.number) == set(ports.WANTED)


def test_a_good_part_of_damaged_ports_is_kept(folder: Folder) -> None:
    """One bad number does not change the other ports."""
    with ports.listener("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    folder.write(ports.FILE, {"postgres": "abc", "nats": port})

    chosen = ports.choose(folder, public_port=1)
    chosen.release()

    assert chosen.number["nats"] == port


@pytest.mark.parametrize("content", [*DAMAGED, None])
async def test_commands_say_what_to_do_about_damaged_ports(
    folder: Folder, content: str | None
) -> None:
    """A command that needs a port names the file and what to do."""
    Secrets.load(folder)
    if content is not None:
        (folder.root / ports.FILE).write_text(content)

    with pytest.raises(CommandError, match=r"ports\.json has no port of nats.*delete the file"):
        async with from_environment(folder.root):
            pass


@pytest.mark.parametrize("content", [*DAMAGED, '{"one": {"pid": "x", "started": 1}}', '{"one": 5}'])
def test_a_damaged_register_stops_no_start(folder: Folder, content: str) -> None:
    """A damaged register of processes does not stop the start."""
    (folder.run / "children.json").write_text(content)

    assert Register(folder).stop_orphans() == []


def test_damaged_secrets_are_refused(folder: Folder) -> None:
    """Damaged secrets stop the start. New ones would not open the data."""
    whole = asdict(Secrets.fresh())
    folder.write("secrets.json", {"master_key": "k:x"})
    with pytest.raises(CommandError, match="damaged"):
        Secrets.load(folder)

    damage: dict[str, Any]
    for damage in ({"master_key": 5}, {"nats": []}, {"database": {"oidc": None}}):
        folder.write("secrets.json", whole | damage)
        with pytest.raises(CommandError, match=f"damaged: {next(iter(damage))}"):
            Secrets.load(folder)

    for content in ("", "[]", "{"):
        (folder.root / "secrets.json").write_text(content)
        with pytest.raises(CommandError, match=r"secrets\.json"):
            Secrets.load(folder)


async def test_each_user_says_only_what_is_its_own(running: tuple[Platform, Supervisor]) -> None:
    """rbac receives only its own subject, no other requests and replies. It may send only what its
    code sends."""
    platform, _ = running
    refusals: list[str] = []

    async def refused(error: Exception) -> None:
        refusals.append(str(error))

    nc = NatsClient()
    await nc.connect(
        platform.nats.url,
        user="rbac",
        password=platform.secrets.nats["rbac"],
        inbox_prefix=nats_access.inbox("rbac").encode(),
        error_cb=refused,
    )
    await nc.subscribe("system.rbac.rights.get", queue="rbac")
    await nc.flush()
    assert refusals == []
    for subject in ("identity.session.check", "_INBOX_gateway.>", "_INBOX.>", ">"):
        await nc.subscribe(subject)
    for subject in ("identity.session.check", "oidc.token.exchange", "$JS.API.STREAM.DELETE.AUDIT"):
        await nc.publish(subject, b"")
    await nc.flush()
    await nc.close()

    assert len(refusals) == 7
    assert all("permissions violation" in refusal.lower() for refusal in refusals)


async def test_nobody_without_a_password(running: tuple[Platform, Supervisor]) -> None:
    """NATS refuses anonymous connections."""
    with pytest.raises(nats.errors.Error, match="Authorization"):
        await nats.connect(running[0].nats.url, allow_reconnect=False, max_reconnect_attempts=1)


async def test_a_server_that_does_not_listen_is_not_ready(folder: Folder) -> None:
    """The question is answered, so that a start can look whether the process still runs."""
    async with asyncio.timeout(PATIENCE):
        assert not await Nats(folder, free_port()).accepts("cli", "secret")


def test_deploy_nats_conf_is_what_the_code_needs() -> None:
    """deploy/nats.conf is what `make nats-conf` writes."""
    file = Path(__file__).parents[2] / "deploy" / "nats.conf"

    assert file.read_text() == nats_access.compose_configuration(), "run `make nats-conf`"


def test_orphans_are_servers_in_our_folder_only(folder: Folder, tmp_path: Path) -> None:
    """A nats-server of another deployment is not stopped."""
    other = tmp_path / "other"
    other.mkdir()
    binary = shutil.which("nats-server", path=str(Path(sys.executable).parent))
    assert binary
    theirs = subprocess.Popen(
        [binary, "-a", "127.0.0.1", "-p", "-1"], cwd=other, stderr=subprocess.DEVNULL
    )
    try:
        assert Register(folder).orphans() == []
    finally:
        theirs.kill()
        theirs.wait()


def test_a_user_of_the_machine_exists_for_postgres() -> None:
    """The account to which root changes exists, because initdb looks it up."""
    assert pwd.getpwnam("nobody").pw_uid > 0
