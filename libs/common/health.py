"""Returns whether a process is healthy: it touched its heartbeat file within the last ten seconds.

`python -m common.health` exits with 0 or 1 and imports very little, so a container may call it
often.
"""

import os
import sys
import time
from pathlib import Path

FRESH = 10.0
"""Seconds."""


def main() -> int:
    """Returns the exit code: 0 if the heartbeat is fresh."""
    file = os.environ.get("AERO2_HEARTBEAT", "")
    try:
        age = time.time() - Path(file).stat().st_mtime
    except OSError:
        return 1
    return 0 if age < FRESH else 1


if __name__ == "__main__":
    sys.exit(main())
