"""The deployment that `aero2 doctor` looks at: its addresses, and what it needs to look inside."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import asyncpg

from aero2 import nats_access, owner_connection
from aero2.deployment import is_held
from aero2.embedded import ports, secrets
from aero2.embedded.folder import Folder
from aero2.embedded.postgres import Postgres
from aero2.failures import CommandError
from aero2.owner_urls import owner_variable, read_owner_urls
from aero2.secret_variables import secret_of
from common.homes import MAIN
from common.nats_logins import parse_login
from common.secret_files import lines

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
MOUNTED: Final = Path("/run/secrets")
"""Files of this folder are mounts in a container without other accounts. The machine outside decides who may read
them."""
SETTINGS: Final = {
    "application_name": "aero2-doctor",
    "default_transaction_read_only": "on",
    "statement_timeout": "5s",
    "lock_timeout": "1s",
}


@dataclass(frozen=True)
class Target:
    """A deployment. Checks that need a value which is empty or None are skipped."""

    public_url: str = ""
    database_url: str = field(default="", repr=False)
    """Of a superuser or the owner of the schema, in the cluster `cluster`."""
    cluster: str = MAIN
    clusters: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The same URL of each further database cluster, by its name."""
    nats_url: str = ""
    nats_logins: Sequence[tuple[str, str]] = field(default=((nats_access.CLI, ""),), repr=False)
    """The login and password of the user `cli`, the newest first. While a password is replaced, NATS may accept one
    of two."""
    nats_authority: str | None = None
    """The file of the certificate authority of NATS, if it has TLS."""
    nats_config: Path | None = None
    master_key: str = field(default="", repr=False)
    smtp_url: str = field(default="", repr=False)
    secret_files: tuple[Path, ...] = ()
    folder: Path | None = None
    """The data folder of `aero2 up`."""
    authority: Path | None = None
    """The certificate authority of the data folder."""

    @property
    def domain(self) -> str:
        """The apex without its port."""
        return urlsplit(self.public_url).hostname or ""

    def databases(self) -> list[Target]:
        """Returns this deployment with each of its database clusters in turn, `main` first."""
        others = self.clusters.items()
        return [self, *(replace(self, cluster=name, database_url=url) for name, url in others)]

    @property
    def is_local(self) -> bool:
        """Whether the deployment is for this machine only."""
        return self.domain == "localhost" or self.domain.endswith(".localhost")


def from_environment(env: Mapping[str, str] = os.environ) -> Target:
    """Returns the deployment of the services' own variables. Raises CommandError for a cluster that cannot
    be."""
    clusters = read_owner_urls(env)
    candidates = [Path(".env"), *(Path(env[name]) for name in env if _names_a_file(name))]
    nats_passwords = lines(secret_of("AERO2_NATS_PASSWORD", env)) or [""]
    return Target(
        public_url=env.get("AERO2_PUBLIC_URL", "").rstrip("/"),
        database_url=clusters.pop(MAIN, ""),
        clusters=clusters,
        nats_url=env.get("AERO2_NATS_URL", ""),
        nats_logins=[parse_login(nats_access.CLI, line) for line in nats_passwords],
        nats_authority=env.get("AERO2_NATS_CA_FILE"),
        master_key=secret_of("AERO2_MASTER_KEY", env),
        smtp_url=secret_of("AERO2_SMTP_URL", env),
        secret_files=tuple(
            file for file in candidates if file.is_file() and MOUNTED not in file.parents
        ),
    )


def _names_a_file(name: str) -> bool:
    secrets_end = ("KEY_FILE", "PASSWORD_FILE", "TOKEN_FILE", "URL_FILE")
    return name.startswith("AERO2_") and name.endswith(secrets_end)


def from_folder(path: Path) -> Target:
    """Returns the deployment that runs on a data folder. Raises CommandError if none does."""
    if not (path / "lock").is_file() or not is_held(path):
        raise CommandError(
            f"Aero2 does not run on the data folder {path}. Start it, name another one with "
            "--data-dir, or set AERO2_PUBLIC_URL, AERO2_OWNER_DATABASE_URL and AERO2_NATS_URL."
        )
    folder = Folder.at(path)
    kept = secrets.stored(folder)
    postgres = Postgres(folder, ports.port_of(folder, "postgres"), kept.get("superuser", ""))
    authority = folder.root / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    return Target(
        public_url=folder.url or "",
        database_url=postgres.url("postgres", postgres.superuser),
        nats_url=f"nats://127.0.0.1:{ports.port_of(folder, 'nats')}",
        nats_logins=_logins_of_folder(kept),
        nats_config=folder.root / "nats" / "nats.conf",
        master_key=kept.get("master_key", ""),
        smtp_url=secret_of("AERO2_SMTP_URL"),
        secret_files=tuple(
            file
            for name in (secrets.FILE, "dashboard-keys.json", "nats/nats.conf")
            if (file := folder.root / name).exists()
        ),
        folder=folder.root,
        authority=authority if authority.is_file() else None,
    )


def _logins_of_folder(kept: Mapping[str, Any]) -> list[tuple[str, str]]:
    login = kept.get("nats_logins", {}).get(nats_access.CLI, nats_access.CLI)
    logins = [(login, kept.get("nats", {}).get(nats_access.CLI, ""))]
    if former := kept.get("former_nats", {}).get(nats_access.CLI):
        logins.append((secrets.other_login(nats_access.CLI, login), former))
    return logins


def choose_target(folder: Path | None, nats_config: Path | None) -> Target:
    """Returns the deployment of the environment; with `folder`, or if the environment names none, the one
    that runs on a data folder. Raises CommandError."""
    target = from_environment()
    if folder is not None or not (target.public_url or target.database_url or target.nats_url):
        target = from_folder(folder or Path(".aero2"))
    if nats_config is not None and not nats_config.is_file():
        raise CommandError(f"There is no file {nats_config}.")
    return replace(target, nats_config=nats_config) if nats_config else target


@asynccontextmanager
async def open_database(target: Target) -> AsyncIterator[Connection | None]:
    """Connects to the database, for reading only. The connection is None if no URL is known. Raises what
    asyncpg raises."""
    if not target.database_url:
        yield None
        return
    try:
        db = await owner_connection.connect(target.database_url, command_timeout=10)
    except (ValueError, asyncpg.InterfaceError) as error:
        variable = owner_variable(target.cluster)
        raise CommandError(f"{variable} is not valid: {error}") from None
    try:
        for name, value in SETTINGS.items():  # a pooler would refuse them at the start
            await db.execute("SELECT set_config($1, $2, false)", name, value)
        yield db
    finally:
        await db.close(timeout=2)
