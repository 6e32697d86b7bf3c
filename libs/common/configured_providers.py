"""Identity providers of the Dashboard that the operator configures at the start, with AERO2_DASHBOARD_IDPS
or `aero2 up --idp`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast, get_args

from pydantic import SecretStr

from common.contracts.identity_providers import PresetName

PRESETS: Final = frozenset(get_args(PresetName)) - {"apple"}
"""Apple needs a team id and a key id as well: its provider is created with the API."""
MAX_SECRET: Final = 5000
"""Bytes of a file."""


@dataclass(frozen=True)
class ConfiguredProvider:
    """A preset with the client that the provider has registered for this deployment."""

    preset: PresetName
    client_id: str
    secret: SecretStr

    @classmethod
    def parse(cls, text: str) -> ConfiguredProvider:
        """Returns the provider of `preset:client_id:secret_file`, and reads the file. Raises ValueError
        with a sentence that never repeats a secret."""
        preset, _, rest = text.strip().partition(":")
        client_id, _, file = rest.partition(":")
        if preset not in PRESETS:
            raise ValueError(f"{preset[:40]!r} is none of {', '.join(sorted(PRESETS))}")
        if not client_id or not file:
            raise ValueError(f"{preset}: preset:client_id:secret_file is needed")
        return cls(cast(PresetName, preset), client_id, _secret_of(preset, Path(file)))


def parse_list(text: str) -> tuple[ConfiguredProvider, ...]:
    """Returns the providers of a list, separated by commas. Raises ValueError."""
    providers = tuple(ConfiguredProvider.parse(part) for part in text.split(",") if part.strip())
    presets = [provider.preset for provider in providers]
    for preset in presets:
        if presets.count(preset) > 1:
            raise ValueError(f"{preset} is there twice")
    return providers


def _secret_of(preset: str, file: Path) -> SecretStr:
    """Returns the content of the file, without white space around it."""
    try:
        with file.open("rb") as content:
            secret = content.read(MAX_SECRET + 1).decode().strip()
    except OSError as error:
        raise ValueError(f"{preset}: the secret's file cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{preset}: the secret's file is not text") from None
    if not 0 < len(secret) <= MAX_SECRET or not secret.isprintable():
        raise ValueError(f"{preset}: the secret's file must hold one line with the secret alone")
    return SecretStr(secret)
