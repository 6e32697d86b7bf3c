"""Writes an application into a file for another deployment, while Aero2 runs or not."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

import asyncpg
import orjson

from aero2.app_tables import AppTable, app_tables
from aero2.backups import checks
from aero2.backups.access import connected
from aero2.backups.facts import must_see_all
from aero2.backups.progress import Reporter, Step
from aero2.durable_files import sync
from aero2.failures import CommandError
from aero2.master_key_rotation import stored_keys
from aero2.migration_steps import Connection
from aero2.transfers import contents, gate
from aero2.transfers.contents import DataKeyPart, Manifest, PartWriter, TableHead
from aero2.transfers.recognition import travelling_keys
from aero2.transfers.sealed_file import SealedWriter
from aero2.transfers.transfer_key import TransferKey
from common.crypto import Keys, b64url
from common.homes import MAIN
from common.sealing import Unsealable, data_key_place, unwrap
from common.version import VERSION

ROWS: Final = 500
"""Rows that are read at once."""
BYTES: Final = 1024 * 1024
"""Bytes after which a chunk ends. One row may make it longer."""


@dataclass(frozen=True)
class Exported:
    """The result of an export."""

    rows: int
    sha256: str
    domains: list[str]


@dataclass(frozen=True)
class Export:
    """An export of one application to the new file `target`. `dsn` is of a role that sees all rows. With
    `final`, the application is closed before, and stays closed."""

    dsn: str
    slug: str
    target: Path
    recipient: TransferKey
    keys: Keys = field(repr=False)
    final: bool = False

    async def run(self, reporter: Reporter) -> Exported:
        """Writes the file. Raises CommandError, and then leaves no file of this name, and the application as
        open as it was."""
        if self.target.exists():
            raise CommandError(f"{self.target} exists already; an export never replaces anything.")
        try:
            async with connected(self.dsn) as db:
                await must_see_all(db)
                app_id = await self._application(db)
                await _refuse_unfinished_batches(db, app_id)
                closed_now = self.final and await gate.close(db, app_id)
                try:
                    return await self._export(db, app_id, reporter)
                except BaseException:
                    if closed_now:
                        await self._open_again(app_id)
                    raise
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise CommandError(f"The database could not be read: {error}") from None
        except OSError as error:
            raise CommandError(f"The file could not be written: {error}.") from None

    async def _open_again(self, app_id: str) -> None:
        """Opens the application after a failure, over a connection of its own. Raises CommandError."""
        try:
            async with connected(self.dsn) as db:
                await gate.open_again(db, app_id)
        except (CommandError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise CommandError(
                f"The export failed, and {self.slug} is still closed ({error}). Export it again, or open "
                f"it: aero2 apps open {self.slug}"
            ) from error

    async def _application(self, db: Connection) -> str:
        """Returns the id of the application. Raises CommandError if it cannot be exported."""
        row = await db.fetchrow(
            """
            SELECT id::text, is_dashboard, state, home, home_state, closed FROM applications WHERE slug = $1
            """,
            self.slug,
        )
        if row is None:
            raise CommandError(f"There is no application {self.slug}.")
        if row["is_dashboard"]:
            raise CommandError("The Dashboard belongs to its deployment, and is never exported.")
        if row["home"] != MAIN:
            raise CommandError(
                f"The rows of {self.slug} are in the cluster {row['home']}. Move them first: "
                f"aero2 apps move {self.slug} --to {MAIN}"
            )
        if row["state"] != "active" or (row["closed"] is None and row["home_state"] != "settled"):
            raise CommandError(f"{self.slug} is being created, moved or deleted.")
        if row["closed"] == "imported":
            raise CommandError(f"{self.slug} has just been imported, and was not opened yet.")
        return str(row["id"])

    async def _export(self, db: Connection, app_id: str, reporter: Reporter) -> Exported:
        unfinished_file = self.target.with_name(f".{self.target.name}.unfinished")
        with suppress(FileNotFoundError):
            unfinished_file.unlink()
        handle = os.open(unfinished_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                async with db.transaction(isolation="repeatable_read", readonly=True):
                    written = await self._write(db, app_id, file, reporter)
                file.flush()
                os.fsync(file.fileno())
            os.link(unfinished_file, self.target)  # unlike a rename, it never replaces a file
            sync(self.target.parent)
        finally:
            unfinished_file.unlink(missing_ok=True)
        return written

    async def _write(
        self, db: Connection, app_id: str, file: BinaryIO, reporter: Reporter
    ) -> Exported:
        """Writes what the snapshot of this transaction has."""
        await db.execute(contents.TEXT_FORMS)
        await _refuse_unfinished_batches(db, app_id)
        tables = contents.travelling_tables(await app_tables(db))
        manifest = await self._manifest(db, app_id, tables)
        parts = PartWriter(SealedWriter(file, self.recipient))
        parts.write(contents.encoded(manifest))
        with reporter.step("Exporting", sum(head.rows for head in manifest.tables)) as step:
            for table in tables:
                await _write_rows(db, app_id, table, parts, step=step)
        end = parts.write_end()
        domains = await db.fetch(
            "SELECT domain FROM custom_domains WHERE app_id = $1 AND verified_at IS NOT NULL",
            app_id,
        )
        return Exported(end.rows, end.sha256, [row["domain"] for row in domains])

    async def _manifest(self, db: Connection, app_id: str, tables: list[AppTable]) -> Manifest:
        keys = await checks.known_keys(db, self.keys)
        pairwise = await db.fetchval(
            "SELECT EXISTS (SELECT FROM oauth_clients WHERE app_id = $1 AND subject_type = 'pairwise')",
            app_id,
        )
        columns = ", ".join(f"{name}::text" for name in contents.APPLICATION)
        sql = f"SELECT {columns} FROM applications WHERE id = $1"  # noqa: S608 - our own names
        heads = [
            TableHead(
                name=table.name,
                columns=[column.name for column in contents.travelling_columns(table)],
                rows=await db.fetchval(contents.count(table), app_id),
            )
            for table in tables
        ]
        return Manifest(
            format=contents.FORMAT,
            version=VERSION,
            migrations=await contents.applied_migrations(db),
            app_id=app_id,
            slug=self.slug,
            application=dict(await db.fetchrow(sql, app_id) or {}),
            final=self.final,
            exported_at=datetime.now(UTC).isoformat(timespec="seconds"),
            keys=travelling_keys(keys, await stored_keys(db), app_id, pairwise=pairwise),
            data_keys=await _data_keys(db, app_id, keys),
            tables=heads,
        )


async def _refuse_unfinished_batches(db: Connection, app_id: str) -> None:
    count = await db.fetchval(
        "SELECT count(*) FROM user_batches WHERE app_id = $1 AND state IN ('open', 'running')",
        app_id,
    )
    if count:
        raise CommandError(
            f"{count} batches of users are not finished, and they do not go along. Wait for them, or "
            "cancel them in the Dashboard."
        )


async def _data_keys(db: Connection, app_id: str, keys: Keys) -> list[DataKeyPart]:
    rows = await db.fetch(
        """
        SELECT id, wrapped, created_at::text, retired_at::text FROM data_keys WHERE app_id = $1
        ORDER BY created_at, id
        """,
        app_id,
    )
    try:
        return [
            DataKeyPart(
                id=row["id"],
                key=b64url(unwrap(keys, data_key_place(app_id, row["id"]), row["wrapped"])),
                created_at=row["created_at"],
                retired_at=row["retired_at"],
            )
            for row in rows
        ]
    except Unsealable as error:
        raise CommandError(f"A data key of the application cannot be opened: {error}.") from None


async def _write_rows(
    db: Connection, app_id: str, table: AppTable, parts: PartWriter, *, step: Step
) -> None:
    """Writes the rows of a table, in chunks. At most a chunk and what is read at once is in memory."""
    chunk: list[list[str | None]] = []
    size = 0

    def write() -> None:
        plain = orjson.dumps({"kind": "rows", "table": table.name, "rows": chunk})
        parts.write(plain, len(chunk))
        step.advance(len(chunk), at=table.name)

    async for row in db.cursor(contents.select(table), app_id, prefetch=ROWS):
        values = list(row)
        chunk.append(values)
        size += sum(len(text) for text in values if text is not None)
        if len(chunk) == ROWS or size >= BYTES:
            write()
            chunk, size = [], 0
    if chunk:
        write()
