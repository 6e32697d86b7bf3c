"""Which deployment is meant: a data folder of `aero2 up`, or the one that the environment names."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg

from aero2.embedded import ports
from aero2.embedded.folder import Folder
from aero2.embedded.postgres import Postgres
from aero2.embedded.secrets import FILE, stored
from aero2.embedded.temporary_server import temporary_server
from aero2.failures import CommandError
from aero2.migrate import ROLES
from aero2.migration_steps import Connection
from common.crypto import BadKey, Keys

OWNER: Final = "AERO2_OWNER_DATABASE_URL"
MASTER_KEY: Final = "AERO2_MASTER_KEY"
PASSWORDS: Final = {role: f"AERO2_{role.upper()}_PASSWORD" for role in ROLES}
DASHBOARD_KEYS: Final = "dashboard-keys.json"


def data_folder(path: Path | None) -> Path | None:
    """Returns the data folder that is meant, or None if the environment names a deployment."""
    if path is None and os.environ.get(OWNER):
        return None
    return path or Path(".aero2")


@asynccontextmanager
async def database_of(path: Path | None) -> AsyncIterator[str]:
    """Yields a DSN that sees all rows. The database of a stopped `aero2 up` is started meanwhile.
    Raises CommandError."""
    folder_path = data_folder(path)
    if folder_path is None:
        yield os.environ[OWNER]
        return
    if not (folder_path / FILE).is_file():
        raise CommandError(
            f"{OWNER} is not set, and {folder_path} is no data folder of `aero2 up`."
        )
    folder = Folder.at(folder_path)
    superuser = stored(folder)["superuser"]
    folder.refuse_unfinished_restore()
    try:
        folder.hold({"url": folder.url})
    except CommandError:  # it runs
        running = Postgres(folder, ports.port_of(folder, "postgres"), superuser)
        yield running.url("postgres", superuser)
        return
    try:
        if not (folder.root / "postgres").exists():
            raise CommandError(f"{folder.root} has no database yet.")
        async with temporary_server(folder, superuser) as postgres:
            yield postgres.url("postgres", superuser)
    finally:
        folder.release()


def secrets_of(path: Path | None) -> dict[str, Any]:
    """Returns all secrets of a deployment, for the sealed file of its backup."""
    folder_path = data_folder(path)
    if folder_path is None:
        names = [MASTER_KEY, *PASSWORDS.values()]
        values = {name: value for name in names if (value := os.environ.get(name))}
        if MASTER_KEY not in values:
            raise CommandError(
                f"{MASTER_KEY} is not set, so its value would not be in the backup. Set it, or back "
                "up --without-secrets."
            )
        return {"environment": values}
    folder = Folder.at(folder_path)
    content: dict[str, Any] = {FILE: stored(folder)}
    keys = folder.root / DASHBOARD_KEYS
    if keys.is_file():
        content[DASHBOARD_KEYS] = json.loads(keys.read_text())
    return content


def master_key_in(secrets: dict[str, Any]) -> str:
    """Returns the master key among the secrets of a backup; empty if there is none."""
    if FILE in secrets:
        return str(secrets[FILE].get("master_key", ""))
    return str(secrets.get("environment", {}).get(MASTER_KEY, ""))


def passwords_in(values: Mapping[str, str]) -> dict[str, str]:
    """Returns the passwords of our database roles, by role, as environment variables have them."""
    return {role: values[name] for role, name in PASSWORDS.items() if values.get(name)}


def parse_keys(text: str) -> Keys:
    """Returns the master keys. Raises CommandError."""
    try:
        return Keys.parse(text)
    except BadKey as error:
        raise CommandError(f"The master key cannot be used: {error}.") from None


@asynccontextmanager
async def connected(dsn: str, **options: Any) -> AsyncIterator[Connection]:
    """Connects to a database for as long as the work takes. Raises CommandError."""
    settings = {
        "application_name": "aero2-backup",
        "statement_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
    }
    try:
        db = await asyncpg.connect(dsn, timeout=10, server_settings=settings, **options)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise CommandError(f"The database cannot be reached: {error}.") from None
    try:
        yield db
    finally:
        await db.close()
