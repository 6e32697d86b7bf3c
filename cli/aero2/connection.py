"""The command line's connection to the bus."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats.errors

from aero2 import nats_access
from aero2.cluster_config import PASSWORD as OPERATORS_PASSWORD
from aero2.embedded import ports, secrets
from aero2.embedded.folder import Folder
from aero2.failures import CommandError
from aero2.secret_variables import secret_of
from common.bus import NatsBus
from common.nats_client import NatsClient
from common.nats_logins import parse_login
from common.nats_tls import client_context
from common.secret_files import lines
from common.settings import servers


@asynccontextmanager
async def connected(
    url: str, password: str | None, login: str = nats_access.CLI
) -> AsyncIterator[NatsBus]:
    """Connects to a bus. Raises CommandError if NATS is not there or refuses the password."""
    async with connected_as(nats_access.CLI, url, password, login=login) as nc:
        yield NatsBus(nc)


@asynccontextmanager
async def connected_as(
    user: str, url: str, password: str | None, *, login: str | None = None
) -> AsyncIterator[NatsClient]:
    """Connects to NATS as one of its users, by its second login if that is named. Raises CommandError."""
    nc = NatsClient()
    try:
        await nc.connect(
            servers(url),
            name="aero2-cli",
            user=login or user,
            password=password,
            tls=client_context(os.environ.get("AERO2_NATS_CA_FILE")),
            inbox_prefix=nats_access.inbox(user).encode(),
            max_reconnect_attempts=2,
            reconnect_time_wait=0.2,  # type: ignore[arg-type] # seconds, whole or not
            connect_timeout=10,
            error_cb=_quiet,
        )
    except (OSError, nats.errors.Error, TimeoutError, ValueError) as error:
        raise CommandError(f"The bus at {url} cannot be reached: {error}.") from None
    try:
        yield nc
    finally:
        await nc.close()


@asynccontextmanager
async def connected_as_operator(user: str) -> AsyncIterator[NatsClient]:
    """Connects to the servers of a cluster as a user that no service is. Raises CommandError."""
    url, password = os.environ.get("AERO2_NATS_URL"), secret_of(OPERATORS_PASSWORD)
    if not url or not password:
        raise CommandError(f"Set AERO2_NATS_URL and {OPERATORS_PASSWORD}: which cluster is meant?")
    async with connected_as(user, url, password) as nc:
        yield nc


@asynccontextmanager
async def from_environment(folder: Path | None = None) -> AsyncIterator[NatsBus]:
    """Connects as AERO2_NATS_URL and AERO2_NATS_PASSWORD say. Otherwise, or with `folder`, connects
    to the platform that runs on that data folder."""
    url, line = os.environ.get("AERO2_NATS_URL"), secret_of("AERO2_NATS_PASSWORD")
    login, password = parse_login(nats_access.CLI, next(iter(lines(line)), ""))
    if folder is not None or url is None:
        url, login, password = _embedded(folder or Path(".aero2"))
    async with connected(url, password, login) as bus:
        yield bus


def _embedded(path: Path) -> tuple[str, str, str]:
    """Returns URL, login and password of the platform on a data folder. Raises CommandError if `aero2 up`
    has never run there."""
    if not (path / "secrets.json").is_file():
        raise CommandError(
            f"AERO2_NATS_URL is not set, and {path} is no data folder of `aero2 up`: which "
            "deployment is meant?"
        )
    return login_of_folder(Folder.at(path), nats_access.CLI)


def login_of_folder(folder: Folder, user: str) -> tuple[str, str, str]:
    """Returns the URL of NATS on a data folder, and the login and password of one of its users."""
    login, password = secrets.Secrets.load(folder).nats_login(user)
    return f"nats://127.0.0.1:{ports.port_of(folder, 'nats')}", login, password


async def _quiet(_: Exception) -> None:
    """Ignores errors here: the calls raise them."""
