"""Settings of services that may share a process, and so an environment.

`AERO2_IDENTITY_POOL_SIZE` is a setting of identity alone; `AERO2_POOL_SIZE` is for every service that
has no variable of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

PREFIX: Final = "AERO2_"
OWN: Final = ("database_url", "nats_password", "nats_user")
"""Settings that a service never shares: with them goes what it may do."""
FILES: Final = (
    "database_url_file",
    "database_password",
    "database_password_file",
    "nats_password_file",
)
"""Further variables of these settings."""
OF_CLUSTER: Final = ("AERO2_DATABASE_URL_", "AERO2_DATABASE_PASSWORD_")
"""How the variables of further clusters begin."""
OF_PROCESS: Final = (
    "heartbeat",
    "log_level",
    "metrics_folder",
    "metrics_host",
    "metrics_port",
    "metrics_token",
    "replica",
)
"""Settings that a process has once."""


def prefix_of(service: str) -> str:
    """Returns how the variables of one service begin."""
    return f"{PREFIX}{service.upper()}_"


def misplaced(services: Sequence[str], environment: Mapping[str, str]) -> Iterable[str]:
    """Returns a sentence for each variable that would give services a common identity, or one service
    what its process has once."""
    files = {f"{PREFIX}{name.upper()}" for name in FILES}
    for name in (*OWN, *FILES):
        variable = f"{PREFIX}{name.upper()}"
        if variable in environment:
            own = ", ".join(f"{prefix_of(service)}{name.upper()}" for service in services)
            yield f"{variable}: each service of a process has its own: {own}"
    for variable in sorted(environment):
        if variable.startswith(OF_CLUSTER) and variable not in files:
            own = ", ".join(variable.replace("AERO2_", prefix_of(each)) for each in services)
            yield f"{variable}: each service of a process has its own: {own}"
    for name in OF_PROCESS:
        for service in services:
            variable = f"{prefix_of(service)}{name.upper()}"
            if variable in environment:
                yield f"{variable}: a process has it once: {PREFIX}{name.upper()}"
