"""Settings of services that may share a process, and so an environment.

`AERO2_IDENTITY_POOL_SIZE` is a setting of identity alone; `AERO2_POOL_SIZE` is for every service that
has no variable of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

from common.settings import Settings

S = TypeVar("S", bound=Settings)

OWN: Final = ("database_url", "nats_password", "nats_user")
"""Settings that a service never shares: with them goes what it may do."""
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
    return f"AERO2_{service.upper()}_"


def settings_class_of(settings_class: type[S], service: str) -> type[S]:
    """Returns settings that read the variables of a service first, and then those of all services."""

    class SharedEnvironment(settings_class):  # type: ignore[valid-type, misc]
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            **others: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            own = EnvSettingsSource(settings_cls, env_prefix=prefix_of(service))
            return init_settings, own, env_settings

    return SharedEnvironment


def read_settings(settings_class: type[S], service: str) -> S:
    """Returns the settings of a service. If one is missing or wrong, prints which, but never its value,
    and exits with 1."""
    try:
        return settings_class_of(settings_class, service)()
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            print(f"{service}: AERO2_{name}: {problem['msg']}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None


def misplaced(services: Sequence[str], environment: Mapping[str, str]) -> Iterable[str]:
    """Returns a sentence for each variable that would give services a common identity, or one service
    what its process has once."""
    for name in OWN:
        variable = f"AERO2_{name.upper()}"
        if variable in environment:
            own = ", ".join(f"{prefix_of(service)}{name.upper()}" for service in services)
            yield f"{variable}: each service of a process has its own: {own}"
    for variable in sorted(environment):
        if variable.startswith("AERO2_DATABASE_URL_"):
            own = ", ".join(variable.replace("AERO2_", prefix_of(each)) for each in services)
            yield f"{variable}: each service of a process has its own: {own}"
    for name in OF_PROCESS:
        for service in services:
            variable = f"{prefix_of(service)}{name.upper()}"
            if variable in environment:
                yield f"{variable}: a process has it once: AERO2_{name.upper()}"
