"""Says which backups of clusters belong together: `deployment.json`, beside a folder for each of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from aero2.backups import manifest
from aero2.failures import CommandError
from common.homes import MAIN, NAME

FILE: Final = "deployment.json"
FORMAT: Final = 1


def write(folder: Path, clusters: list[str]) -> None:
    """Writes the file. It has the checksum of each manifest, so no folder can be one of another backup."""
    content = {"format": FORMAT, "clusters": {each: _checksum(folder / each) for each in clusters}}
    (folder / FILE).write_text(json.dumps(content, indent=2))
    (folder / FILE).chmod(0o600)


def clusters_in(folder: Path) -> dict[str, Path] | None:
    """Returns the folder of each cluster, that of `main` last; None for a backup of one cluster. Raises
    CommandError if one is missing, or of another backup."""
    if not (folder / FILE).exists():
        return None
    try:
        content: dict[str, Any] = json.loads((folder / FILE).read_text())
        checksums = dict(content["clusters"])
        is_known = int(content["format"]) <= FORMAT
    except (OSError, ValueError, KeyError, TypeError):
        raise CommandError(f"{folder / FILE} is damaged.") from None
    if not is_known:
        raise CommandError("A later version of Aero2 made this backup. Install that version.")
    if MAIN not in checksums or not all(map(NAME.fullmatch, checksums)):
        raise CommandError(f"{folder / FILE} is damaged.")
    for cluster, checksum in checksums.items():
        if _checksum(folder / cluster) != checksum:
            raise CommandError(f"{folder / cluster} is missing, damaged, or of another backup.")
    return {each: folder / each for each in sorted(checksums, key=lambda one: one == MAIN)}


def _checksum(backup: Path) -> str:
    """Returns the checksum of a manifest; an empty text if there is none."""
    try:
        return hashlib.sha256((backup / manifest.FILE).read_bytes()).hexdigest()
    except OSError:
        return ""
