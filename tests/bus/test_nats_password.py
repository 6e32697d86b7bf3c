"""A process whose NATS password was changed ends, so that its successor reads the new one."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from tests.kit.nats_server import NatsServer, start, until
from tests.kit.world import MASTER_KEY

from common.connections import Connections, connect
from common.settings import Settings

USERS = """authorization {{ users: [
  {{ user: probe, password: {password} }}
  {{ user: other, password: other }}
] }}"""


@pytest.fixture
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server that asks for a password."""
    server = start(tmp_path_factory.mktemp("nats"), USERS.format(password="first"))
    yield server
    server.stop(signal.SIGKILL)


def change_password(server: NatsServer) -> None:
    text = server.config.read_text()
    server.config.write_text(text.replace("password: first", "password: second"))


async def connected(server: NatsServer, password: str = "first") -> Connections:
    settings = Settings(
        nats_url=server.url,
        nats_user="probe",
        nats_password=SecretStr(password),
        master_key=SecretStr(MASTER_KEY),
    )
    return await connect(settings, "probe")


def watched(links: Connections) -> asyncio.Task[None]:
    """Returns the task whose death ends the process."""
    (task,) = (task for task in links.tasks if task.get_name() == "nats")
    return task


async def finish(links: Connections) -> None:
    for task in links.tasks:
        task.cancel()
    await asyncio.gather(*links.tasks, return_exceptions=True)
    await links.nc.close()


@pytest.mark.parametrize("how", ["reload", "restart"])
async def test_a_changed_password_ends_the_process(guarded: NatsServer, how: str) -> None:
    """A reload closes the connection by `-ERR`, which nats-py takes for its end. After a restart it
    would try the old password for ever: a process that lives and hears nothing."""
    links = await connected(guarded)
    change_password(guarded)
    if how == "reload":
        guarded.signal(signal.SIGHUP)
    else:
        guarded.restart()
    await until(watched(links).done)

    assert "password" in str(watched(links).exception())
    await finish(links)
    successor = await connected(guarded, "second")
    assert successor.nc.is_connected
    assert not watched(successor).done()
    await finish(successor)


async def test_a_server_that_is_away_does_not_end_the_process(guarded: NatsServer) -> None:
    """The password is good, so the connection comes back, also after a change for another user."""
    links = await connected(guarded)
    for _ in range(2):
        guarded.stop(signal.SIGKILL)
        await until(lambda: not links.nc.is_connected)
        guarded.launch()
        await until(lambda: links.nc.is_connected)
    text = guarded.config.read_text()
    guarded.config.write_text(text.replace("password: other", "password: another"))
    guarded.signal(signal.SIGHUP)
    await asyncio.sleep(0.5)

    assert links.nc.is_connected
    assert not watched(links).done()
    await finish(links)
