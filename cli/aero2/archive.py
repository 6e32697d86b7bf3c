"""`aero2 archive`: the WAL of a server, copied as it is written, for a recovery to any moment."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from aero2 import backup_commands as options
from aero2.backups import access
from aero2.backups.archiver import ArchiverState, archiver_state
from aero2.backups.base_backup import BaseBackup, Point, name_point
from aero2.backups.commands import passphrase_or_refusal, tell
from aero2.backups.point_in_time import check_and_finish
from aero2.backups.progress import Reporter
from aero2.backups.restore import Restore, refuse_running_services
from aero2.command_groups import new_group
from aero2.embedded.folder import Folder
from aero2.embedded.secrets import FILE
from aero2.embedded.wal_archiving import archive_of, remember_archive
from aero2.failures import CommandError, report_failures
from aero2.secret_variables import OWNER

app = new_group("The archive of the WAL.")

Archive = Annotated[
    Path | None, typer.Option(help="The archive. Without it: that of the data folder.")
]


@app.callback()
def main() -> None:
    """The archive of the WAL: recovery to a moment or a named point (docs/operating.md)."""


@app.command("on")
def on(
    archive: Annotated[Path, typer.Argument(help="An existing folder, on another disk.")],
    data_dir: Annotated[Path, typer.Option(help="Data folder of `aero2 up`.")] = Path(".aero2"),
) -> None:
    """Archive the WAL of a data folder, from the next start of `aero2 up` on."""
    with report_failures():
        if not archive.is_dir():
            raise CommandError(f"{archive} is not there. Make it, on another disk than the data.")
        remember_archive(_folder(data_dir), archive.absolute())
    typer.echo(f"From the next start of `aero2 up` on, the WAL is archived in {archive}.")


@app.command("off")
def off(
    data_dir: Annotated[Path, typer.Option(help="Data folder of `aero2 up`.")] = Path(".aero2"),
) -> None:
    """Stop archiving, from the next start of `aero2 up` on. The archive stays."""
    with report_failures():
        remember_archive(_folder(data_dir), None)
    typer.echo("From the next start of `aero2 up` on, nothing is archived.")


@app.command("base")
def base(
    passphrase_file: options.PassphraseFile = None,
    *,
    without_secrets: options.WithoutSecrets = False,
    archive: Archive = None,
    data_dir: options.DataDir = None,
) -> None:
    """Copy the whole server into the archive. A recovery starts from the latest copy before its end."""
    with report_failures():
        passphrase = passphrase_or_refusal(passphrase_file, without_secrets=without_secrets)
        secrets = None if without_secrets else access.secrets_of(data_dir)

        async def run() -> Path:
            async with access.database_of(data_dir) as dsn:
                work = BaseBackup(dsn, _archive(archive, data_dir), secrets, passphrase)
                return await work.run(Reporter())

        typer.echo(f"Made {asyncio.run(run())}.")


@app.command("point")
def point(
    name: Annotated[str, typer.Argument(help="Letters, digits, . _ and -")],
    archive: Archive = None,
    data_dir: options.DataDir = None,
) -> None:
    """Name this moment, such as before an update: aero2 restore ARCHIVE --to-point NAME"""
    with report_failures():

        async def run() -> Point:
            async with access.database_of(data_dir) as dsn:
                return await name_point(dsn, _archive(archive, data_dir), name)

        recovery_point = asyncio.run(run())
    typer.echo(f"Named {recovery_point.name}: {recovery_point.lsn}, {recovery_point.at}.")


@app.command("status")
def status(data_dir: options.DataDir = None) -> None:
    """Show what is archived and what waits. The exit code is 1 if archiving fails or is late."""
    with report_failures():

        async def run() -> ArchiverState:
            async with access.database_of(data_dir) as dsn, access.connected(dsn) as db:
                return await archiver_state(db)

        state = asyncio.run(run())
    typer.echo("on" if state.on else "off: nothing is archived")
    typer.echo(
        f"archived: {state.archived}, last {state.last_archived} at {state.last_archived_at}"
    )
    typer.echo(f"failed: {state.failed}, last {state.last_failed} at {state.last_failed_at}")
    typer.echo(f"waiting: {state.waiting}, since {state.oldest_waiting_at}")
    raise typer.Exit(1 if state.failing or state.late else 0)


@app.command("recovered")
def recovered(
    *,
    end_keys: options.EndKeys = False,
    accept_audit_faults: options.AcceptAuditFaults = False,
) -> None:
    """After a recovery of your own, before the services start: check the database of
    AERO2_OWNER_DATABASE_URL, and end all sessions, tokens and codes from before."""
    with report_failures():
        dsn, secrets = access.owner_dsn(), access.environment_secrets()
        if not dsn or access.MASTER_KEY not in secrets:
            raise CommandError(f"{OWNER} and {access.MASTER_KEY} must be set.")
        work = Restore(
            Path(),
            dsn,
            access.parse_keys(secrets[access.MASTER_KEY]),
            access.passwords_in(secrets),
            end_keys=end_keys,
            accept_audit_faults=accept_audit_faults,
        )
        reporter = Reporter()

        async def run() -> dict[str, int]:
            async with access.connected(dsn) as db:
                await refuse_running_services(db)
            return await check_and_finish(work, reporter)

        tell(asyncio.run(run()), end_keys=end_keys, reporter=reporter)
        reporter.say("Next: start the services.")


def _folder(path: Path) -> Folder:
    if not (path / FILE).is_file():
        raise CommandError(f"{path} is no data folder of `aero2 up`.")
    return Folder.at(path)


def _archive(archive: Path | None, data_dir: Path | None) -> Path:
    """Returns the archive that is meant. Raises CommandError."""
    path = access.data_folder(data_dir)
    if archive is None and path is not None:
        archive = archive_of(_folder(path))
    if archive is None:
        raise CommandError("Name the archive with --archive, or begin with `aero2 archive on`.")
    if not archive.is_dir():
        raise CommandError(f"The archive {archive} is not there.")
    return archive.absolute()
