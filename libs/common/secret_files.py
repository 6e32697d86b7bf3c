"""Secrets that stand in files: `AERO2_<NAME>_FILE` names the file, as Docker and Kubernetes mount them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from common import logs

log = logs.get(__name__)

SUFFIX: Final = "_FILE"
"""The end of the variable that names a file, after the name of the secret's own variable."""
LARGEST: Final = 65_536
"""Bytes of a file. The longest secret is a list of keys, and far shorter."""


class BadSecret(ValueError):
    """A secret cannot be read. The text names the variable and the file, never the content."""

    def __init__(self, variable: str, text: str) -> None:
        super().__init__(f"{variable}: {text}")
        self.variable, self.text = variable, text


class FileSecret(SecretStr):
    """The content of a file, as it was when the process started."""

    def __init__(self, variable: str, path: Path) -> None:
        """Reads the file that a variable names. Raises BadSecret."""
        self.variable, self.path = variable, path
        super().__init__(read_secret(variable, path))

    def read(self) -> str:
        """Returns the content of the file now. A file that cannot be read counts as unchanged: it may be about
        to be replaced."""
        try:
            self._secret_value = read_secret(self.variable, self.path)
        except BadSecret as problem:
            log.warning("secret file", variable=problem.variable, problem=problem.text)
        return self.get_secret_value()

    def version(self) -> tuple[int, int] | None:
        """Returns what changes when the file is written or replaced, or None while it is missing."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino


def current(secret: SecretStr) -> str:
    """Returns the value of a secret now: a file is read again."""
    return secret.read() if isinstance(secret, FileSecret) else secret.get_secret_value()


def lines(text: str) -> list[str]:
    """Returns the lines of a secret that may have several values."""
    return [line for line in text.splitlines() if line]


def read_secret(variable: str, path: Path) -> str:
    """Returns the content of a file, without one newline at its end. Raises BadSecret if the file is missing,
    unreadable, empty, too large or no text."""
    try:
        # A pipe without a writer must not hold up the start, so it is opened without waiting.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            content = file.read(LARGEST + 1) if regular else b""
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no path of a file"
        raise BadSecret(variable, f"{path} cannot be read: {reason}") from None
    if not regular:
        raise BadSecret(variable, f"{path} is not a regular file")
    if len(content) > LARGEST:
        raise BadSecret(variable, f"{path} is too large: at most {LARGEST} bytes are read")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise BadSecret(variable, f"{path} is not a text in UTF-8") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if "\0" in text:
        raise BadSecret(variable, f"{path} is not a text: it has a byte 0")
    if not text.strip():
        raise BadSecret(variable, f"{path} is empty")
    return text


def find_secret(variable: str, value_of: Callable[[str], str | None]) -> SecretStr | None:
    """Returns a secret: the value of a variable, or the content of the file that `<variable>_FILE` names. Returns
    None if neither is set. An empty `_FILE` counts as not set, and so does an empty value beside a file:
    docker-compose.yml has variables that are empty. Raises BadSecret if both are set."""
    value, path = value_of(variable), value_of(variable + SUFFIX)
    if not path:
        return None if value is None else SecretStr(value)
    if value:
        raise BadSecret(variable, f"is set, and so is {variable}{SUFFIX}: only one may be")
    return FileSecret(variable + SUFFIX, Path(path))


def secret_text(variable: str, environment: Mapping[str, str]) -> str:
    """Returns a secret of an environment as text, or an empty text if it is not set. Raises BadSecret."""
    secret = find_secret(variable, environment.get)
    return secret.get_secret_value() if secret else ""
