"""`aero2 stream refill`: runs with the rights of tenancy, which owns the audit log."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeAlias

import asyncpg
import typer
from pydantic import SecretStr

from aero2 import psql
from aero2.connection import connected_as, login_of_folder
from aero2.embedded import secrets
from aero2.embedded.folder import Folder
from aero2.failures import CommandError
from common.cluster_settings import read_clusters
from common.db import Database
from common.environment_settings import read_settings
from common.homes import MAIN
from common.nats_logins import parse_login
from common.outbox import KEPT
from common.outbox_publisher import AWAY
from common.problems import Problem
from common.secret_files import lines
from tenancy.settings import Settings
from tenancy.stream_refill import Refilled, StreamRefill

SERVICE: Final = "tenancy"
Login: TypeAlias = "tuple[str, str | None]"
"""A user of NATS and the password."""
Clusters: TypeAlias = "dict[str, tuple[SecretStr, SecretStr]]"
"""The URLs of tenancy and of its relay, by cluster."""


async def refill(hours: float, data_dir: Path | None) -> None:
    """Queues what is missing on the stream of the last hours, and prints it by application. Raises
    CommandError."""
    since = datetime.now(UTC) - min(timedelta(hours=hours), timedelta(seconds=KEPT))
    applications = logged = missing = 0
    async with _tools(data_dir) as tools:
        try:
            for of_cluster in tools:
                async for done in of_cluster.run(since):
                    applications, logged = applications + 1, logged + done.logged
                    missing += done.missing
                    _report(done)
        except (*AWAY, asyncpg.PostgresError, Problem) as error:
            raise CommandError(
                f"Stopped after {applications} applications ({missing} events queued): "
                f"{type(error).__name__}: {error}. Run it again."
            ) from None
    typer.echo(
        f"{logged} events of {applications} applications are logged since {since:%Y-%m-%d %H:%M} UTC. "
        f"{missing} were missing on the stream, and are on their way."
    )


def _report(done: Refilled) -> None:
    if done.missing:
        typer.echo(f"{done.app_id}: {done.missing} of {done.logged}", err=True)


@asynccontextmanager
async def _tools(data_dir: Path | None) -> AsyncIterator[list[StreamRefill]]:
    """Opens the connections of tenancy to each cluster: by its environment, or by the data folder of an
    `aero2 up`."""
    url, login, clusters = _from_folder(data_dir) if data_dir else _from_environment()
    async with (
        connected_as(SERVICE, url, login[1], login=login[0]) as nc,
        AsyncExitStack() as stack,
    ):
        tools = []
        for home, dsns in clusters.items():
            databases = []
            for dsn in dsns:
                try:
                    database = await Database.connect(dsn, name="aero2-refill", size=1, home=home)
                except (OSError, asyncpg.PostgresError, TimeoutError) as error:
                    raise CommandError(
                        f"The database of {home} cannot be reached: {error}."
                    ) from None
                stack.push_async_callback(database.close)
                databases.append(database)
            tools.append(StreamRefill(databases[0], databases[1], nc.jetstream(timeout=10)))
        yield tools


def _from_environment() -> tuple[str, Login, Clusters]:
    settings: Settings = read_settings(Settings, SERVICE)
    urls = read_clusters(settings, SERVICE, os.environ)
    login: Login = (SERVICE, None)
    if settings.nats_password:
        newest = next(iter(lines(settings.nats_password.get_secret_value())), "")
        login = parse_login(settings.nats_user or SERVICE, newest)
    return (
        settings.nats_url,
        login,
        {home: (each["database_url"], each["relay_database_url"]) for home, each in urls.items()},
    )


def _from_folder(path: Path) -> tuple[str, Login, Clusters]:
    postgres = psql.embedded_postgres(path)
    folder = Folder.at(path)
    kept = secrets.Secrets.load(folder)
    url, login, secret = login_of_folder(folder, SERVICE)
    database, relay = (
        SecretStr(postgres.url(f"aero2_{role}", kept.database[role])) for role in (SERVICE, "relay")
    )
    return url, (login, secret), {MAIN: (database, relay)}
