"""The files that services of a data folder read their passwords from.

A file has several lines while a password is replaced: the server decides which one is valid.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aero2.embedded.folder import Folder
from aero2.embedded.postgres import Postgres
from aero2.embedded.secrets import Secrets

PREFIX: Final = "AERO2_"
FOLDER: Final = "passwords"


def database_file(folder: Folder, role: str) -> Path:
    """Returns the file with the password of the database role `aero2_<role>`."""
    return folder.root / FOLDER / f"aero2_{role}"


def database_variables(postgres: Postgres, service: str, jobs: Sequence[str]) -> dict[str, str]:
    """Returns the variables with which a service finds the database: with its own role, and with that of each
    job."""
    variables: dict[str, str] = {}
    for role in (service, *jobs):
        prefix = PREFIX if role == service else f"{PREFIX}{role.upper()}_"
        variables[f"{prefix}DATABASE_URL"] = postgres.url(f"aero2_{role}")
        variables[f"{prefix}DATABASE_PASSWORD_FILE"] = str(database_file(postgres.folder, role))
    return variables


def write_database_files(folder: Folder, secrets: Secrets) -> None:
    """Writes the file of each database role: its password, and the former one while it is replaced."""
    for role, password in secrets.database.items():
        former = secrets.former_database.get(role)
        write_lines(database_file(folder, role), [password, *([former] if former else [])])


def nats_file(folder: Folder, user: str) -> Path:
    """Returns the file with the login of a NATS user."""
    return folder.root / FOLDER / f"nats_{user}"


def write_nats_files(folder: Folder, secrets: Secrets) -> None:
    """Writes the file of each NATS user: its login, and the former one while it is replaced."""
    for user in secrets.nats:
        logins = [secrets.nats_login(user), secrets.former_nats_login(user)]
        write_lines(nats_file(folder, user), [":".join(login) for login in logins if login])


def write_password_files(folder: Folder, secrets: Secrets) -> None:
    """Writes the files of all passwords that services need."""
    write_database_files(folder, secrets)
    write_nats_files(folder, secrets)


def write_lines(path: Path, lines: list[str]) -> None:
    """Writes a file completely or not at all, readable by its owner only. A file with this content stays as it
    is, so that nobody reads it again."""
    text = "".join(f"{line}\n" for line in lines)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if path.exists() and path.read_text() == text:
        return
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
