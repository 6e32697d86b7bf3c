"""A script that lets a test hold what Patroni does.

hooks = PatroniHooks.make()
pair = PatroniPair.start(local=hooks.local)
with hooks.promotion_held(): ...        # a node gets the leader's key, and stays read-only
hooks.remove()
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class PatroniHooks:
    """A folder that the account of PostgreSQL may read."""

    folder: Path

    @classmethod
    def make(cls) -> PatroniHooks:
        folder = Path(tempfile.mkdtemp(prefix="aero2-hooks-"))
        folder.chmod(0o755)
        return cls(folder)

    @property
    def local(self) -> dict[str, Any]:
        """What a node's file says of the script."""
        wait = f"while [ -e {self.folder}/hold ]; do sleep 0.1; done"
        return {"pre_promote": f'sh -c "{wait}"'}

    @contextmanager
    def promotion_held(self) -> Iterator[None]:
        """Lets a node that has the leader's key wait before its promotion."""
        hold = self.folder / "hold"
        hold.touch()
        try:
            yield
        finally:
            hold.unlink()

    def remove(self) -> None:
        shutil.rmtree(self.folder)
