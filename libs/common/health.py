"""Says whether a process is ready, or alive, by its heartbeat file.

`python -m common.health` exits with 0 if the process is ready: it has started and does not stop.
`python -m common.health live` exits with 0 if its event loop runs, also while it starts or stops. Neither
depends on NATS or a database: while one of them is away, a restart of every process would not help.
It imports very little, so a container may call it often.
"""

import os
import sys
import time
from pathlib import Path

FRESH = 10.0
"""Seconds."""
STARTING, READY, STOPPING = "starting", "ready", "stopping"
"""The content of a heartbeat file."""


def is_alive(file: Path) -> bool:
    """Returns whether the process touched its file a moment ago."""
    try:
        return time.time() - file.stat().st_mtime < FRESH
    except OSError:
        return False


def is_ready(file: Path) -> bool:
    """Returns whether the process is alive, has started and does not stop."""
    try:
        return is_alive(file) and file.read_text() == READY
    except OSError:
        return False


def has_started(file: Path) -> bool:
    """Returns whether the process was ready once, even if it has ended since."""
    try:
        return file.read_text() != STARTING
    except OSError:
        return False


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0 if the process is ready, or with `live` if it is alive."""
    file = Path(os.environ.get("AERO2_HEARTBEAT", ""))
    check = is_alive if arguments == ["live"] else is_ready
    return 0 if check(file) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
