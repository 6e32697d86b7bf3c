"""Copies files of the WAL into an archive, and back: PostgreSQL's archive_command and restore_command.

    python wal_archive.py store pg_wal/000000010000000000000001 /archive/wal/000000010000000000000001
    python wal_archive.py fetch /archive/wal/000000010000000000000001 pg_wal/RECOVERYXLOG

It uses the standard library alone, because PostgreSQL runs it for every 16 MB. A file gets its name in the
archive when it is on the disk (docs of PostgreSQL, section 25.3.1), and is never replaced.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import sys
from pathlib import Path
from typing import Final

DONE: Final = 0
FAILED: Final = 1
"""PostgreSQL tries a `store` again later. For `fetch` it means that the archive ends here."""
BROKEN: Final = 200
"""Above 125: a recovery stops, rather than end too early (docs of PostgreSQL, section 25.3.5)."""


def store(source: Path, target: Path) -> int:
    """Copies a file into the archive. If it is there already, it must be the same."""
    if target.exists():
        if not filecmp.cmp(source, target, shallow=False):
            print(f"{target} is there, and is another one than {source}", file=sys.stderr)
            return FAILED
        _sync(target)
    else:
        unfinished = target.with_name(f".{target.name}.unfinished")
        shutil.copyfile(source, unfinished)
        _sync(unfinished)
        unfinished.rename(target)
    _sync(target.parent)
    return DONE


def fetch(source: Path, target: Path) -> int:
    """Copies a file from the archive. A file that is not there is usual: PostgreSQL asks for the next
    one until there is none."""
    if not source.parent.is_dir():
        print(f"{source.parent} cannot be read", file=sys.stderr)
        return BROKEN
    if not source.exists():
        return FAILED
    shutil.copyfile(source, target)
    return DONE


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def main(arguments: list[str]) -> int:
    """Runs one of the two. Returns the exit code."""
    act, source, target = arguments
    try:
        return {"store": store, "fetch": fetch}[act](Path(source), Path(target))
    except OSError as error:
        print(f"{act} {source}: {error}", file=sys.stderr)
        return FAILED if act == "store" else BROKEN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
