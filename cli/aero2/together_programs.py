"""The processes of `aero2 up --together`: each runs all services."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from aero2.environment import inherited
from aero2.program import GATEWAY, Program, Ready

NAME: Final = "together"


def process_names(workers: int) -> tuple[str, ...]:
    """Returns the names of the processes."""
    if workers == 1:
        return (NAME,)
    return tuple(f"{NAME}-{number}" for number in range(workers))


def runs_all_services(process: str) -> bool:
    """Returns whether a process of this name runs all services."""
    return process == NAME or process.startswith(f"{NAME}-")


def together(
    names: Sequence[str],
    environments: Mapping[str, Mapping[str, str]],
    heartbeat_of: Callable[[str], Path],
    *,
    ready: Callable[[Path], Ready],
    sockets: tuple[socket.socket, ...],
) -> list[Program]:
    """Returns the processes. `environments` has the variables of each service. All processes accept
    connections on the same sockets, which stay open while one of them is started again."""
    env = inherited() | _merged(environments)
    return [
        Program(
            name,
            [sys.executable, "-m", "aero2", "serve", *environments],
            env | {"AERO2_HEARTBEAT": str(heartbeat_of(name)), "AERO2_REPLICA": str(number)},
            ready=ready(heartbeat_of(name)),
            heartbeat=heartbeat_of(name),
            sockets=sockets,
            services=tuple(environments),
            stop_with=signal.SIGINT,
            stage=GATEWAY,
        )
        for number, name in enumerate(names)
    ]


def _merged(environments: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Returns the variables of all services. A variable that belongs to one service alone gets the name
    of the service. The gateway's values go before those of the others, since it has the ports."""
    from common.shared_settings import (
        FILES,
        OWN,
        prefix_of,
    )  # most commands can do without this import

    own = {f"AERO2_{name.upper()}": name.upper() for name in (*OWN, *FILES)}
    merged: dict[str, str] = {}
    for service in sorted(environments, key="gateway".__eq__):
        for variable, value in environments[service].items():
            suffix = own.get(variable)
            merged[f"{prefix_of(service)}{suffix}" if suffix else variable] = value
    return merged
