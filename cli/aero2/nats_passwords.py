"""Replaces the passwords of the NATS users of a data folder, while the platform works (docs/adr/0026).

Each user gets a second login with a new password and the same rights. Services move to it, and then the server
forgets the first one. Every step can be repeated, and after each of them every service can connect.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import nats.errors
import psutil

from aero2 import nats_access
from aero2.connection import connected
from aero2.embedded import ports
from aero2.embedded.folder import Folder
from aero2.embedded.nats import Nats
from aero2.embedded.password_files import write_nats_files
from aero2.embedded.process import REGISTER
from aero2.embedded.secrets import NATS_USERS, Secrets, other_login, password
from aero2.failures import CommandError
from common.call_hold import LONGEST, SUBJECT

MOVED: Final = 120.0
"""Seconds in which all services move to the new login: they look at their files every 5 s."""
RELOADED: Final = 20.0
"""Seconds in which the server reads its configuration again."""
POLL: Final = 0.2
ANSWERED: Final = 1.0
"""Seconds for calls that have begun to be answered."""
NOT_RUNNING: Final = "NATS does not run on this data folder. Start `aero2 up`."

Report = Callable[[str], None]


async def rotate(folder: Folder, report: Report, *, within: float = MOVED) -> None:
    """Gives every NATS user a new login, and ends the former ones. Finishes an earlier rotation instead, if that
    was interrupted. Raises CommandError."""
    server = Nats(folder, ports.port_of(folder, "nats"))
    _begin(folder, report)
    await _accept_both(folder, server)
    _give_new(folder)
    report("Services move to the new logins …")
    await _until_moved(folder, server, within)
    await _refuse_former(folder, server)
    _finish(folder)


def _begin(folder: Folder, report: Report) -> None:
    """Writes down the new logins, and the passwords that they replace."""
    secrets = Secrets.load(folder)
    if secrets.former_nats:
        report("Finishing a rotation that was interrupted.")
        return
    secrets.former_nats = secrets.nats
    secrets.nats_logins = {
        user: other_login(user, secrets.nats_login(user)[0]) for user in NATS_USERS
    }
    secrets.nats = {user: password() for user in NATS_USERS}
    secrets.keep(folder)


async def _accept_both(folder: Folder, server: Nats) -> None:
    """Lets the server accept both logins. Nobody is disconnected."""
    secrets = Secrets.load(folder)
    login = secrets.nats_login(nats_access.CLI)
    if await server.accepts(*login):
        return  # an earlier run has come so far
    await asyncio.to_thread(server.prepare)  # takes seconds, in which nobody should wait
    async with _held(server, secrets):
        _reload(folder)
        await _until(
            lambda: server.accepts(*login), RELOADED, "NATS does not accept the new logins"
        )


@asynccontextmanager
async def _held(server: Nats, secrets: Secrets) -> AsyncIterator[None]:
    """Lets gateways hold new calls until the block is left, because a reload loses the replies on their way
    (common.call_hold). Does so with a login that the server accepts now."""
    pairs = (secrets.nats_login(nats_access.CLI), secrets.former_nats_login(nats_access.CLI))
    for login, secret in filter(None, pairs):
        if await server.accepts(login, secret):
            async with connected(server.url, secret, login) as bus:
                for _ in range(2):  # a gateway may just return with its new login
                    await bus.nc.publish(SUBJECT, str(LONGEST).encode())
                    await bus.nc.flush(timeout=5)
                    await asyncio.sleep(ANSWERED / 2)
            break
    try:
        yield
    finally:
        login, secret = secrets.nats_login(nats_access.CLI)
        async with connected(server.url, secret, login) as bus:
            await bus.nc.publish(SUBJECT, b"0")
            await bus.nc.flush(timeout=5)


def _give_new(folder: Folder) -> None:
    """Gives services the new login, before the former one."""
    write_nats_files(folder, Secrets.load(folder))


async def _until_moved(folder: Folder, server: Nats, within: float) -> None:
    """Waits until nobody is connected with a former login, and gateways are connected with the new one."""

    async def moved() -> bool:
        return await settled() and await settled()

    async def settled() -> bool:
        await asyncio.sleep(POLL)
        logins = await _connected_logins(server, *login)
        return gateway in logins and not former & logins

    secrets = Secrets.load(folder)
    login, gateway = secrets.nats_login(nats_access.CLI), secrets.nats_login("gateway")[0]
    former = {pair[0] for user in NATS_USERS if (pair := secrets.former_nats_login(user))}
    former.discard(other_login(nats_access.CLI, login[0]))  # a command that runs now ends soon
    await _until(moved, within, "A process still uses its former login")


async def _connected_logins(server: Nats, login: str, password: str) -> set[str]:
    """Returns the logins of all connections."""
    async with connected(server.url, password, login) as bus:
        question = json.dumps({"auth": True, "limit": 10_000}).encode()
        try:
            reply = await bus.nc.request(nats_access.CONNECTIONS, question, timeout=5)
        except (nats.errors.Error, TimeoutError) as error:
            raise CommandError(f"NATS does not say who is connected: {error!r}.") from None
    return {each["authorized_user"] for each in json.loads(reply.data)["data"]["connections"]}


async def _refuse_former(folder: Folder, server: Nats) -> None:
    """Takes the former logins out of the files and of the server."""
    secrets = Secrets.load(folder)
    former = secrets.former_nats_login(nats_access.CLI)
    secrets.former_nats = {}
    write_nats_files(folder, secrets)

    async def refused() -> bool:
        return former is None or not await server.accepts(*former)

    await asyncio.to_thread(server.prepare, secrets.all_nats_logins())
    if await refused():
        return  # an earlier run has come so far, and nothing would show when a reload is done
    async with _held(server, secrets):
        _reload(folder)
        await _until(refused, RELOADED, "NATS still accepts the former logins")


def _finish(folder: Folder) -> None:
    """Forgets the former passwords."""
    secrets = Secrets.load(folder)
    secrets.former_nats = {}
    secrets.keep(folder)


def _reload(folder: Folder) -> None:
    """Lets the server read its configuration again. Raises CommandError if it does not run."""
    try:
        process = psutil.Process(folder.read(REGISTER)["nats"]["pid"])
        if process.name() != "nats-server":
            raise CommandError(NOT_RUNNING)
        process.send_signal(signal.SIGHUP)
    except (KeyError, TypeError, psutil.NoSuchProcess):
        raise CommandError(NOT_RUNNING) from None


async def _until(condition: Callable[[], Awaitable[bool]], within: float, otherwise: str) -> None:
    """Waits for a condition. Raises CommandError."""
    deadline = asyncio.get_running_loop().time() + within
    while not await condition():
        if asyncio.get_running_loop().time() > deadline:
            raise CommandError(f"{otherwise}. Run the command again: it goes on from here.")
        await asyncio.sleep(POLL)
