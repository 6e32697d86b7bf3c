"""A NATS server of a data folder with a service and a gateway, whose logins stand in files."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.kit.nats_server import free_port, until
from tests.kit.world import MASTER_KEY

from aero2 import nats_passwords
from aero2.embedded.folder import Folder
from aero2.embedded.nats import Nats
from aero2.embedded.password_files import nats_file, write_nats_files
from aero2.embedded.process import Register
from aero2.embedded.secrets import Secrets
from common import nats_login_change
from common.bus_server import BusServer
from common.connections import Connections, connect
from common.context import SYSTEM_CALLER, Context
from common.contracts.rights import GetRights, Rights
from common.secret_files import FileSecret
from common.settings import Settings
from common.testing import context

APP = "01900000-0000-7000-8000-00000000000a"


class Killed(Exception):
    """The process of the rotation ended here."""


async def process_of(url: str, user: str, file: Path) -> Connections:
    """Returns the connections of a process whose login stands in a file."""
    settings = Settings(
        nats_url=url,
        nats_user=user,
        nats_password=FileSecret("AERO2_NATS_PASSWORD_FILE", file),
        master_key=SecretStr(MASTER_KEY),
    )
    return await connect(settings, user)


async def end(links: Connections) -> None:
    for task in links.tasks:
        task.cancel()
    await asyncio.gather(*links.tasks, return_exceptions=True)
    await links.nc.close()


@dataclass
class Platform:
    """The NATS server of a data folder, one service, and the gateway that calls it."""

    folder: Folder
    nats: Nats
    server: subprocess.Popen[bytes]
    service: Connections
    gateway: Connections
    failures: list[str] = field(default_factory=list)
    answers: int = 0
    handled: int = 0

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Calls the only replica of the service all the time."""
        going = True

        async def work() -> None:
            while going:
                try:
                    ctx = context(APP, SYSTEM_CALLER, within=20)
                    await self.gateway.bus.call(ctx, GetRights(user_id=APP))
                    self.answers += 1
                except Exception as error:
                    self.failures.append(repr(error))
                    await asyncio.sleep(0.01)

        workers = [asyncio.create_task(work()) for _ in range(4)]
        yield
        going = False
        await asyncio.gather(*workers)

    def tasks_alive(self) -> bool:
        return not any(
            task.done() for links in (self.service, self.gateway) for task in links.tasks
        )

    async def accepts(self, login: tuple[str, str] | None) -> bool:
        return login is not None and await self.nats.accepts(*login)


@pytest.fixture
async def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Platform]:
    monkeypatch.setattr(nats_login_change, "LOOK", 0.1)
    monkeypatch.setattr(nats_passwords, "POLL", 0.1)
    monkeypatch.setattr(nats_passwords, "ANSWERED", 0.2)
    # A lost answer is lost for good. One second is too short for a busy machine, which runs all of this in one loop.
    monkeypatch.setattr(GetRights, "within", 20.0)
    port = free_port()
    folder = Folder.at(tmp_path / "data")
    folder.write("ports.json", {"nats": port})
    secrets = Secrets.load(folder)
    write_nats_files(folder, secrets)
    nats = Nats(folder, port)
    nats.prepare()
    server = subprocess.Popen(nats.command(), stderr=subprocess.DEVNULL)
    Register(folder).note("nats", server.pid)
    await until(nats.ready)
    service = await process_of(nats.url, "rbac", nats_file(folder, "rbac"))
    gateway = await process_of(nats.url, "gateway", nats_file(folder, "gateway"))
    running = Platform(folder, nats, server, service, gateway)

    async def rights(_: Any, ctx: Context, request: GetRights) -> Rights:
        running.handled += 1
        await asyncio.sleep(0.005)
        return Rights(roles=[request.user_id])

    answering = await BusServer.start(service.nc, "rbac", "0.1.0", None)
    await answering.add(GetRights, rights)
    service.serve(answering)
    await gateway.bus.hold.listen(gateway.nc)
    await service.nc.flush()
    yield running
    for links in (service, gateway):
        await end(links)
    running.server.kill()  # a test may have started another one
    running.server.wait()
