"""Which deployment is meant: a data folder of `aero2 up`, or the one that the environment names."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from aero2 import owner_connection
from aero2.embedded import ports
from aero2.embedded.folder import Folder
from aero2.embedded.postgres import Postgres
from aero2.embedded.secrets import FILE, stored
from aero2.embedded.temporary_server import temporary_server
from aero2.failures import CommandError
from aero2.migrate import ROLES
from aero2.migration_steps import Connection
from aero2.owner_urls import read_owner_urls
from aero2.secret_variables import OWNER, owner_url, secret_of
from common.crypto import BadKey, Keys
from common.homes import MAIN
from common.secret_files import BadSecret, lines

MASTER_KEY: Final = "AERO2_MASTER_KEY"
PASSWORDS: Final = {role: f"AERO2_{role.upper()}_PASSWORD" for role in ROLES}
DASHBOARD_KEYS: Final = "dashboard-keys.json"


def data_folder(path: Path | None) -> Path | None:
    """Returns the data folder that is meant, or None if the environment names a deployment."""
    if path is None and owner_dsn():
        return None
    return path or Path(".aero2")


@asynccontextmanager
async def database_of(path: Path | None) -> AsyncIterator[str]:
    """Yields a DSN that sees all rows. The database of a stopped `aero2 up` is started meanwhile.
    Raises CommandError."""
    folder_path = data_folder(path)
    if folder_path is None:
        yield owner_dsn()
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
        values = environment_secrets()
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


def owner_dsn() -> str:
    """Returns the DSN of the owner in the environment; empty if there is none. Raises CommandError."""
    try:
        return owner_url()
    except BadSecret as problem:
        raise CommandError(f"{problem}.") from None


def dsn_of(cluster: str) -> str:
    """Returns the owner's DSN of a cluster. Raises CommandError if it is not set."""
    dsns = read_owner_urls()
    if cluster not in dsns:
        suffix = "" if cluster == MAIN else f"_{cluster.upper()}"
        raise CommandError(f"{OWNER}{suffix} is not set: which database is the cluster {cluster}?")
    return dsns[cluster]


def environment_secrets() -> dict[str, str]:
    """Returns the master key and the passwords of our roles in all clusters, from variables or the files that
    they name. Raises CommandError."""
    own = [
        f"{name}_{cluster.upper()}"
        for cluster in read_owner_urls()
        if cluster != MAIN
        for name in PASSWORDS.values()
    ]
    names = [MASTER_KEY, *PASSWORDS.values(), *own]
    return {name: value for name in names if (value := secret_of(name))}


def passwords_in(values: Mapping[str, str], cluster: str = MAIN) -> dict[str, str]:
    """Returns the passwords of our database roles in a cluster, by role: of each variable the first line."""
    first = {name: next(iter(lines(value)), "") for name, value in values.items()}
    passwords = {
        role: first.get(f"{name}_{cluster.upper()}") or first.get(name, "")
        for role, name in PASSWORDS.items()
    }
    return {role: password for role, password in passwords.items() if password}


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
        db = await owner_connection.connect(dsn, server_settings=settings, **options)
    except owner_connection.UNREACHABLE as error:
        raise CommandError(f"The database cannot be reached: {error}.") from None
    try:
        yield db
    finally:
        await db.close()
