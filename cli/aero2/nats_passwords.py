"""Replaces the passwords of the NATS users of a data folder, while the platform works (docs/adr/0026).

Each user gets a second login with a new password and the same rights. Services move to it, and then the server
forgets the first one. Every step can be repeated, and after each of them every service can connect.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import nats.errors
import psutil

from aero2 import nats_access
from aero2.connection import connected
from aero2.embedded import ports
from aero2.embedded.folder import Folder
from aero2.embedded.nats import Nats, lets_in
from aero2.embedded.password_files import write_nats_files
from aero2.embedded.process import REGISTER
from aero2.embedded.secrets import NATS_USERS, Secrets, other_login, password
from aero2.failures import CommandError
from common.bus import NatsBus
from common.call_hold import LONGEST, SUBJECT

MOVED: Final = 120.0
"""Seconds in which all services move to the new login: they look at their files every 5 s."""
RELOADED: Final = 20.0
"""Seconds in which the server reads its configuration again."""
POLL: Final = 0.2
ANSWERED: Final = 1.0
"""Seconds for calls that have begun to be answered."""
AGAIN: Final = 0.25
"""Seconds between two messages that hold calls."""
TIMES: Final = 20
"""Messages that prolong the wait, at most."""
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
    if await lets_in(server.url, *login):
        return  # an earlier run has come so far
    await asyncio.to_thread(server.prepare)  # takes seconds, in which nobody should wait
    async with held(server.url, _command_line_logins(secrets)):
        _reload(folder)
        await until(
            lambda: lets_in(server.url, *login), RELOADED, "NATS does not accept the new logins"
        )


def _command_line_logins(secrets: Secrets) -> list[tuple[str, str]]:
    """Returns the logins of the command line, the new one first."""
    pairs = (secrets.nats_login(nats_access.CLI), secrets.former_nats_login(nats_access.CLI))
    return [pair for pair in pairs if pair]


@asynccontextmanager
async def held(url: str, logins: Sequence[tuple[str, str]]) -> AsyncIterator[None]:
    """Lets gateways hold new calls until the block is left, because a reload loses the replies on their way
    (common.call_hold). Does so with a login of the command line that the server accepts now, and lets them go on
    with the first one."""
    async with AsyncExitStack() as stack:
        for login, secret in logins:
            if await lets_in(url, login, secret):
                bus = await stack.enter_async_context(connected(url, secret, login))
                await _hold(bus, LONGEST)
                holding = asyncio.create_task(_keep_holding(bus))
                stack.push_async_callback(_cancel, holding)
                await asyncio.sleep(ANSWERED)
                break
        try:
            yield
        finally:
            # The server knows its users a moment before it has gone through its connections.
            await asyncio.sleep(ANSWERED / 2)
            await stack.aclose()
            login, secret = logins[0]
            async with connected(url, secret, login) as bus:
                await _hold(bus, 0)


async def _hold(bus: NatsBus, seconds: float) -> None:
    await bus.nc.publish(SUBJECT, str(seconds).encode())
    await bus.nc.flush(timeout=5)


async def _keep_holding(bus: NatsBus) -> None:
    """Tells gateways again and again to hold calls: one may just return with its new login, and a busy machine
    takes longer than a wait may last. Ends after some seconds: a server that reads nothing must not stop all
    calls."""
    for _ in range(TIMES):
        await asyncio.sleep(AGAIN)
        await _hold(bus, LONGEST)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _give_new(folder: Folder) -> None:
    """Gives services the new login, before the former one."""
    write_nats_files(folder, Secrets.load(folder))


async def _until_moved(folder: Folder, server: Nats, within: float) -> None:
    """Waits until nobody is connected with a former login, and gateways are connected with the new one."""

    secrets = Secrets.load(folder)
    gateway = secrets.nats_login("gateway")[0]
    former = {pair[0] for user in NATS_USERS if (pair := secrets.former_nats_login(user))}
    await until_moved(
        server.url, secrets.nats_login(nats_access.CLI), gateway, former, within=within
    )


async def until_moved(
    url: str, login: tuple[str, str], gateway: str, former: set[str], *, within: float
) -> None:
    """Waits until nobody is connected with one of the `former` logins, and gateways are connected with `gateway`.
    `login` is one of the command line. Raises CommandError."""

    async def moved() -> bool:
        return await settled() and await settled()

    async def settled() -> bool:
        await asyncio.sleep(POLL)
        logins = await _connected_logins(url, *login)
        return gateway in logins and not others & logins

    # A command that runs now ends soon.
    others = former - {nats_access.CLI, other_login(nats_access.CLI, nats_access.CLI)}
    await until(moved, within, "A process still uses its former login")


async def _connected_logins(url: str, login: str, password: str) -> set[str]:
    """Returns the logins of all connections."""
    async with connected(url, password, login) as bus:
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
        return former is None or not await lets_in(server.url, *former)

    await asyncio.to_thread(server.prepare, secrets.all_nats_logins())
    if await refused():
        return  # an earlier run has come so far, and nothing would show when a reload is done
    async with held(server.url, _command_line_logins(secrets)):
        _reload(folder)
        await until(refused, RELOADED, "NATS still accepts the former logins")


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


async def until(condition: Callable[[], Awaitable[bool]], within: float, otherwise: str) -> None:
    """Waits for a condition. Raises CommandError."""
    deadline = asyncio.get_running_loop().time() + within
    while not await condition():
        if asyncio.get_running_loop().time() > deadline:
            raise CommandError(f"{otherwise}. Run the command again: it goes on from here.")
        await asyncio.sleep(POLL)
