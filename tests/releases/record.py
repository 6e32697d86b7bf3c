"""Records what replicas of the next version must get along with: `make record-release`, at a release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tests.releases.described import (
    described_contracts,
    described_messages,
    described_statements,
)

from common.version import VERSION

RECORDED: Final = Path(__file__).with_name("recorded")


def versions() -> list[str]:
    """Returns the recorded versions, the oldest first."""
    found = (folder.name for folder in RECORDED.iterdir() if folder.is_dir())
    return sorted(found, key=lambda name: tuple(int(part) for part in name.split(".")))


def recorded(what: str, version: str | None = None) -> Any:
    """Returns what was recorded of a version; of the last one if none is named."""
    return json.loads((RECORDED / (version or versions()[-1]) / f"{what}.json").read_text())


def record() -> Path:
    """Writes the folder of this version. Raises FileExistsError if it is there: what was released does not
    change."""
    folder = RECORDED / VERSION
    folder.mkdir(parents=True)
    contracts = {"takes_any_word": True} | described_contracts()
    for name, what in (
        ("contracts", contracts),
        ("messages", described_messages()),
        ("statements", described_statements()),
    ):
        (folder / f"{name}.json").write_text(_lines(what))
    return folder


def _lines(what: Any) -> str:
    """Returns JSON with a line for each contract, event or statement."""
    if isinstance(what, list):
        return "[\n" + ",\n".join(_line(one) for one in what) + "\n]\n"
    parts = []
    for name, part in what.items():
        if isinstance(part, dict):
            inner = (f"{json.dumps(key)}: {_line(value)}" for key, value in part.items())
            parts.append(f"{json.dumps(name)}: {{\n" + ",\n".join(inner) + "\n}")
        else:
            parts.append(f"{json.dumps(name)}: {_line(part)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _line(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


if __name__ == "__main__":
    try:
        print(record())  # noqa: T201
    except FileExistsError:
        raise SystemExit(f"{VERSION} is recorded already. Set the next version first.") from None
