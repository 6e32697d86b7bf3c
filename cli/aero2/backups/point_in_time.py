"""Makes a data folder of an archive, as the server was at a moment or a named point."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from aero2.backups import checks
from aero2.backups.access import connected
from aero2.backups.base_backup import DATA, Point, bases_of, point_named
from aero2.backups.manifest import Manifest
from aero2.backups.progress import Reporter
from aero2.backups.restore import Restore, finish
from aero2.embedded.folder import Folder
from aero2.embedded.process import Account
from aero2.embedded.wal_archiving import WAL, program
from aero2.failures import CommandError

DATABASE: Final = "postgres"
"""The folder of the server's data."""


@dataclass(frozen=True)
class Target:
    """Where a recovery ends: at a named point, a moment, or, without both, the end of the archive."""

    archive: Path
    point: Point | None = None
    moment: datetime | None = None

    @classmethod
    def of(cls, archive: Path, point: str | None, moment: str | None) -> Target:
        """Returns what the options name. Raises CommandError."""
        if point and moment:
            raise CommandError("Name a point or a moment, not both.")
        parsed = None
        if moment:
            try:
                parsed = datetime.fromisoformat(moment)
            except ValueError:
                raise CommandError(
                    f"{moment!r} is no moment. Write it as 2026-01-31T15:04:05Z."
                ) from None
            if parsed.tzinfo is None:
                raise CommandError(f"{moment!r} has no time zone. Add one, such as Z for UTC.")
        return cls(archive, point_named(archive, point) if point else None, parsed)

    def base(self) -> tuple[Path, Manifest]:
        """Returns the latest base backup from before. Raises CommandError if there is none."""
        fitting = [each for each in bases_of(self.archive) if self._is_after(each[1])]
        if not fitting:
            raise CommandError("Every base backup is later than that: it cannot be reached.")
        return fitting[-1]

    def _is_after(self, base: Manifest) -> bool:
        if self.point is not None:
            return _position(base.lsn) <= _position(self.point.lsn)
        if self.moment is not None:
            return datetime.fromisoformat(base.taken_at).astimezone(UTC) <= self.moment
        return True

    def settings(self) -> tuple[str, ...]:
        """Returns the settings of a recovery that ends here, and refuses connections before. It follows
        the latest timeline: past the promotion of a standby."""
        common = (
            f"restore_command={program('fetch', f'{self.archive / WAL}/%f', '%p')}",
            "recovery_target_timeline=latest",
            "recovery_target_action=promote",
            "hot_standby=off",
            "archive_mode=off",
        )
        if self.point is not None:
            return (*common, f"recovery_target_name={self.point.name}")
        if self.moment is not None:
            return (*common, f"recovery_target_time={self.moment.isoformat()}")
        return common


def _position(lsn: str) -> int:
    high, low = lsn.split("/")
    return int(high, 16) << 32 | int(low, 16)


async def copy_base(base: Path, folder: Folder) -> None:
    """Copies a base backup into the data folder, where a server then recovers."""
    data = folder.root / DATABASE
    await asyncio.to_thread(shutil.copytree, base / DATA, data, symlinks=True)
    for name in ("postgresql.auto.conf", "standby.signal", "backup_manifest"):
        (data / name).unlink(missing_ok=True)  # settings of another machine
    (data / "postgresql.auto.conf").touch()
    (data / "recovery.signal").touch()
    account = Account.for_postgres(folder.root / "none")
    for path in [data, *data.rglob("*")]:
        if path.is_symlink():
            raise CommandError(f"{path} is in a tablespace, which this command does not restore.")
        path.chmod(0o700 if path.is_dir() else 0o600)
        if account is not None:
            os.chown(path, account.uid, account.gid)


async def check_and_finish(work: Restore, reporter: Reporter) -> dict[str, int]:
    """Checks a recovered database as a restored one, and ends what was issued before. Raises
    CommandError."""
    async with connected(work.dsn) as db:
        keys = await checks.known_keys(db, work.keys)
        await checks.open_data_keys(db, keys)
        await checks.verify_audit(db, keys, reporter, accept_faults=work.accept_audit_faults)
        return await finish(work, db, reporter)
