"""Checks of `aero2 doctor` that look at the files of this machine."""

from __future__ import annotations

import shutil
import stat
from typing import Final

from aero2.doctor_findings import Finding, failure, ok, skipped, warning
from aero2.doctor_target import Target

FULL, NEARLY_FULL = 0.03, 0.1
"""Shares of the disk that are free."""
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


async def check_secret_files(target: Target) -> list[Finding]:
    """Files with secrets must be for their owner alone."""
    if not target.secret_files:
        return skipped("secret_files", "there are no files with secrets here")
    open_files = [
        file for file in target.secret_files if stat.S_IMODE(file.stat().st_mode) & OTHERS
    ]
    if not open_files:
        return ok("secret_files", "Files with secrets can be read by their owner alone.")
    return failure(
        "secret_files",
        f"Others on this machine may read {', '.join(map(str, open_files))}.",
        f"chmod 600 {' '.join(map(str, open_files))}, and replace what others may have read.",
    )


async def check_disk(target: Target) -> list[Finding]:
    """PostgreSQL and NATS stop when the disk is full."""
    if target.folder is None:
        return skipped("disk", "only the disk of a data folder can be looked at")
    usage = shutil.disk_usage(target.folder)
    free = usage.free / usage.total
    if free >= NEARLY_FULL:
        return ok("disk", f"{free:.0%} of the disk of {target.folder} are free.")
    report = failure if free < FULL else warning
    return report(
        "disk",
        f"Only {free:.0%} of the disk of {target.folder} are free.",
        "Make room: PostgreSQL and NATS stop when it is full.",
    )
