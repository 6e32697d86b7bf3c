"""Healthy means: the process touched its heartbeat file within the last ten seconds.

`python -m common.health` exits 0 or 1 and imports next to nothing, so that a container may ask
often.
"""

import os
import sys
import time
from pathlib import Path

FRESH = 10.0
"""Seconds."""


def main() -> int:
    file = os.environ.get("AERO2_HEARTBEAT", "")
    try:
        age = time.time() - Path(file).stat().st_mtime
    except OSError:
        return 1
    return 0 if age < FRESH else 1


if __name__ == "__main__":
    sys.exit(main())
