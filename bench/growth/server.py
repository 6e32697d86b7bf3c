"""An embedded PostgreSQL for the measurement, with the settings of `aero2 up` and the whole schema."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aero2.embedded.folder import Folder
from aero2.embedded.postgres import Postgres
from aero2.embedded.process import dies_with_us
from aero2.migrate import ROLES, migrate
from bench.deployment import free_port

EXTRA: Final = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track_utility": "off",
    # Reading is measured. Filling need not survive a power cut.
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    # A vacuum in the middle would change the figures. The bench vacuums when it has filled.
    "autovacuum": "off",
}
EXPLAIN: Final = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_timing": "off",
}
"""With these, the server's log has the plan of each slow statement."""
START_LIMIT: Final = 60.0
"""Seconds until PostgreSQL must answer."""


@asynccontextmanager
async def started_postgres(
    under: Path | None, explain: float | None = None
) -> AsyncIterator[Mapping[str, str]]:
    """Starts a server in a temporary folder below `under`. Returns the addresses of the database by
    role, `owner` for the superuser. Stops the server and deletes the folder at the end. Prints the
    plans of statements that take `explain` milliseconds or more."""
    root = Path(tempfile.mkdtemp(prefix="aero2-growth-", dir=under))
    passwords = {role: secrets.token_hex(16) for role in ROLES}
    postgres = Postgres(Folder.at(root), free_port(), secrets.token_hex(16))
    process = None
    try:
        postgres.prepare()
        process = _run(postgres, explain)
        await _wait(postgres, process)
        owner = postgres.url("postgres", postgres.superuser)
        await migrate(owner, passwords)
        yield {"owner": owner} | {
            role: postgres.url(f"aero2_{role}", passwords[role]) for role in ROLES
        }
    finally:
        if process is not None:
            process.send_signal(signal.SIGINT)
            process.wait(60)
        if explain is not None:
            print((root / "postgres.log").read_text(), file=sys.stderr)
        shutil.rmtree(root, ignore_errors=True)


def _run(postgres: Postgres, explain: float | None) -> subprocess.Popen[bytes]:
    options = dict(EXTRA)
    if explain is not None:
        options |= EXPLAIN | {"auto_explain.log_min_duration": f"{explain}ms"}
    flags = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    command = [*postgres.under_account(), *dies_with_us(signal.SIGQUIT), *postgres.command()]
    with (postgres.folder.root / "postgres.log").open("wb") as log:
        return subprocess.Popen(
            [*command, *flags], stdout=log, stderr=log, cwd=postgres.data, start_new_session=True
        )


async def _wait(postgres: Postgres, process: subprocess.Popen[bytes]) -> None:
    """Waits until the server answers. Raises RuntimeError with the end of its log."""
    try:
        async with asyncio.timeout(START_LIMIT):
            while not await postgres.ready():
                if process.poll() is not None:
                    raise TimeoutError
                await asyncio.sleep(0.1)
    except TimeoutError:
        log = postgres.folder.root / "postgres.log"
        raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-2000:]}") from None
