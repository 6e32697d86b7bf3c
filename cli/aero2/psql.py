"""`aero2 psql`: opens psql on the embedded database of a data folder, or on a database cluster."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg

from aero2.embedded import ports, secrets
from aero2.embedded.folder import Folder
from aero2.embedded.postgres import DATABASE, Postgres, binaries
from aero2.failures import CommandError
from aero2.owner_urls import owner_variable, read_owner_urls
from common.homes import MAIN

OWNER: Final = "aero2_owner"
"""The owner of all tables. Row level security binds it, too (FORCE ROW LEVEL SECURITY)."""


def open_psql(
    folder: Path, app: str | None, arguments: list[str], cluster: str | None = None
) -> NoReturn:
    """Replaces this process by psql, connected as the superuser of a data folder, or with `cluster` as the
    owner in the database cluster that the environment names so. With `app` (a slug), the session sees the rows of
    that application only, by the same row level security as the services. Raises CommandError."""
    urls = read_owner_urls() if cluster else {}
    if cluster and (urls or cluster != MAIN):
        connection, app_id = _of_cluster(urls, cluster, app)
    else:
        postgres = embedded_postgres(folder)
        connection, app_id = _connection(postgres), None
        if app is not None:
            url = postgres.url("postgres", postgres.superuser)
            app_id, _ = asyncio.run(_application(url, app))
    environment = {**os.environ, **connection}
    dsn = environment.pop("dsn", "")
    if app_id is not None:
        environment["PGOPTIONS"] = f"-c role={OWNER} -c aero2.app_id={app_id}"
    client = _client()
    words = [client, *(["-d", dsn] if dsn else []), *arguments]
    os.execve(client, words, environment)  # noqa: S606 - psql, without a shell


def _of_cluster(
    urls: dict[str, str], cluster: str, app: str | None
) -> tuple[dict[str, str], str | None]:
    """Returns the connection to a cluster, and the id of the application. The password is in a variable, and the
    rest of the URL in `dsn`."""
    if cluster not in urls:
        known = ", ".join(sorted(urls)) or "none"
        raise CommandError(
            f"{owner_variable(cluster)} is not set. Clusters with a URL in the environment: {known}."
        )
    app_id = None
    if app is not None:
        app_id, home = asyncio.run(_application(urls[MAIN], app))
        if home != cluster:
            raise CommandError(f"The rows of {app} are on another cluster: --cluster {home}.")
    parts = urlsplit(urls[cluster])
    login, at, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    dsn = urlunsplit(parts._replace(netloc=f"{user}{at}{hosts}"))
    return {"dsn": dsn} | ({"PGPASSWORD": unquote(password)} if password else {}), app_id


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


async def _application(url: str, slug: str) -> tuple[str, str]:
    """Returns the id and the home of an application, as `main` has them. Raises CommandError."""
    try:
        db = await asyncpg.connect(url, timeout=10)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise CommandError(
            f"The database cannot be reached: {error}. Is `aero2 up` running?"
        ) from None
    try:
        row = await db.fetchrow("SELECT id, home FROM applications WHERE slug = $1", slug)
    finally:
        await db.close()
    if row is None:
        raise CommandError(f"There is no application with the slug {slug}.")
    return str(row["id"]), row["home"]


def _client() -> str:
    """Returns the path of psql: of the package of the server, or of this system."""
    bundled = binaries() / "psql"
    client = str(bundled) if bundled.exists() else shutil.which("psql")
    if client is None:
        raise CommandError("psql is not installed. Install the client of PostgreSQL.")
    return client
