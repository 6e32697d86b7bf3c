"""`aero2 secrets`: the master keys of a deployment, from the first to the one that replaces it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from aero2 import master_key_rotation, owner_connection, rotate_passwords
from aero2.command_groups import new_group
from aero2.embedded import ports
from aero2.embedded.folder import Folder
from aero2.embedded.postgres import Postgres
from aero2.embedded.secrets import FILE, master_key, stored
from aero2.failures import CommandError, report_failures
from aero2.owner_urls import read_owner_urls
from aero2.secret_variables import owner_url, secret_of
from common.crypto import BadKey, Keys
from common.homes import MAIN
from common.secret_files import BadSecret

app = new_group("Master keys and passwords.")
app.add_typer(rotate_passwords.app, name="rotate")

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Data folder of a running `aero2 up`. Without it: AERO2_OWNER_DATABASE_URL and "
        "AERO2_MASTER_KEY, else .aero2."
    ),
]


@app.callback()
def main() -> None:
    """Master keys: which are in use, and how one replaces another. New passwords for the database and NATS
    (docs/operating.md)."""


@app.command("add")
def add(data_dir: DataDir = None) -> None:
    """Make a new master key: in the data folder, for the next start; else print the new value."""
    with report_failures():
        folder = _folder(data_dir)
        new_key = master_key()
        if folder is None:
            typer.echo(f"AERO2_MASTER_KEY={new_key},{secret_of('AERO2_MASTER_KEY')}".rstrip(","))
            return
        content = stored(folder)
        folder.write(FILE, content | {"master_key": f"{new_key},{content['master_key']}"})
        typer.echo(
            f"Added {new_key.partition(':')[0]}. Restart `aero2 up`, then: aero2 secrets rewrap"
        )


@app.command("status")
def status(data_dir: DataDir = None) -> None:
    """Show each master key, the data keys it wraps, and the hashes that need its recognition key."""
    with report_failures():
        status_by_cluster = asyncio.run(_status(data_dir))
    for cluster, rows in status_by_cluster.items():
        title = f"cluster {cluster}" if len(status_by_cluster) > 1 else None
        table = Table("key", "state", "data keys", "hashes", title=title)
        for row in rows:
            hashes = ", ".join(f"{name} {n}" for name, n in row.hashes.items()) or "0"
            table.add_row(row.id, row.state, str(row.data_keys), hashes)
        Console().print(table)


@app.command("rewrap")
def rewrap(data_dir: DataDir = None) -> None:
    """Wrap every data key under the active master key. Can be run again at any time."""

    async def run() -> int:
        async with _databases(data_dir) as databases:
            return sum(
                [await master_key_rotation.rewrap(db, _keys(data_dir)) for db in databases.values()]
            )

    with report_failures():
        typer.echo(f"Wrapped {asyncio.run(run())} keys under the active master key.")


@app.command("retire")
def retire(
    key: Annotated[str, typer.Argument(help="The id of the master key.")],
    data_dir: DataDir = None,
) -> None:
    """Take a master key out of use. Refused while a data key still needs it."""

    async def run() -> None:
        async with _databases(data_dir) as databases:
            for cluster, db in databases.items():
                await master_key_rotation.retire(
                    db, _keys(data_dir), key, is_required=cluster == MAIN
                )

    with report_failures():
        asyncio.run(run())
        folder = _folder(data_dir)
        if folder is None:
            typer.echo(f"Retired {key}. Take it out of AERO2_MASTER_KEY and restart the services.")
            return
        content = stored(folder)
        left = [part for part in content["master_key"].split(",") if not part.startswith(f"{key}:")]
        folder.write(FILE, content | {"master_key": ",".join(left)})
        typer.echo(f"Retired {key} and took it out of {folder.root / FILE}. Restart `aero2 up`.")


async def _status(data_dir: Path | None) -> dict[str, list[master_key_rotation.MasterKeyStatus]]:
    async with _databases(data_dir) as databases:
        return {
            cluster: await master_key_rotation.status(db, _keys(data_dir))
            for cluster, db in databases.items()
        }


def _folder(path: Path | None) -> Folder | None:
    """The data folder that is meant; None where the environment says which deployment."""
    if path is None and _owner():
        return None
    path = path or Path(".aero2")
    if not (path / FILE).is_file():
        raise CommandError(
            f"AERO2_OWNER_DATABASE_URL is not set, and {path} is no data folder of `aero2 up`."
        )
    return Folder.at(path)


def _owner() -> str:
    try:
        return owner_url()
    except BadSecret as problem:
        raise CommandError(f"{problem}.") from None


def _keys(data_dir: Path | None) -> Keys:
    folder = _folder(data_dir)
    text = stored(folder)["master_key"] if folder else secret_of("AERO2_MASTER_KEY")
    try:
        return Keys.parse(text)
    except BadKey as error:
        raise CommandError(
            f"{folder.root / FILE if folder else 'AERO2_MASTER_KEY'}: {error}."
        ) from None


@asynccontextmanager
async def _databases(
    data_dir: Path | None,
) -> AsyncIterator[dict[str, master_key_rotation.Connection]]:
    """Connects to the database of each cluster, that of `main` last."""
    folder = _folder(data_dir)
    if folder is None:
        urls = read_owner_urls()
    else:
        superuser = stored(folder)["superuser"]
        port = ports.port_of(folder, "postgres")
        urls = {MAIN: Postgres(folder, port, superuser).url("postgres", superuser)}
    async with AsyncExitStack() as stack:
        databases = {}
        for cluster, url in urls.items():
            try:
                db = await owner_connection.connect(url)
            except owner_connection.UNREACHABLE as error:
                raise CommandError(
                    f"The database cannot be reached: {error}. Is Aero2 running?"
                ) from None
            stack.push_async_callback(db.close)
            databases[cluster] = db
        yield databases
