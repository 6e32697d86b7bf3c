"""Replaces the passwords of the database roles of all clusters, where they stand in files (docs/adr/0036).

A file has the new password as first line and the former one below it, until the servers of all clusters that it is
for have the new one. Services try all lines. So the files are all that a rotation must remember: after each step,
running it again goes on, and each service can connect.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime

from aero2.failures import CommandError
from aero2.migrate import LOCK, ROLES, refuse_unfinished_restore
from aero2.migration_steps import Connection
from aero2.owner_urls import BadCluster, owner_logins, owner_password_variable
from aero2.password_change import (
    REPLACE,
    change,
    change_own,
    connect_with,
    end_old_connections,
)
from aero2.password_files import PasswordFile, file_of
from aero2.role_passwords import password_variable
from aero2.schema_files import MigrationError
from common.database_url import DatabaseUrl
from common.homes import MAIN
from common.secret_files import SUFFIX, BadSecret

Report = Callable[[str], None]


@dataclass
class Rotation:
    """The files of each role by cluster, and the owner's logins there."""

    logins: Mapping[str, DatabaseUrl]
    files: Mapping[str, Mapping[str, PasswordFile]]
    within: float = REPLACE

    @classmethod
    def of_environment(cls) -> Rotation:
        """Returns the rotation of the deployment that the environment names. Raises CommandError if a password
        does not stand in a file."""
        logins = logins_of_environment()
        files = {
            cluster: {role: file_of(password_variable(role, cluster)) for role in ROLES}
            for cluster in logins
        }
        return cls(logins, files)

    async def run(self, report: Report) -> None:
        """Replaces the passwords. Raises CommandError if a cluster is dark: then its roles have the former
        passwords, services know both, and another run finishes the rotation."""
        dark: dict[str, str] = {}
        async with AsyncExitStack() as stack:
            servers: dict[str, Connection] = {}
            for cluster, login in self.logins.items():
                try:
                    servers[cluster] = await _connected(stack, login)
                except CommandError as error:
                    dark[cluster] = str(error)
            if MAIN in dark:
                raise CommandError(f"{MAIN}: {dark[MAIN]}")
            await _lock(servers[MAIN])
            self._begin(report)
            changed_at = await self._change(servers)
            self._finish([cluster for cluster in self.logins if cluster in dark])
            report("Services replace their connections …")
            for cluster, db in servers.items():
                if count := await end_old_connections(db, changed_at[cluster], self.within):
                    report(f"{cluster}: {count} connections were closed that nobody had replaced.")
        if dark:
            raise CommandError(
                f"{' '.join(f'{name}: {error}' for name, error in dark.items())} The former passwords are valid "
                "there, and services know both. Run this again when it is back."
            )

    def _begin(self, report: Report) -> None:
        """Gives services the new passwords, beside those that the servers have."""
        for file in self._each():
            file.lines()  # before anything is changed
        begun = [file.begin() for file in self._each()]
        if not all(begun):
            report("Finishing a rotation that was interrupted.")

    async def _change(self, servers: Mapping[str, Connection]) -> dict[str, datetime]:
        """Sets the first line of each file in each server that is there."""
        changed_at = {}
        for cluster, db in servers.items():
            passwords = {role: file.lines()[0] for role, file in self.files[cluster].items()}
            changed_at[cluster] = await change(db, passwords)
        return changed_at

    def _finish(self, dark: list[str]) -> None:
        """Takes the former passwords away, but for those that a dark cluster still has."""
        needed = {file.path for cluster in dark for file in self.files[cluster].values()}
        for file in self._each():
            if file.path not in needed:
                file.finish()

    def _each(self) -> list[PasswordFile]:
        """Returns each file once: clusters may share one."""
        every = [file for files in self.files.values() for file in files.values()]
        return list({file.path: file for file in every}.values())


async def rotate_owners(report: Report) -> None:
    """Gives the owner of the database in each cluster a new password. Its file has both, until all clusters that
    share the file have the new one. Raises CommandError, and changes nothing while one of these is dark."""
    logins = logins_of_environment()
    clusters_of: dict[PasswordFile, list[str]] = {}
    for cluster, login in logins.items():
        clusters_of.setdefault(_owner_file(cluster, login), []).append(cluster)
    for file, clusters in clusters_of.items():
        async with AsyncExitStack() as stack:
            servers = {each: await _connected(stack, logins[each]) for each in clusters}
            new = file.begin_below()
            for cluster, db in servers.items():
                if others := await change_own(db, new):
                    report(f"{cluster}: {others} connections of the owner may be from before.")
            file.finish_below()


def _owner_file(cluster: str, login: DatabaseUrl) -> PasswordFile:
    """Returns the file of the owner's password. Raises CommandError if it is in the DSN."""
    own, shared = owner_password_variable(cluster), owner_password_variable(MAIN)
    if login.password is None:
        raise CommandError(
            f"The password of the owner of {cluster} stands in the DSN. Only one in a file can be replaced: set "
            f"{own}{SUFFIX}."
        )
    return file_of(own if os.environ.get(own + SUFFIX) or os.environ.get(own) else shared)


def logins_of_environment() -> dict[str, DatabaseUrl]:
    """Returns the owner's logins by cluster. Raises CommandError without any."""
    try:
        logins = owner_logins()
    except (BadCluster, BadSecret) as problem:
        raise CommandError(f"{problem}.") from None
    if not logins:
        raise CommandError("AERO2_OWNER_DATABASE_URL is not set.")
    return logins


async def _lock(db: Connection) -> None:
    """Keeps migrations and other rotations away until the connection closes. Raises CommandError."""
    if not await db.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
        raise CommandError("A migration or another rotation is running on this database.")


async def _connected(stack: AsyncExitStack, login: DatabaseUrl) -> Connection:
    """Connects until the stack ends. Raises CommandError."""
    db = await connect_with(login)
    stack.push_async_callback(db.close)
    try:
        await refuse_unfinished_restore(db)
    except MigrationError as error:
        raise CommandError(str(error)) from None
    return db
