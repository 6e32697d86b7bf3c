"""The data folder: its files, the process that has locked it, and the account that owns it."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from aero2.failures import CommandError

UNFINISHED_RESTORE: Final = "restoring.json"
"""A file that exists while `aero2 restore` is at work."""


@dataclass
class Folder:
    """One running platform per folder: `hold` keeps it to this process until it ends."""

    root: Path
    _lock: IO[str] | None = field(default=None, repr=False)

    @classmethod
    def at(cls, path: Path) -> Folder:
        """Returns the folder at `path`, and makes it if it is missing. Raises CommandError if it
        cannot be used."""
        root = path.expanduser().absolute()
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise CommandError(
                f"The data folder {root} cannot be made: {error.strerror}."
            ) from None
        if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
            raise CommandError(
                f"The data folder {root} belongs to somebody else; pick another --data-dir."
            )
        if root.stat().st_uid == os.geteuid():
            # Others may pass through (PostgreSQL runs under another account where we are root),
            # never look around.
            root.chmod(0o711 if os.geteuid() == 0 else 0o700)
        return cls(root)

    def hold(self, about: dict[str, Any], *, restoring: bool = False) -> None:
        """Raises CommandError if another process holds the folder, and says which; and if a restore into
        it is not complete, unless this is for `restoring`."""
        file = os.fdopen(os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600), "r+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(_held_by(self.root, file.read())) from None
        if not restoring:
            self.refuse_unfinished_restore()
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid()} | about))
        file.flush()
        self._lock = file

    @property
    def url(self) -> str | None:
        """Public address of the platform that ran on the folder last; None where none ever did."""
        try:
            found = json.loads((self.root / "lock").read_text())["url"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found if isinstance(found, str) else None

    def refuse_unfinished_restore(self) -> None:
        """Raises CommandError if a restore into the folder did not come to its end."""
        if (self.root / UNFINISHED_RESTORE).exists():
            raise CommandError(
                f"A restore into {self.root} did not finish, so the data in it is not whole. Run the "
                "same `aero2 restore` again, which starts over, or delete the folder."
            )

    def release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def inside(self, name: str, mode: int = 0o700) -> Path:
        """A folder in the data folder."""
        path = self.root / name
        path.mkdir(mode=mode, exist_ok=True)
        return path

    @property
    def logs(self) -> Path:
        return self.inside("logs")

    @property
    def run(self) -> Path:
        return self.inside("run")

    def read(self, name: str) -> dict[str, Any]:
        """Returns a JSON file of the folder, or an empty dictionary if there is none. Raises
        CommandError."""
        try:
            content = json.loads((self.root / name).read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise CommandError(f"{self.root / name} cannot be read: {error}.") from None
        if not isinstance(content, dict):
            raise CommandError(f"{self.root / name} is damaged: it is no JSON object.")
        return content

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Writes a file completely or not at all, to the disk, readable by its owner only."""
        path = self.root / name
        fresh = path.with_name(f".{path.name}.new")
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(content, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)


def _held_by(root: Path, text: str) -> str:
    try:
        holder = json.loads(text)
        where = f" as process {holder['pid']}, {holder['url']}"
    except (ValueError, KeyError, TypeError):
        where = ""
    return f"Aero2 is already running on the data folder {root}{where}."
