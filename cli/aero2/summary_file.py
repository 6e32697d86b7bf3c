"""The file of `aero2 up --summary-file`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from aero2.failures import CommandError


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Readable by its owner alone, since it holds the demo's secrets."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(content, file, indent=2)
        fresh.replace(path)
    except OSError as error:
        raise CommandError(f"The summary cannot be written to {path}: {error.strerror}.") from None
