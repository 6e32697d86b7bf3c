"""The manifest of a backup: what is in its folder, and what a restore must find again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from aero2.failures import CommandError
from common.homes import MAIN

FILE: Final = "manifest.json"
DATABASE: Final = "database.dump"
"""The database in the custom format of pg_dump."""
SECRETS: Final = "secrets.sealed"
FORMAT: Final = 1
BLOCK: Final = 2**20


@dataclass(frozen=True)
class StoredFile:
    """A file of the backup. The checksum finds damage; it does not keep out a forger."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class MasterKeyFact:
    """A master key that the database knows. `audit_key` is public, and tells one key from another."""

    id: str
    audit_key: str
    retired: bool
    data_keys: int
    """How many data keys it wraps."""


@dataclass(frozen=True)
class Manifest:
    """Describes one moment of a database: the snapshot that the dump was made of."""

    format: int
    version: str
    migrations: dict[str, str]
    """Names and checksums of the files that made the schema."""
    taken_at: str
    lsn: str
    server_version: int
    """Major version of PostgreSQL."""
    statistics: bool
    master_keys: list[MasterKeyFact]
    counts: dict[str, int]
    sizes: dict[str, int]
    """Bytes by table. A progress bar needs them."""
    catalogue: dict[str, str]
    """For each kind of object of the schema, `<number> <SHA-256>`."""
    roles: list[str]
    """Roles that own something or have a privilege."""
    files: dict[str, StoredFile] = field(default_factory=dict)
    cluster: str = MAIN
    """The name that the database has among those of its deployment."""

    def write(self, folder: Path) -> None:
        """Writes the file, with a checksum of itself. The caller syncs it."""
        content = asdict(self)
        (folder / FILE).write_text(json.dumps(content | {"checksum": _checksum(content)}, indent=2))
        (folder / FILE).chmod(0o600)


def read(folder: Path) -> Manifest:
    """Returns the manifest of a backup. Raises CommandError if there is none, or one of a later format,
    or a damaged one."""
    try:
        content = json.loads((folder / FILE).read_text())
    except (OSError, UnicodeDecodeError, ValueError):
        raise CommandError(
            f"{folder} is not a complete backup: {FILE} is missing or damaged."
        ) from None
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise CommandError(f"{folder / FILE} is damaged.")
    if content["format"] > FORMAT:
        raise CommandError(
            f"A later version of Aero2 made this backup ({content.get('version')}). "
            "Install that version, or a later one."
        )
    if content.pop("checksum", "") != _checksum(content):
        raise CommandError(f"{folder / FILE} is damaged: its checksum differs.")
    names = {each.name for each in fields(Manifest)}
    content = {name: value for name, value in content.items() if name in names}
    content["master_keys"] = [MasterKeyFact(**each) for each in content["master_keys"]]
    content["files"] = {name: StoredFile(**each) for name, each in content["files"].items()}
    return Manifest(**content)


def verify_files(folder: Path, manifest: Manifest, report: Callable[[int], None]) -> None:
    """Compares each file with its checksum, and reports the bytes that were read. Raises CommandError."""
    for name, expected in manifest.files.items():
        if Path(name).name != name:
            raise CommandError(f"{folder / FILE} is damaged: it names {name!r}.")
        try:
            actual = stored_file(folder / name, report)
        except OSError as error:
            raise CommandError(f"{folder / name} cannot be read: {error.strerror}.") from None
        if actual != expected:
            raise CommandError(f"{folder / name} is damaged: its size or checksum differs.")


def stored_file(path: Path, report: Callable[[int], None] = lambda _: None) -> StoredFile:
    """Returns size and checksum of a file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            size += len(block)
            report(len(block))
    return StoredFile(size, digest.hexdigest())


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
