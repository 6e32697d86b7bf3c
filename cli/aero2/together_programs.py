"""The processes of `aero2 up --together`: each runs all services."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from aero2 import nats_access
from aero2.environment import inherited
from aero2.program import GATEWAY, Program

if TYPE_CHECKING:
    from aero2.platform import Platform

NAME: Final = "together"
ORDER: Final = (*(name for name in nats_access.SERVICES if name != "gateway"), "gateway")
"""The gateway's variables go before those that the others have, too."""


def names(platform: Platform) -> tuple[str, ...]:
    """Returns the names of the processes."""
    if platform.workers == 1:
        return (NAME,)
    return tuple(f"{NAME}-{number}" for number in range(platform.workers))


def together(platform: Platform) -> list[Program]:
    """Returns the processes. All accept connections on the same sockets, which stay open while one of
    them is started again."""
    env = inherited() | _environment(platform)
    return [_program(platform, name, env, number) for number, name in enumerate(names(platform))]


def _program(platform: Platform, name: str, env: dict[str, str], number: int) -> Program:
    heartbeat = platform.folder.run / f"{name}.heartbeat"
    return Program(
        name,
        [sys.executable, "-m", "aero2", "serve", *nats_access.SERVICES],
        env | {"AERO2_HEARTBEAT": str(heartbeat), "AERO2_REPLICA": str(number)},
        ready=platform.gateway_ready(heartbeat),
        heartbeat=heartbeat,
        sockets=platform.gateway_sockets,
        stage=GATEWAY,
    )


def _environment(platform: Platform) -> dict[str, str]:
    """Returns the variables of all services. What belongs to one service alone has its name."""
    from common.shared_settings import OWN, prefix_of  # most commands can do without this import

    own = {f"AERO2_{name.upper()}": name.upper() for name in OWN}
    together: dict[str, str] = {}
    for service in ORDER:
        for variable, value in platform.environment_of(service).items():
            suffix = own.get(variable)
            together[f"{prefix_of(service)}{suffix}" if suffix else variable] = value
    return together
