"""`aero2 secrets rotate`: new passwords for the database or for NATS, while `aero2 up` runs."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from aero2 import database_passwords, nats_passwords
from aero2.command_groups import new_group
from aero2.embedded.folder import Folder
from aero2.embedded.secrets import FILE
from aero2.failures import CommandError, report_failures

LOCK: Final = "rotation.lock"
Report = Callable[[str], None]
DataDir = Annotated[Path, typer.Option(help="Data folder of a running `aero2 up`.")]

app = new_group("Replace the passwords of the database or of NATS without downtime.")


@app.command("database")
def database(data_dir: DataDir = Path(".aero2")) -> None:
    """Give every database role a new password. Run it again if it was interrupted."""
    _run(data_dir, database_passwords.rotate)
    typer.echo("Replaced the passwords of all database roles.")


@app.command("nats")
def nats(data_dir: DataDir = Path(".aero2")) -> None:
    """Give every NATS user a new password. Run it again if it was interrupted."""
    _run(data_dir, nats_passwords.rotate)
    typer.echo("Replaced the passwords of all NATS users.")


def _run(path: Path, rotate: Callable[[Folder, Report], Awaitable[None]]) -> None:
    async def run() -> None:
        await rotate(folder, typer.echo)

    with report_failures():
        if not (path / FILE).is_file():
            raise CommandError(
                f"{path} is no data folder of `aero2 up`. Elsewhere, replace the passwords in their "
                "files (docs/operating.md)."
            )
        folder = Folder.at(path)
        with _alone(folder):
            asyncio.run(run())


@contextmanager
def _alone(folder: Folder) -> Iterator[None]:
    """Raises CommandError if another rotation runs on the folder."""
    with os.fdopen(os.open(folder.root / LOCK, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError("Another rotation is running on this data folder.") from None
        yield
