"""`aero2 psql`: opens psql on the embedded database of a data folder."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Final, NoReturn

import asyncpg

from aero2.embedded import ports, secrets
from aero2.embedded.folder import Folder
from aero2.embedded.postgres import DATABASE, Postgres, binaries
from aero2.failures import CommandError

OWNER: Final = "aero2_owner"
"""The owner of all tables. Row level security binds it, too (FORCE ROW LEVEL SECURITY)."""


def open_psql(folder: Path, app: str | None, arguments: list[str]) -> NoReturn:
    """Replaces this process by psql, connected as the superuser. With `app` (a slug), the session sees
    the rows of that application only, by the same row level security as the services. Raises
    CommandError."""
    postgres = embedded_postgres(folder)
    environment = {**os.environ, **_connection(postgres)}
    if app is not None:
        app_id = asyncio.run(_app_id(postgres, app))
        environment["PGOPTIONS"] = f"-c role={OWNER} -c aero2.app_id={app_id}"
    client = _client()
    os.execve(client, [client, *arguments], environment)  # noqa: S606 - psql, without a shell


def embedded_postgres(path: Path) -> Postgres:
    """Returns the database of a data folder. Raises CommandError if `aero2 up` has never run there."""
    if not (path / secrets.FILE).is_file():
        raise CommandError(f"{path} is not a data folder of `aero2 up`; name one with --data-dir.")
    folder = Folder.at(path)
    superuser = secrets.stored(folder).get("superuser", "")
    return Postgres(folder, ports.port_of(folder, "postgres"), superuser)


def _connection(postgres: Postgres) -> dict[str, str]:
    """Returns the variables of libpq: a password in an argument would be visible to other users."""
    return {
        "PGHOST": str(postgres.socket_folder or "127.0.0.1"),
        "PGPORT": str(postgres.port),
        "PGUSER": "postgres",
        "PGPASSWORD": postgres.superuser,
        "PGDATABASE": DATABASE,
    }


async def _app_id(postgres: Postgres, slug: str) -> str:
    try:
        db = await asyncpg.connect(postgres.url("postgres", postgres.superuser), timeout=10)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise CommandError(
            f"The database cannot be reached: {error}. Is `aero2 up` running?"
        ) from None
    try:
        app_id = await db.fetchval("SELECT id FROM applications WHERE slug = $1", slug)
    finally:
        await db.close()
    if app_id is None:
        raise CommandError(f"There is no application with the slug {slug}.")
    return str(app_id)


def _client() -> str:
    """Returns the path of psql: of the package of the server, or of this system."""
    bundled = binaries() / "psql"
    client = str(bundled) if bundled.exists() else shutil.which("psql")
    if client is None:
        raise CommandError("psql is not installed. Install the client of PostgreSQL.")
    return client
