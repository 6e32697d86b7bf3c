"""Replaces the passwords of the database roles of a data folder, while the platform works (docs/adr/0026).

Every step can be repeated, and after each of them every service can connect: its file has the password that the
server accepts. So a rotation that was interrupted is finished by running it again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from aero2.embedded import ports
from aero2.embedded.folder import Folder
from aero2.embedded.password_files import write_database_files
from aero2.embedded.postgres import Postgres
from aero2.embedded.secrets import DATABASE_ROLES, Secrets, password
from aero2.failures import CommandError
from aero2.migration_steps import Connection
from aero2.password_change import REPLACE, change, change_own, connect_with, end_old_connections
from common.database_url import DatabaseUrl

Report = Callable[[str], None]


async def rotate(folder: Folder, report: Report, *, within: float = REPLACE) -> None:
    """Gives every database role a new password, and ends the connections that were opened with the former one.
    Finishes an earlier rotation instead, if that was interrupted. Raises CommandError."""
    db = await _connect(folder)
    try:
        await _begin(folder, report)
        await _accept_both(folder)
        changed_at = await _change(folder, db)
        await _accept_new(folder)
        report("The server accepts the new passwords only. Services replace their connections …")
        left = await end_old_connections(db, changed_at, within)
        if left:
            report(f"{left} connections were closed that nobody had replaced.")
        await _finish(folder)
    finally:
        await db.close()


async def rotate_owner(folder: Folder, report: Report) -> None:
    """Gives the superuser a new password. `secrets.json` has both until the server has the new one: a start in
    between goes on with the former (embedded.superuser). Raises CommandError."""
    db = await _connect(folder)
    try:
        await _begin_owner(folder)
        others = await _change_owner(folder, db)
        await _finish_owner(folder)
    finally:
        await db.close()
    if others:
        report(f"{others} connections of the superuser are from before. Look for them, or restart.")


async def _begin_owner(folder: Folder) -> None:
    """Writes the new password down, unless an earlier run has."""
    secrets = Secrets.load(folder)
    secrets.next_superuser = secrets.next_superuser or password()
    secrets.keep(folder)


async def _change_owner(folder: Folder, db: Connection) -> int:
    """Changes the password in the server. Returns how many connections are from before."""
    return await change_own(db, Secrets.load(folder).next_superuser)


async def _finish_owner(folder: Folder) -> None:
    """Lets the new password be that of the superuser."""
    secrets = Secrets.load(folder)
    secrets.superuser, secrets.next_superuser = secrets.next_superuser, ""
    secrets.keep(folder)


async def _begin(folder: Folder, report: Report) -> None:
    """Writes down the new passwords, and those that they replace."""
    secrets = Secrets.load(folder)
    if secrets.former_database:
        report("Finishing a rotation that was interrupted.")
        return
    secrets.former_database = secrets.database
    secrets.database = {role: password() for role in DATABASE_ROLES}
    secrets.keep(folder)


async def _accept_both(folder: Folder) -> None:
    """Gives services both passwords."""
    write_database_files(folder, Secrets.load(folder))


async def _change(folder: Folder, db: Connection) -> datetime:
    """Changes the passwords in the server. Returns the time after which it accepts no former one."""
    return await change(db, Secrets.load(folder).database)


async def _accept_new(folder: Folder) -> None:
    """Takes the former passwords away from services. They replace their connections then."""
    secrets = Secrets.load(folder)
    secrets.former_database = {}
    write_database_files(folder, secrets)


async def _finish(folder: Folder) -> None:
    """Forgets the former passwords."""
    secrets = Secrets.load(folder)
    secrets.former_database = {}
    secrets.keep(folder)


async def _connect(folder: Folder) -> Connection:
    """Connects as the superuser, with the password that the server has now."""
    secrets = Secrets.load(folder)
    server = Postgres(folder, ports.port_of(folder, "postgres"), secrets.superuser)
    passwords = filter(None, (secrets.superuser, secrets.next_superuser))
    dsns = [server.url("postgres", each) for each in passwords]
    try:
        return await connect_with(DatabaseUrl("\n".join(dsns)))
    except CommandError as error:
        raise CommandError(f"{error} Is Aero2 running?") from None
