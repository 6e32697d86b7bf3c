"""Passwords of NATS users are replaced while processes call each other, and a rotation that was killed goes on."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.bus.nats_platform import Killed, Platform, end, process_of
from tests.kit.nats_server import NatsServer, start, until

from aero2 import nats_passwords
from aero2.embedded.password_files import nats_file, write_nats_files
from aero2.embedded.process import Register
from aero2.embedded.secrets import Secrets
from common.outbox import ensure_stream
from common.process_life import is_healthy

STEPS = ("_begin", "_accept_both", "_give_new", "_until_moved", "_refuse_former", "_finish")
EVERY_DAY = "_give_new"
"""The step at which every run of the tests kills a rotation. The others are `long`."""


async def rotate(platform: Platform) -> None:
    await nats_passwords.rotate(platform.folder, lambda _: None, within=30)


async def test_logins_are_replaced_under_load(platform: Platform) -> None:
    """No call to the only replica fails, and each is handled once. Processes go on, the former logins are
    refused, and the stream of events is still there (nats-server#6606). Twice: the names alternate."""
    await ensure_stream(platform.service.js, replicas=1)
    await platform.service.js.publish("audit.rbac.test", b"kept")
    formers = []
    async with platform.load():
        for _ in range(2):
            formers.append(Secrets.load(platform.folder).nats_login("cli"))
            await asyncio.sleep(0.2)
            await rotate(platform)
        await asyncio.sleep(0.2)

    assert platform.failures == []
    assert platform.answers > 50
    assert platform.handled == platform.answers
    assert platform.tasks_alive()
    assert [await platform.accepts(former) for former in formers] == [False, False]
    assert (await platform.service.js.stream_info("AUDIT")).state.messages == 1
    secrets = Secrets.load(platform.folder)
    assert secrets.nats_login("rbac") == ("rbac", secrets.nats["rbac"])
    assert secrets.former_nats == {}
    for links in (platform.service, platform.gateway):
        assert await is_healthy(links, None)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "step",
    [step if step == EVERY_DAY else pytest.param(step, marks=pytest.mark.long) for step in STEPS],
)
async def test_a_rotation_that_was_killed_is_finished(
    platform: Platform, step: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it ended, processes can connect, and the next run finishes without a failed call."""
    former = Secrets.load(platform.folder).nats_login("cli")
    whole: Callable[..., Any] = getattr(nats_passwords, step)
    waits = asyncio.iscoroutinefunction(whole)

    def killed(*arguments: Any) -> Any:
        async def later() -> None:
            if after:
                await whole(*arguments)
            raise Killed

        if waits:
            return later()
        if after:
            whole(*arguments)
        raise Killed

    async with platform.load():
        with monkeypatch.context() as patched:
            patched.setattr(nats_passwords, step, killed)
            with pytest.raises(Killed):
                await rotate(platform)
        file = nats_file(platform.folder, "tenancy")
        await end(await process_of(platform.nats.url, "tenancy", file))
        write_nats_files(platform.folder, Secrets.load(platform.folder))  # `aero2 up` starts
        await rotate(platform)
    secrets = Secrets.load(platform.folder)

    assert platform.failures == []
    assert platform.tasks_alive()
    assert secrets.former_nats == {}
    assert await platform.accepts(secrets.nats_login("cli"))
    assert not await platform.accepts(former)


async def test_processes_return_after_a_restart_of_the_server(platform: Platform) -> None:
    """In the middle of a rotation, too: both logins are in the configuration that a start writes
    (nats-server#8606)."""
    nats_passwords._begin(platform.folder, lambda _: None)
    platform.nats.prepare()
    platform.server.kill()
    platform.server.wait()
    platform.server = subprocess.Popen(platform.nats.command(), stderr=subprocess.DEVNULL)
    Register(platform.folder).note("nats", platform.server.pid)
    await until(platform.nats.ready)
    links = (platform.service, platform.gateway)
    await until(lambda: all(each.nc.is_connected for each in links))
    await rotate(platform)

    assert platform.tasks_alive()
    assert all(each.nc.is_connected for each in links)


USERS = """authorization {{ users: [
  {{ user: probe, password: valid, permissions {{ subscribe {{ allow: [{subjects}] }} }} }}
] }}"""


@pytest.fixture
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    subjects = '"_INBOX_probe.>", "changed.>"'
    server = start(tmp_path_factory.mktemp("nats"), USERS.format(subjects=subjects))
    yield server
    server.stop(signal.SIGKILL)


async def test_a_login_that_is_not_valid_yet_is_passed_over(
    guarded: NatsServer, tmp_path: Path
) -> None:
    """The file has the new line before the server knows it: the former one is used."""
    file = tmp_path / "login"
    file.write_text("probe-2:later\nvalid\n")
    links = await process_of(guarded.url, "probe", file)

    assert links.nc.is_connected
    assert links.login_change is not None
    assert not await links.login_change.change()
    assert links.nc.is_connected
    await end(links)


async def test_a_right_that_a_reload_removes_makes_the_process_unhealthy(
    guarded: NatsServer, tmp_path: Path, capsys: Any
) -> None:
    """It would hear nothing of that subject any more, and nobody would know (nats-server#515). Its heartbeat
    stops, and the log names the subject. Once the right is back, a new connection is healthy."""
    file = tmp_path / "login"
    file.write_text("valid\n")
    links = await process_of(guarded.url, "probe", file)
    assert await is_healthy(links, None)
    text = guarded.config.read_text()
    guarded.config.write_text(text.replace('"changed.>"', '"other"'))
    guarded.signal(signal.SIGHUP)
    await until(lambda: links.refused_subjects)

    assert links.refused_subjects == {"changed.>"}
    assert not await is_healthy(links, None)
    assert "nats.right_removed" in capsys.readouterr().out
    guarded.config.write_text(text)
    guarded.restart()
    await until(lambda: not links.refused_subjects and links.nc.is_connected)
    assert await is_healthy(links, None)
    await end(links)
