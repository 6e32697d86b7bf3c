"""`aero2 up --reload`: restarts a service when a file of its code changes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from watchfiles import Change, DefaultFilter, awatch

from aero2.nats_access import SERVICES
from aero2.start_wait import Report
from aero2.supervisor import Supervisor

SHOWN: Final = 3
"""Files that the sentence about a restart names."""


class CodeFilter(DefaultFilter):
    """Passes what a process reads when it starts, and nothing that a process writes."""

    ignore_entity_patterns = (*DefaultFilter.ignore_entity_patterns, r"^\..*", r"~$", r"\.tmp$")

    def __call__(self, change: Change, path: str) -> bool:
        return super().__call__(change, path) and "__pycache__" not in Path(path).parts


def folders(together: Collection[str] = ()) -> dict[Path, frozenset[str]]:
    """Returns the folder of each package with the processes that run its code: a service has its
    own package, and all of them have `common`. `together` are processes that run all services."""
    return {
        **{_folder(name): frozenset(together or {name}) for name in SERVICES},
        _folder("common"): frozenset(together or SERVICES),
    }


def _folder(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None
    return Path(next(iter(spec.submodule_search_locations or ()))).resolve()


def affected(files: Iterable[Path], packages: Mapping[Path, Collection[str]]) -> set[str]:
    """Returns the services that run the code of any of these files."""
    return {
        name
        for file in files
        for folder, names in packages.items()
        if folder in file.parents
        for name in names
    }


async def watch(
    supervisor: Supervisor, report: Report, packages: Mapping[Path, Collection[str]] | None = None
) -> None:
    """Restarts services until it is cancelled. Changes within half a second are one change."""
    packages = packages or folders()
    async for changes in awatch(*packages, watch_filter=CodeFilter(), debounce=500, step=100):
        files = sorted({Path(path) for _, path in changes})
        names = sorted(affected(files, packages))
        report(f"{_sentence(files)}: starting {', '.join(names)} again.", "")
        await asyncio.gather(*(supervisor.reload(name) for name in names))


def _sentence(files: list[Path]) -> str:
    more = [f"{len(files) - SHOWN} more"] if len(files) > SHOWN else []
    return f"Changed {', '.join([*(_short(file) for file in files[:SHOWN]), *more])}"


def _short(file: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(file.relative_to(Path.cwd()))
    return str(file)
