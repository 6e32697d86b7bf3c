"""Whether the embedded PostgreSQL archives its WAL, and where. The folder remembers it, so that no start
without an option makes a gap."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Final

from aero2 import wal_archive
from aero2.embedded.folder import Folder
from aero2.embedded.process import Account
from aero2.failures import CommandError

FILE: Final = "archive.json"
WAL: Final = "wal"
"""The folder of the archive with the files of the WAL."""
TIMEOUT: Final = "60s"
"""The longest time after which a file is archived, full or not: so much is lost with the machine."""


def archive_of(folder: Folder) -> Path | None:
    """Returns the archive of a data folder, or None if there is none."""
    path = folder.read(FILE).get("archive")
    return Path(path) if isinstance(path, str) else None


def remember_archive(folder: Folder, archive: Path | None) -> None:
    """Sets the archive for the next start; None: none."""
    if archive is None:
        (folder.root / FILE).unlink(missing_ok=True)
    else:
        folder.write(FILE, {"archive": str(archive)})


def wal_settings(folder: Folder) -> dict[str, str]:
    """Returns the settings of PostgreSQL for its archive; none if there is none."""
    archive = archive_of(folder)
    if archive is None:
        return {}
    return {
        "archive_mode": "on",
        "archive_command": program("store", "%p", f"{archive / WAL}/%f"),
        "archive_timeout": TIMEOUT,
    }


def program(*arguments: str) -> str:
    """Returns a command of PostgreSQL that runs aero2/wal_archive.py. It needs none of our packages."""
    words = [sys.executable, "-I", "-S", wal_archive.__file__]
    return " ".join([*map(_quoted, words), *map(_quoted, arguments)])


def _quoted(word: str) -> str:
    """Quotes for the shell, and for PostgreSQL, which replaces %p and %f."""
    if word == "%p":
        return '"%p"'
    path, percent, name = word.partition("%f")
    return shlex.quote(path.replace("%", "%%")) + percent + name


def prepare_archive(folder: Folder, account: Account | None) -> None:
    """Makes the archive's folder of WAL, for the account that PostgreSQL runs under. Raises CommandError
    if it is not there: a disk that is not mounted must not be replaced by a folder."""
    archive = archive_of(folder)
    if archive is None:
        return
    if not archive.is_dir():
        raise CommandError(
            f"The archive {archive} is not there. Mount it, or give it up with `aero2 archive off`."
        )
    wal = archive / WAL
    wal.mkdir(mode=0o700, exist_ok=True)
    if account is not None:
        os.chown(wal, account.uid, account.gid)
