"""Files of passwords, which a rotation writes (docs/adr/0036).

Of several lines, services try each. So a file remembers a rotation that is under way.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from aero2.embedded.secrets import password
from aero2.failures import CommandError
from common.secret_files import SUFFIX, BadSecret, lines, read_secret


@dataclass(frozen=True)
class PasswordFile:
    """A file with the password of a role, in one cluster or in several."""

    path: Path
    variable: str

    def lines(self) -> list[str]:
        """Returns the passwords, the newest first. Raises CommandError."""
        try:
            return lines(read_secret(self.variable, self.path))
        except BadSecret as problem:
            raise CommandError(f"{problem}.") from None

    def begin(self) -> bool:
        """Writes a new password above the present one. Returns False if an earlier run has done so."""
        former = self.lines()
        if len(former) > 1:
            return False
        self.write([password(), *former])
        return True

    def finish(self) -> None:
        """Takes away the former passwords."""
        self.write(self.lines()[:1])

    def begin_below(self) -> str:
        """Writes a new password below the present one, for commands that try the first line only. Returns that
        of an earlier run, if there is one."""
        kept = self.lines()
        if len(kept) < 2:
            kept.append(password())
            self.write(kept)
        return kept[-1]

    def finish_below(self) -> None:
        """Takes away all passwords but the last."""
        self.write(self.lines()[-1:])

    def write(self, kept: list[str]) -> None:
        """Writes into the file itself: a container that has it as a mount would not see another file of that
        name. It is short enough for one block of a disk, and a reader who sees half of it looks again."""
        content = "".join(f"{line}\n" for line in kept).encode()
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        except OSError as error:
            raise CommandError(
                f"{self.path} ({self.variable}) cannot be written: {error.strerror}. Where files of secrets "
                "are made by another program, change them there (docs/operating.md)."
            ) from None
        try:
            os.pwrite(handle, content, 0)
            os.ftruncate(handle, len(content))
            os.fsync(handle)
        finally:
            os.close(handle)


def file_of(variable: str) -> PasswordFile:
    """Returns the file of a password. Raises CommandError if it stands in the environment, or nowhere."""
    path = os.environ.get(variable + SUFFIX)
    if not path:
        where = "stands in the environment" if os.environ.get(variable) else "is not set"
        raise CommandError(
            f"{variable} {where}. Only a password in a file can be replaced while services work: "
            f"set {variable}{SUFFIX}."
        )
    return PasswordFile(Path(path), variable + SUFFIX)
