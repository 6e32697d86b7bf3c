"""Saves the embedded database before `aero2 up` updates it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from aero2.durable_files import sync
from aero2.embedded.postgres import DATABASE, Postgres, binaries
from aero2.failures import CommandError

KEPT: Final = 3
"""Files that stay. The oldest goes once a new one is complete."""
PATTERN: Final = "before-*.dump"
LOOKS: Final = 1.0


async def save(postgres: Postgres, version: str, report: Callable[[str], None]) -> Path:
    """Writes all of the database into the folder `backups`, in the custom format of pg_dump, and returns
    the file. Calls `report` with its size about once a second. Raises CommandError, and leaves no half of
    a file behind, if it cannot be written."""
    folder = postgres.folder.inside("backups")
    target = folder / time.strftime(f"before-{version}-%Y%m%d-%H%M%S.dump", time.gmtime())
    unfinished = target.with_suffix(".unfinished")
    try:
        await _dump(postgres, unfinished, report)
        sync(unfinished)
        unfinished.rename(target)
        sync(folder)
    finally:
        unfinished.unlink(missing_ok=True)
    for old in sorted(folder.glob(PATTERN), key=lambda file: file.stat().st_mtime)[:-KEPT]:
        old.unlink()
    return target


async def _dump(postgres: Postgres, file: Path, report: Callable[[str], None]) -> None:
    command = [
        str(binaries() / "pg_dump"),
        *("--format=custom", "--compress=gzip:1", "--no-publications", "--no-subscriptions"),
        *("--statistics", f"--dbname={postgres.url('postgres', '', DATABASE)}"),
    ]
    environment = os.environ | {"PGPASSWORD": postgres.superuser}
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=handle, stderr=asyncio.subprocess.PIPE
        )
    finally:
        os.close(handle)
    ended = asyncio.create_task(process.communicate())
    try:
        while not (await asyncio.wait({ended}, timeout=LOOKS))[0]:
            report(f"{file.stat().st_size / 2**20:.0f} MiB")
    except BaseException:
        process.kill()
        raise
    _, said = await ended
    if process.returncode:
        raise CommandError(
            "The database could not be saved, so it was not updated. `--no-backup` updates without.",
            detail=said.decode(errors="replace"),
        )
