"""The socket on which `aero2 up` takes commands: in its data folder, for its own account only.

A command is one line of JSON. The answers are lines, too: `text` to show, then `done` or `error`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

NAME: Final = "control.sock"
LONGEST: Final = 100
"""Bytes of a path that the system takes for a socket."""


@contextmanager
def socket_path(folder: Path) -> Iterator[str]:
    """Yields a path of the socket in a folder. If its own is too long, a short one leads through a descriptor
    of the folder (Linux)."""
    path = str(folder / NAME)
    if len(os.fsencode(path)) <= LONGEST or sys.platform != "linux":
        yield path
        return
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)
