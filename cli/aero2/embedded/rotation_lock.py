"""One rotation of passwords at a time on a data folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aero2.embedded.folder import Folder

FILE: Final = "rotation.lock"


class Locked(Exception):
    """A rotation runs on the folder."""


@contextmanager
def rotation_lock(folder: Folder) -> Iterator[None]:
    """Holds the lock until the block is left. Raises Locked."""
    with os.fdopen(os.open(folder.root / FILE, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Locked from None
        yield
