"""`aero2 stream refill`: runs with the rights of tenancy, which owns the audit log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg
import typer
from pydantic import SecretStr

from aero2 import psql
from aero2.connection import connected_as
from aero2.embedded import ports, secrets
from aero2.embedded.folder import Folder
from aero2.failures import CommandError
from common.db import Database
from common.environment_settings import read_settings
from common.outbox import KEPT
from common.outbox_publisher import AWAY
from tenancy.settings import Settings
from tenancy.stream_refill import Refilled, StreamRefill

SERVICE: Final = "tenancy"


async def refill(hours: float, data_dir: Path | None) -> None:
    """Queues what is missing on the stream of the last hours, and prints it by application. Raises
    CommandError."""
    since = datetime.now(UTC) - min(timedelta(hours=hours), timedelta(seconds=KEPT))
    applications = logged = missing = 0
    async with _tools(data_dir) as tools:
        try:
            async for done in tools.run(since):
                applications, logged = applications + 1, logged + done.logged
                missing += done.missing
                _report(done)
        except (*AWAY, asyncpg.PostgresError) as error:
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
async def _tools(data_dir: Path | None) -> AsyncIterator[StreamRefill]:
    """Opens the connections of tenancy: by its environment, or by the data folder of an `aero2 up`."""
    url, password, dsn, relay_dsn = _from_folder(data_dir) if data_dir else _from_environment()
    async with connected_as(SERVICE, url, password) as nc:
        try:
            database = await Database.connect(dsn, name="aero2-refill", size=1)
            relay = await Database.connect(relay_dsn, name="aero2-refill", size=1)
        except (OSError, asyncpg.PostgresError, TimeoutError) as error:
            raise CommandError(f"The database cannot be reached: {error}.") from None
        try:
            yield StreamRefill(database, relay, nc.jetstream(timeout=10))
        finally:
            await database.close()
            await relay.close()


def _from_environment() -> tuple[str, str | None, SecretStr, SecretStr]:
    settings: Settings = read_settings(Settings, SERVICE)
    password = settings.nats_password.get_secret_value() if settings.nats_password else None
    return settings.nats_url, password, settings.database_url, settings.relay_database_url


def _from_folder(path: Path) -> tuple[str, str | None, SecretStr, SecretStr]:
    postgres = psql.embedded_postgres(path)
    folder = Folder.at(path)
    kept = secrets.stored(folder)
    url = f"nats://127.0.0.1:{ports.port_of(folder, 'nats')}"
    database, relay = (
        SecretStr(postgres.url(f"aero2_{role}", kept["database"][role]))
        for role in (SERVICE, "relay")
    )
    return url, kept["nats"][SERVICE], database, relay
