"""The schemas of earlier releases."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from aero2.migrate import folder

RELEASES: Final = sorted((folder() / "releases").glob("[0-9]*.sql"))


def earlier(here: Path, schema: str, last: int) -> Path:
    """Makes a copy of db/ with this schema and no migration after `last`."""
    made = Path(shutil.copytree(folder(), here / "earlier"))
    (made / "schema.sql").write_text(schema)
    for step in (made / "migrations").glob("[0-9]*.sql"):
        if int(step.name[:4]) > last:
            step.unlink()
    return made
