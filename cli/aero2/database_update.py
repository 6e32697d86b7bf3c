"""Brings the embedded database to this version when `aero2 up` starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from aero2.embedded.postgres import Postgres
from aero2.failures import CommandError
from aero2.migrate import migrate, missing
from aero2.saved_database import save
from aero2.schema_files import MigrationError
from common.version import VERSION


async def update(
    postgres: Postgres,
    passwords: Mapping[str, str],
    *,
    backup: bool,
    report: Callable[[str], None],
    source: Path | None = None,
) -> None:
    """Makes the schema or runs the missing migrations, of both phases: no service runs yet. With
    `backup`, a database of an older version is saved first. Raises CommandError."""
    dsn = postgres.url("postgres", postgres.superuser)
    try:
        names = await missing(dsn, source=source)
        if names and backup:
            report(f"an older version made this folder; it lacks {', '.join(names)}")
            file = await save(postgres, VERSION, lambda size: report(f"saving: {size}"))
            report(f"saved as {file}")
        say = report if names else _nothing
        await migrate(dsn, passwords, source=source, report=say, contract=True)
    except MigrationError as error:
        raise CommandError(str(error)) from None


def _nothing(_: str) -> None:
    """A new database is made without a word."""
