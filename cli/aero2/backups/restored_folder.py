"""Makes a data folder of `aero2 up` of a backup. A folder that is not complete says so, and does not start."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from aero2.backups.access import DASHBOARD_KEYS, master_key_in
from aero2.durable_files import sync
from aero2.embedded.folder import UNFINISHED_RESTORE, Folder
from aero2.embedded.postgres import Postgres
from aero2.embedded.secrets import FILE, stored
from aero2.embedded.temporary_server import temporary_server
from aero2.failures import CommandError

MADE: Final = ("postgres", "postgres.new", "nats", "socket", "run", "ports.json", DASHBOARD_KEYS)
"""Names in the folder that a restore makes, and that a next try removes."""


def held(path: Path) -> Folder:
    """Returns the folder, which this process now holds. Raises CommandError if a platform runs on it, or
    if it has data."""
    folder = Folder.at(path)
    folder.hold({"url": None}, restoring=True)
    if (folder.root / UNFINISHED_RESTORE).exists():
        return folder
    if there := [name for name in MADE if (folder.root / name).exists()]:
        raise CommandError(
            f"{folder.root} has data already ({', '.join(there)}), and a restore never replaces any. "
            "Name a new folder with --data-dir."
        )
    return folder


def secrets_for(folder: Folder, secrets: dict[str, Any]) -> dict[str, Any]:
    """Returns the content of secrets.json: that of the backup, else of the folder. Raises CommandError."""
    if FILE in secrets:
        there = folder.read(FILE)
        if there not in ({}, secrets[FILE]) and not (folder.root / UNFINISHED_RESTORE).exists():
            raise CommandError(
                f"{folder.root / FILE} has other secrets than the backup. Move it away, or restore "
                "with it and without --passphrase-file."
            )
        return dict(secrets[FILE])
    if master_key_in(secrets):
        raise CommandError(
            "This backup is not of `aero2 up`, and its secrets fit no data folder. Restore it with "
            "AERO2_OWNER_DATABASE_URL."
        )
    if content := stored(folder):
        return content
    raise CommandError(
        f"The secrets are missing. Name the passphrase of the backup with --passphrase-file, or put "
        f"the {FILE} of its time into {folder.root}."
    )


@asynccontextmanager
async def restoring(
    folder: Folder,
    backup: Path,
    secrets: dict[str, Any],
    *,
    prepare: Callable[[], Awaitable[None]] | None = None,
    settings: tuple[str, ...] = (),
) -> AsyncIterator[Postgres]:
    """Yields a server on the folder, which has no data but what `prepare` puts there, and marks the folder
    until the block has succeeded. `secrets` are those of `secrets_for`, and of the Dashboard's keys.
    `settings` are more of the server's options."""
    mark = folder.root / UNFINISHED_RESTORE
    folder.write(UNFINISHED_RESTORE, {"backup": str(backup), "pid": os.getpid()})
    sync(folder.root)
    for name in MADE:
        remove(folder.root / name)
    own = {FILE: secrets[FILE], DASHBOARD_KEYS: secrets.get(DASHBOARD_KEYS)}
    for name, content in own.items():
        if content is not None and folder.read(name) != content:
            folder.write(name, content)
    if prepare is not None:
        await prepare()
    async with temporary_server(folder, secrets[FILE]["superuser"], settings) as postgres:
        yield postgres
    sync(folder.root)
    mark.unlink()
    sync(folder.root)


def remove(path: Path) -> None:
    """Removes a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_secrets(file: Path, secrets: dict[str, Any]) -> None:
    """Writes the opened secrets into a new file that only its owner can read. Raises CommandError."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CommandError(f"{file} cannot be made: {error.strerror}.") from None
    with os.fdopen(handle, "w") as opened:
        json.dump(secrets, opened, indent=2)
