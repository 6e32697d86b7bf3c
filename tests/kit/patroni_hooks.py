"""Scripts that let a test hold or interrupt what Patroni does.

hooks = PatroniHooks.make()
pair = PatroniPair.start(local=hooks.local)
with hooks.promotion_held(): ...        # a node gets the leader's key, and stays read-only
hooks.interrupt_rewind()                # the next pg_rewind is killed in the middle of a file
hooks.remove()
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aero2.embedded.postgres import binaries

REWIND: Final = """#!/bin/sh
# `ulimit -f` counts in 512 bytes: the kernel ends pg_rewind (SIGXFSZ) in the first file of more than 4 MiB, such as
# a segment of WAL.
if [ -e {folder}/interrupt ]; then
    mv {folder}/interrupt {folder}/interrupting
    (ulimit -f 8192; exec {program} "$@")
    echo $? > {folder}/interrupted
    while [ -e {folder}/hang ]; do sleep 0.1; done
    exit 1
fi
exec {program} "$@"
"""


@dataclass
class PatroniHooks:
    """The scripts, in a folder that the account of PostgreSQL may read and write."""

    folder: Path

    @classmethod
    def make(cls) -> PatroniHooks:
        folder = Path(tempfile.mkdtemp(prefix="aero2-hooks-"))
        folder.chmod(0o777)
        rewind = folder / "pg_rewind"
        rewind.write_text(REWIND.format(folder=folder, program=binaries() / "pg_rewind"))
        rewind.chmod(0o755)
        return cls(folder)

    @property
    def local(self) -> dict[str, Any]:
        """What a node's file says of the scripts."""
        wait = f"while [ -e {self.folder}/hold ]; do sleep 0.1; done"
        return {
            "pre_promote": f'sh -c "{wait}"',
            "bin_name": {"pg_rewind": str(self.folder / "pg_rewind")},
        }

    @contextmanager
    def promotion_held(self) -> Iterator[None]:
        """Lets a node that has the leader's key wait before its promotion."""
        hold = self.folder / "hold"
        hold.touch()
        try:
            yield
        finally:
            hold.unlink()

    def interrupt_rewind(self, *, hang: bool = False) -> None:
        """Kills the next pg_rewind. With `hang`, Patroni does not learn of it, so that the node can lose its
        power meanwhile."""
        for old in ("interrupting", "interrupted", "hang"):
            (self.folder / old).unlink(missing_ok=True)
        if hang:
            (self.folder / "hang").touch()
        (self.folder / "interrupt").touch()

    def interrupted(self) -> bool:
        """Whether pg_rewind was killed by the limit (SIGXFSZ, 25)."""
        told = self.folder / "interrupted"
        return told.exists() and told.read_text().strip() == str(128 + 25)

    def go_on(self) -> None:
        (self.folder / "hang").unlink(missing_ok=True)

    def remove(self) -> None:
        shutil.rmtree(self.folder)
