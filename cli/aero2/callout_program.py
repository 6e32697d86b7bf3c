"""The process that NATS servers of a customer ask, beside the services of `aero2 up`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from aero2.environment import inherited, of_callout
from aero2.nats_access import CALLOUT
from aero2.program import GATEWAY, Program, heartbeat_ready


def callout(common: dict[str, str], heartbeat: Path) -> list[Program]:
    """Returns the process if it is configured. `common` has the variables of every service; it does not
    get the master key."""
    if not of_callout():
        return []
    own = {name: value for name, value in common.items() if name != "AERO2_MASTER_KEY"}
    return [
        Program(
            CALLOUT,
            [sys.executable, "-m", CALLOUT],
            inherited() | own | of_callout() | {"AERO2_HEARTBEAT": str(heartbeat)},
            ready=heartbeat_ready(heartbeat),
            heartbeat=heartbeat,
            stop_with=signal.SIGINT,
            stage=GATEWAY,
        )
    ]
