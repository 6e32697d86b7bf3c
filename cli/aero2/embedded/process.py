"""Child processes that do not outlive us for long, and finding those that did."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from aero2.embedded.folder import Folder
from aero2.failures import CommandError

REGISTER: Final = "run/children.json"
SERVERS: Final = ("postgres", "initdb", "nats-server")


@dataclass(frozen=True)
class Account:
    """The unprivileged account that PostgreSQL runs under when we are root."""

    name: str
    uid: int
    gid: int

    @classmethod
    def for_postgres(cls, existing: Path) -> Account | None:
        """None where we are not root. The owner of an existing database keeps it."""
        if os.geteuid() != 0:
            return None
        if existing.exists() and (owner := existing.stat().st_uid) != 0:
            return cls._of(pwd.getpwuid(owner))
        for name in ("postgres", "nobody"):
            try:
                return cls._of(pwd.getpwnam(name))
            except KeyError:
                continue
        raise CommandError(
            "PostgreSQL refuses to run as root, and this system has neither an account postgres "
            "nor nobody. Run this as an ordinary user."
        )

    @classmethod
    def _of(cls, entry: pwd.struct_passwd) -> Account:
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)

    def prefix(self, *needed: Path) -> list[str]:
        """Returns the command prefix that runs a command under this account. If a path is inside a
        folder that the account may not enter, such as root's home, the command may read there, and
        nothing more."""
        if shutil.which("setpriv") is None:
            raise CommandError(
                "PostgreSQL refuses to run as root, and changing accounts needs setpriv "
                "(package util-linux). Install it, or run this as an ordinary user."
            )
        plain = ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
        tests = [word for path in needed for word in ("-a", "-e", str(path))][1:]
        if subprocess.run([*plain, "test", *tests], check=False).returncode == 0:
            return [*plain, "--inh-caps=-all", "--no-new-privs"]
        search = "-all,+dac_read_search" if _may("dac_read_search") else "-all,+dac_override"
        return [*plain, f"--inh-caps={search}", f"--ambient-caps={search}", "--no-new-privs"]


def _may(capability: str) -> bool:
    number = {"dac_override": 1, "dac_read_search": 2}[capability]
    status = Path("/proc/self/status").read_text()
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> number & 1)


def dies_with_us(how: int) -> list[str]:
    """Returns a command prefix that lets the kernel send the signal `how` to the process when we
    die. Without it (not Linux), the next start finds a process that is left."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", signal.Signals(how).name.removeprefix("SIG")] if setpriv else []


async def spawn(
    argv: list[str],
    *,
    under: list[str],
    env: dict[str, str],
    log: Path,
    cwd: Path,
    stop_with: int,
    sockets: tuple[socket.socket, ...] = (),
) -> asyncio.subprocess.Process:
    """Starts a process in a session of its own, so that Ctrl-C in the terminal reaches only us.
    `under` is the prefix of another account. It comes first, since changing accounts clears the
    signal that `dies_with_us` asks for."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return await asyncio.create_subprocess_exec(
            *under,
            *dies_with_us(stop_with),
            *argv,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=[each.fileno() for each in sockets],
        )
    finally:
        os.close(output)


@dataclass
class Register:
    """The processes that belong to the folder, on disk. The start after a kill -9 finds them
    there."""

    folder: Folder

    def note(self, name: str, pid: int) -> None:
        self.folder.inside("run")
        register = self._known()
        try:
            started = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            return
        self.folder.write(REGISTER, register | {name: {"pid": pid, "started": started}})

    def _known(self) -> dict[str, Any]:
        """Returns what the register holds, or nothing if the file is damaged, as after a power cut.
        Servers are also found by their working folder."""
        try:
            return self.folder.read(REGISTER)
        except CommandError:
            return {}

    def clear(self) -> None:
        (self.folder.root / REGISTER).unlink(missing_ok=True)

    def orphans(self) -> list[psutil.Process]:
        """Returns the folder's processes that still run: those in the register, and any server
        whose working folder lies in ours."""
        left: dict[int, psutil.Process] = {}
        for entry in self._known().values():
            try:
                process = psutil.Process(entry["pid"])
                if abs(process.create_time() - entry["started"]) < 0.5:
                    left[process.pid] = process
            except (psutil.NoSuchProcess, KeyError, TypeError, ValueError):
                continue  # it has ended, or the entry is damaged
        for process in psutil.process_iter(["name", "cwd"]):
            here = process.info["cwd"]
            if (
                process.info["name"] in SERVERS
                and here
                and Path(here).is_relative_to(self.folder.root)
            ):
                left[process.pid] = process
        return [process for process in left.values() if _runs(process)]

    def stop_orphans(self, within: float = 10.0) -> list[str]:
        """Ends the processes that a killed predecessor left. Returns their names."""
        orphans = self.orphans()
        names = sorted({_name(process) for process in orphans})
        for process in orphans:
            # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for its clients.
            _send(process, signal.SIGINT if _name(process) == "postgres" else signal.SIGTERM)
        _, left = psutil.wait_procs(orphans, timeout=within / 2)
        for process in left:
            _send(process, signal.SIGQUIT if _name(process) == "postgres" else signal.SIGKILL)
        _, left = psutil.wait_procs(left, timeout=within / 2)
        for process in left:
            _send(process, signal.SIGKILL)
        psutil.wait_procs(left, timeout=within / 2)
        self.clear()
        return names


def _runs(process: psutil.Process) -> bool:
    """A zombie has ended; that nobody has asked for its exit code yet harms no one."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""


def _send(process: psutil.Process, what: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        process.send_signal(what)
