"""Replaces the passwords of NATS where they stand in files, and its configuration is written from these: in
docker-compose.yml (docs/adr/0026, docs/adr/0036).

Each user gets a second login. It stands below the first one in the file until the server knows it, then above it
until every process has moved to it. After each step, running it again goes on, and each process can connect.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aero2 import nats_access
from aero2.embedded.nats import lets_in
from aero2.embedded.secrets import NATS_USERS, other_login, password
from aero2.failures import CommandError
from aero2.nats_passwords import MOVED, RELOADED, held, until, until_moved
from aero2.password_files import PasswordFile, file_of
from common.nats_logins import parse_login

CONFIGURATION: Final = "AERO2_NATS_CONFIGURATION"
SERVER: Final = 1
"""The process of NATS, for a container that sees the processes of its container."""
PROGRAM: Final = "nats-server"

Report = Callable[[str], None]


@dataclass(frozen=True)
class LoginFiles:
    """The configuration of a NATS server, and the file of each user from which it is written."""

    configuration: Path
    files: Mapping[str, PasswordFile]
    server: str = nats_access.COMPOSE
    """The part of the configuration before the users."""

    @classmethod
    def of_environment(cls) -> LoginFiles:
        """Returns those that AERO2_NATS_CONFIGURATION and NATS_<USER>_PASSWORD_FILE name. Raises CommandError if
        one is not set."""
        place = os.environ.get(CONFIGURATION)
        if not place:
            raise CommandError(
                f"{CONFIGURATION} is not set. Replace the passwords of NATS in their files (docs/operating.md)."
            )
        files = {user: file_of(f"NATS_{user.upper()}_PASSWORD") for user in NATS_USERS}
        return cls(Path(place), files)

    def of_user(self, user: str) -> list[tuple[str, str]]:
        """Returns the logins of a user, that which processes should use first. Raises CommandError."""
        found = [parse_login(user, line) for line in self.files[user].lines()]
        if not found:
            raise CommandError(f"{self.files[user].path} is empty.")
        return found

    def keep(self, user: str, logins: list[tuple[str, str]]) -> None:
        """Writes the file of a user."""
        self.files[user].write([":".join(login) for login in logins])

    def write_configuration(self) -> None:
        """Writes the configuration with all logins: the rights are those of the version that runs this."""
        every = dict(pair for user in self.files for pair in reversed(self.of_user(user)))
        quoted = {login: json.dumps(secret, ensure_ascii=False) for login, secret in every.items()}
        text = nats_access.configuration(quoted, server=self.server)
        fresh = self.configuration.with_name(f".{self.configuration.name}.new")
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            if self.configuration.exists():
                former = self.configuration.stat()
                os.fchown(handle, former.st_uid, former.st_gid)
            os.fsync(handle)
        fresh.replace(self.configuration)


@dataclass(frozen=True)
class NatsRotation:
    """A rotation of one server, which `process` runs."""

    url: str
    logins: LoginFiles
    process: int = SERVER
    within: float = MOVED

    @classmethod
    def of_environment(cls) -> NatsRotation:
        """Returns the rotation of the deployment that the environment names. Raises CommandError."""
        logins = LoginFiles.of_environment()
        url = os.environ.get("AERO2_NATS_URL")
        if not url:
            raise CommandError("AERO2_NATS_URL is not set.")
        return cls(url, logins)

    async def run(self, report: Report) -> None:
        """Replaces the passwords, after it has finished a rotation that was interrupted. Raises CommandError."""
        self._check_process()
        with self._lock():
            if any(len(self.logins.of_user(user)) > 1 for user in self.logins.files):
                report("Finishing a rotation that was interrupted.")
                await self.settle(report)
            self.add()
            await self.accept_all()
            self.prefer_new()
            await self.settle(report)

    def add(self) -> None:
        """Writes a new login below the one that is used. The command line comes first, and gives its former one up
        last: by its two logins, an interrupted run can tell whether the server has read the configuration."""
        for user in sorted(self.logins.files, key=lambda user: user != nats_access.CLI):
            [used] = self.logins.of_user(user)
            self.logins.keep(user, [used, (other_login(user, used[0]), password())])

    async def accept_all(self) -> None:
        """Lets the server accept every login of the files. Nobody is disconnected."""
        own = self.logins.of_user(nats_access.CLI)

        async def accepted() -> bool:
            return all([await lets_in(self.url, *login) for login in own])

        if await accepted():
            return  # an earlier run has come so far
        await asyncio.to_thread(self.logins.write_configuration)
        async with held(self.url, own):
            self._reload()
            await until(accepted, RELOADED, "NATS does not accept the new logins")

    def prefer_new(self) -> None:
        """Puts the new login of each user first, so that processes move to it."""
        for user in self.logins.files:
            self.logins.keep(user, self.logins.of_user(user)[::-1])

    async def settle(self, report: Report) -> None:
        """Ends all logins but the first of each file, when every process has moved to it."""
        await self.accept_all()
        every = {user: self.logins.of_user(user) for user in self.logins.files}
        former = {login for logins in every.values() for login, _ in logins[1:]}
        own = every[nats_access.CLI]
        report("Services move to their logins …")
        await until_moved(self.url, own[0], every["gateway"][0][0], former, within=self.within)
        for user in sorted(every, key=lambda user: user == nats_access.CLI):
            self.logins.keep(user, every[user][:1])
        await asyncio.to_thread(self.logins.write_configuration)

        async def refused() -> bool:
            return not any([await lets_in(self.url, *login) for login in own[1:]])

        async with held(self.url, own[:1]):
            self._reload()
            await until(refused, RELOADED, "NATS still accepts the former logins")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Keeps other rotations of this server away. Raises CommandError if one is running."""
        handle = os.open(self.logins.configuration.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CommandError("Another rotation of NATS is running.") from None
            yield
        finally:
            os.close(handle)

    def _check_process(self) -> None:
        """Raises CommandError unless NATS is the process: anything else may end at a signal."""
        try:
            name = Path(f"/proc/{self.process}/comm").read_text().strip()
        except OSError:
            name = ""
        if name != PROGRAM:
            raise CommandError(
                f"Process {self.process} is not {PROGRAM}. Run this where its process is seen, such as in the "
                "service `secrets` of docker-compose.yml."
            )

    def _reload(self) -> None:
        self._check_process()
        os.kill(self.process, signal.SIGHUP)
