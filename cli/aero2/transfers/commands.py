"""`aero2 apps transfer-key`, `export`, `import` and `open`, as the command line calls them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from aero2.backups import access
from aero2.backups.facts import must_see_all
from aero2.backups.progress import Reporter
from aero2.failures import CommandError
from aero2.transfers.arrival import Import, Imported
from aero2.transfers.export import Export, Exported
from aero2.transfers.opening import open_application
from aero2.transfers.transfer_key import TransferKey
from common.crypto import Keys


@dataclass(frozen=True)
class ImportOptions:
    """The options of the command line."""

    file: Path
    slug: str | None = None
    team: str | None = None
    accept_domains: bool = False
    accept_audit_faults: bool = False
    data_dir: Path | None = None


def transfer_key(data_dir: Path | None) -> TransferKey:
    """Returns the public key of the deployment. Raises CommandError."""
    return TransferKey.of(_keys(data_dir))


def export(slug: str, file: Path, *, to: str, final: bool, data_dir: Path | None) -> None:
    """Exports an application, and says what comes next. Raises CommandError."""
    recipient, keys, reporter = TransferKey.parse(to), _keys(data_dir), Reporter()

    async def run() -> Exported:
        async with access.database_of(data_dir) as dsn:
            return await Export(dsn, slug, file, recipient, keys, final=final).run(reporter)

    written = asyncio.run(run())
    reporter.say(f"Exported {slug}: {written.rows} rows, SHA-256 {written.sha256}.")
    if written.domains:
        reporter.say(f"Its verified domains: {', '.join(written.domains)}.")
    if final:
        reporter.say(
            f"{slug} is closed here now. Import the file, and then delete {slug} in the Dashboard; or "
            f"open it again, if the import fails: aero2 apps open {slug}"
        )
    else:
        reporter.say(
            f"{slug} goes on here. What happens from now on is not in the file: for the move itself, "
            "export with --final."
        )


def import_(options: ImportOptions) -> None:
    """Imports an application, and says what comes next. Raises CommandError."""
    keys, reporter = _keys(options.data_dir), Reporter()

    async def run() -> Imported:
        async with access.database_of(options.data_dir) as dsn:
            work = Import(
                dsn,
                options.file,
                keys,
                slug=options.slug,
                team=options.team,
                accept_domains=options.accept_domains,
                accept_audit_faults=options.accept_audit_faults,
            )
            return await work.run(reporter)

    outcome = asyncio.run(run())
    reporter.say(f"Imported {outcome.slug}: {outcome.rows} rows, SHA-256 {outcome.sha256}.")
    if not outcome.final:
        reporter.say(
            "The file is a copy: the application was not closed at its source. Let only one of them "
            "answer."
        )
    if outcome.opened:
        reporter.say(f"{outcome.slug} is open: it answers as soon as the services run.")
    else:
        reporter.say(
            f"{outcome.slug} is still closed: the services learn its keys when they start. Restart them, "
            f"one after the other, and then: aero2 apps open {outcome.slug}"
        )


def open_(slug: str, *, restarted: bool, data_dir: Path | None) -> None:
    """Opens an application, and says so. Raises CommandError."""

    async def run() -> None:
        async with access.database_of(data_dir) as dsn, access.connected(dsn) as db:
            await must_see_all(db)
            await open_application(db, slug, restarted=restarted)

    asyncio.run(run())
    Reporter().say(f"{slug} is open.")


def _keys(data_dir: Path | None) -> Keys:
    """Returns the master keys of the deployment. Raises CommandError."""
    text = access.master_key_in(access.secrets_of(data_dir))
    if not text:
        raise CommandError(f"{access.MASTER_KEY} is not set.")
    return access.parse_keys(text)
