"""`aero2 secrets rotate`: new passwords for the database or for NATS, while services work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from aero2 import cluster_passwords, database_passwords, nats_file_passwords, nats_passwords
from aero2.command_groups import new_group
from aero2.embedded.folder import Folder
from aero2.embedded.rotation_lock import Locked, rotation_lock
from aero2.embedded.secrets import FILE
from aero2.failures import CommandError, report_failures
from aero2.secret_variables import OWNER, owner_login
from common.secret_files import BadSecret

Report = Callable[[str], None]
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Data folder of a running `aero2 up`. Without it: the deployment of the environment, else .aero2."
    ),
]

app = new_group("Replace the passwords of the database or of NATS without downtime.")


@app.command("database")
def database(data_dir: DataDir = None) -> None:
    """Give every database role a new password, in all clusters. Run it again if it was interrupted."""

    async def elsewhere(report: Report) -> None:
        await cluster_passwords.Rotation.of_environment().run(report)

    _run(data_dir, database_passwords.rotate, elsewhere)
    typer.echo("Replaced the passwords of all database roles.")


@app.command("owner")
def owner(data_dir: DataDir = None) -> None:
    """Give the owner of the database a new password: under `aero2 up` the superuser. Run it again if it was
    interrupted."""
    _run(data_dir, database_passwords.rotate_owner, cluster_passwords.rotate_owners)
    typer.echo("Replaced the password of the owner.")


@app.command("nats")
def nats(data_dir: DataDir = None) -> None:
    """Give every NATS user a new password. Run it again if it was interrupted."""

    async def elsewhere(report: Report) -> None:
        await nats_file_passwords.NatsRotation.of_environment().run(report)

    _run(data_dir, nats_passwords.rotate, elsewhere)
    typer.echo("Replaced the passwords of all NATS users.")


def _run(
    path: Path | None,
    rotate: Callable[[Folder, Report], Awaitable[None]],
    elsewhere: Callable[[Report], Awaitable[None]],
) -> None:
    """Runs a rotation on a data folder, or on the deployment that the environment names."""

    async def run(folder: Folder) -> None:
        await rotate(folder, typer.echo)

    async def run_elsewhere() -> None:
        await elsewhere(typer.echo)

    with report_failures():
        if path is None and _is_named_by_environment():
            asyncio.run(run_elsewhere())
            return
        path = path or Path(".aero2")
        if not (path / FILE).is_file():
            raise CommandError(f"{OWNER} is not set, and {path} is no data folder of `aero2 up`.")
        folder = Folder.at(path)
        try:
            with rotation_lock(folder):
                asyncio.run(run(folder))
        except Locked:
            raise CommandError("Another rotation is running on this data folder.") from None


def _is_named_by_environment() -> bool:
    try:
        return owner_login() is not None
    except BadSecret as problem:
        raise CommandError(f"{problem}.") from None
