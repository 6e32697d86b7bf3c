"""Base backups in an archive: copies of a whole server, from which the archived WAL leads on.

<archive>/wal/                       the WAL, by aero2/wal_archive.py
<archive>/base/<time>/data/          the copy
<archive>/base/<time>/manifest.json, secrets.sealed
<archive>/points/<name>.json         named points
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg

from aero2.backups import facts, manifest, programs, sealed_secrets
from aero2.backups.access import connected
from aero2.backups.manifest import SECRETS, Manifest, stored_file
from aero2.backups.progress import Reporter
from aero2.durable_files import sync, write_private
from aero2.failures import CommandError

BASE: Final = "base"
DATA: Final = "data"
POINTS: Final = "points"
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


@dataclass(frozen=True)
class BaseBackup:
    """A copy of the server at `dsn` into the archive. The role is a superuser, or has REPLICATION and
    sees all rows."""

    dsn: str
    archive: Path
    secrets: dict[str, Any] | None
    passphrase: str = ""

    async def run(self, reporter: Reporter) -> Path:
        """Writes and verifies the copy. Returns its folder. Raises CommandError, and leaves no half under
        a name of a base backup."""
        name = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        target = self.archive / BASE / name
        unfinished = target.with_name(f".{name}.unfinished")
        try:
            target.parent.mkdir(mode=0o700, exist_ok=True)
            for left in target.parent.glob(".*.unfinished"):
                shutil.rmtree(left)
            unfinished.mkdir(mode=0o700)
            described = await self._copy(unfinished, reporter)
            if self.secrets is not None:
                text = sealed_secrets.seal(self.secrets, self.passphrase)
                write_private(unfinished / SECRETS, text)
                described = replace(described, files={SECRETS: stored_file(unfinished / SECRETS)})
            described.write(unfinished)
            for path in [*unfinished.iterdir(), unfinished]:
                sync(path)
            unfinished.rename(target)
            sync(target.parent)
        except OSError as error:
            raise CommandError(f"The base backup could not be written: {error}.") from None
        except asyncpg.PostgresError as error:
            raise CommandError(f"The database could not be read: {error}") from None
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return target

    async def _copy(self, folder: Path, reporter: Reporter) -> Manifest:
        async with connected(self.dsn) as db:
            await facts.must_see_all(db)
            at = programs.folder_for(db.get_server_version().major)
            plain, password = programs.without_password(self.dsn)
            reporter.say("Copying the server …")
            await programs.run(
                [
                    *(str(at / "pg_basebackup"), "--checkpoint=fast", "--wal-method=stream"),
                    *(f"--pgdata={folder / DATA}", f"--dbname={plain}"),
                ],
                password,
                on_table=_nothing,
            )
            reporter.say("Verifying the copy …")
            await programs.run(
                [str(at / "pg_verifybackup"), "--quiet", str(folder / DATA)], {}, on_table=_nothing
            )
            # After the copy: a recovery to an earlier moment needs an earlier base.
            return await facts.describe(db, statistics=True)


def _nothing(_: str) -> None:
    """These programs name no tables."""


@dataclass(frozen=True)
class Point:
    """A named point of the WAL."""

    name: str
    lsn: str
    at: str


async def name_point(dsn: str, archive: Path, name: str) -> Point:
    """Writes a named point into the WAL, and has it archived. Raises CommandError."""
    if not NAME.fullmatch(name):
        raise CommandError(f"{name!r} is no name of a point: use letters, digits, . _ and -")
    file = archive / POINTS / f"{name}.json"
    if file.exists():
        raise CommandError(f"There is a point {name} already.")
    try:
        async with connected(dsn) as db:
            lsn = await db.fetchval("SELECT pg_create_restore_point($1)::text", name)
            await db.execute("SELECT pg_switch_wal()")
    except asyncpg.PostgresError as error:
        raise CommandError(f"The point could not be made: {error}") from None
    point = Point(name, lsn, datetime.now(UTC).isoformat(timespec="seconds"))
    await asyncio.to_thread(_keep, file, point)
    return point


def _keep(file: Path, point: Point) -> None:
    file.parent.mkdir(mode=0o700, exist_ok=True)
    write_private(file, json.dumps(asdict(point)))
    sync(file)
    sync(file.parent)


def point_named(archive: Path, name: str) -> Point:
    """Returns a named point. Raises CommandError if the archive has none."""
    try:
        return Point(**json.loads((archive / POINTS / f"{name}.json").read_text()))
    except (OSError, ValueError, TypeError):
        raise CommandError(f"{archive} has no point {name}.") from None


def bases_of(archive: Path) -> list[tuple[Path, Manifest]]:
    """Returns the base backups of an archive, the oldest first. Raises CommandError if there is none."""
    folders = sorted((archive / BASE).glob("[0-9]*"))
    if not folders:
        raise CommandError(f"{archive} has no base backup.")
    return [(folder, manifest.read(folder)) for folder in folders]
