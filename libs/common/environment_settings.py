"""Reads the settings of the services of a process, and reports all that is wrong with them together."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from common.cluster_settings import ClusterReader
from common.known_variables import unknown_variables
from common.secret_files import SUFFIX
from common.secret_source import SecretSource, is_secret
from common.settings import DatabaseSettings, Settings
from common.shared_settings import OWN, PREFIX, misplaced, prefix_of

ServiceSettings = tuple[str, type[Settings]]
"""The name of a service and the class of its settings."""
VALUE_ERROR: Final = "Value error, "
"""How pydantic begins the text of a ValueError."""


@dataclass
class _Reader:
    """Reads the settings of one service. `shared` says whether others are in its process."""

    service: str
    settings_class: type[Settings]
    shared: bool
    sources: list[SecretSource] = field(default_factory=list)
    settings: Settings | None = None

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """Reads the settings. Yields a variable and what is wrong with it, for each mistake."""
        errors: dict[str, str] = {}
        try:
            self.settings = self._class()()
        except ValidationError as error:
            for each in error.errors(include_url=False, include_input=False, include_context=False):
                name = str(each["loc"][0]) if each["loc"] else ""
                missing = each["type"] == "missing"
                errors[name] = "" if missing else each["msg"].removeprefix(VALUE_ERROR)
        unreadable = [pair for source in self.sources for pair in source.problems.items()]
        for name, problem in unreadable:
            errors.pop(name, None)
            yield problem.variable, problem.text
        for name, text in errors.items():
            yield (self._variable(name), text) if text else self._missing(name)
        if isinstance(self.settings, DatabaseSettings):
            yield from ClusterReader(self.settings, self.service, os.environ).mistakes()

    def _class(self) -> type[Settings]:
        reader, settings_class = self, self.settings_class

        class ServiceEnvironment(settings_class):  # type: ignore[valid-type, misc]
            @classmethod
            def settings_customise_sources(
                cls,
                settings_cls: type[BaseSettings],
                init_settings: PydanticBaseSettingsSource,
                **others: PydanticBaseSettingsSource,
            ) -> tuple[PydanticBaseSettingsSource, ...]:
                prefixes = (prefix_of(reader.service), PREFIX)
                reader.sources = [SecretSource(settings_cls, prefix) for prefix in prefixes]
                return init_settings, *reader.sources

        return ServiceEnvironment

    def _variable(self, name: str) -> str:
        """Returns the variable that gives a setting its value."""
        for source in self.sources:
            variable = source.variable(name)
            for each in (variable, variable + SUFFIX):
                if each.lower() in source.env_vars:
                    return each
        own = self.shared and name in OWN
        return f"{prefix_of(self.service) if own else PREFIX}{name.upper()}"

    def _missing(self, name: str) -> tuple[str, str]:
        variable = self._variable(name)
        if name in self.settings_class.model_fields and is_secret(
            self.settings_class.model_fields[name]
        ):
            return variable, f"is not set, and neither is {variable}{SUFFIX}"
        return variable, "is not set"


def read_configuration(services: Sequence[ServiceSettings]) -> list[Settings]:
    """Returns the settings of each service. If variables are missing or wrong, prints all of them with what is
    wrong, but never a value, and exits with 1."""
    shared = len(services) > 1
    sentences = list(misplaced([name for name, _ in services], os.environ)) if shared else []
    services_of: dict[tuple[str, str], list[str]] = {}
    readers = [_Reader(name, settings_class, shared) for name, settings_class in services]
    for reader in readers:
        for mistake in reader.mistakes():
            services_of.setdefault(mistake, []).append(reader.service)
    for (variable, text), names in services_of.items():
        sentences.append(f"{', '.join(names)}: {variable}: {text}")
    if sentences:
        refuse(sentences)
    return [reader.settings for reader in readers if reader.settings is not None]


def read_settings(settings_class: type[Any], service: str) -> Any:
    """Returns the settings of the only service of a process, as `read_configuration` does."""
    return read_configuration([(service, settings_class)])[0]


def refuse(sentences: Sequence[str]) -> NoReturn:
    """Prints what is wrong with the configuration, and which variables nobody knows. Exits with 1."""
    lines = [*sentences, *unknown_variables(os.environ)]
    print("\n".join(lines), file=sys.stderr)  # noqa: T201
    raise SystemExit(1)
