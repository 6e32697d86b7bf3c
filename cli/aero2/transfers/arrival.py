"""Imports an application from a file: all of it in one transaction, or nothing.

The file opens only if it was made for this deployment, and each chunk was verified before it is read. Its
author may still mean harm. So every table and column is one of the catalogue that goes along, every row names
the one application of the file, names and types of statements never come from the file, and row level security
stands behind: rows are inserted as the owner of the schema, bound to that application.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg
import orjson
from pydantic import ValidationError

from aero2.app_tables import AppTable, app_tables
from aero2.backups import checks
from aero2.backups.access import connected
from aero2.backups.audit_check import faults_of
from aero2.backups.facts import must_see_all
from aero2.backups.progress import Reporter, Step
from aero2.failures import CommandError
from aero2.migration_steps import Connection
from aero2.transfers import contents, gate, registry_row
from aero2.transfers.contents import Digest, End, Manifest, Rows, TableHead
from aero2.transfers.recognition import refuse_other_keys
from aero2.transfers.sealed_file import Chunk, SealedReader, damaged
from common import imported_keys
from common.audit_chain import public_keys
from common.contracts.app_settings import AppSettings
from common.crypto import Keys
from common.db_errors import violated_constraint
from common.sealing import data_key_place, unb64, wrap

FORBIDDEN: Final = "a row names another application"


@dataclass(frozen=True)
class Imported:
    """What was imported, and whether it is open: it is, if no service has to learn its keys first."""

    app_id: str
    slug: str
    rows: int
    sha256: str
    final: bool
    opened: bool
    domains: list[str]


@dataclass(frozen=True)
class Import:
    """An import of a file. `dsn` is of a role that sees all rows. `team` is the id or slug of the team that
    will own the application."""

    dsn: str
    file: Path
    keys: Keys = field(repr=False)
    slug: str | None = None
    team: str | None = None
    accept_domains: bool = False
    accept_audit_faults: bool = False

    async def run(self, reporter: Reporter) -> Imported:
        """Imports the application. Raises CommandError, and then has changed nothing."""
        try:
            with self.file.open("rb") as file:
                chunks = SealedReader(file, self.keys).chunks()
                first = next(chunks)
                manifest = contents.parsed(Manifest, first.plain)
                if first.last:
                    raise damaged("it has no end")
                async with connected(self.dsn) as db:
                    return await self._run(db, manifest, first, chunks, reporter)
        except asyncpg.DataError as error:
            raise damaged(f"a value has another type ({error})") from None
        except asyncpg.UniqueViolationError as error:
            raise registry_row.taken(violated_constraint(error), error.detail or "") from None
        except asyncpg.IntegrityConstraintViolationError as error:
            raise CommandError(f"The rows of the file do not fit together: {error}.") from None
        except asyncpg.InsufficientPrivilegeError as error:
            raise CommandError(f"The file was refused by the database: {error}.") from None
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise CommandError(f"The import failed: {error}") from None
        except OSError as error:
            raise CommandError(f"{self.file} cannot be read: {error.strerror}.") from None

    async def _run(
        self,
        db: Connection,
        manifest: Manifest,
        first: Chunk,
        chunks: Iterator[Chunk],
        reporter: Reporter,
    ) -> Imported:
        await must_see_all(db)
        contents.refuse_newer(manifest, await contents.applied_migrations(db))
        keys = await checks.known_keys(db, self.keys)
        refuse_other_keys(keys, manifest.keys)
        _refuse_settings(manifest)
        tables = _expected_tables(manifest, await app_tables(db))
        slug = self.slug or manifest.slug
        async with db.transaction():
            await gate.lock(db)
            await db.execute(contents.TEXT_FORMS)
            owner = await registry_row.owner(db, self.team)
            await registry_row.insert(db, manifest, slug, owner)
            await _insert_keys(db, manifest, keys)
            digest = Digest()
            digest.add(first.plain)
            rows = RowInsertion(db, manifest.app_id, tables, digest)
            with reporter.step("Importing", sum(head.rows for head in manifest.tables)) as step:
                await rows.run(chunks, step)
            await registry_row.check(db, manifest, accept_domains=self.accept_domains)
            await self._verify_audit(db, manifest, keys, reporter)
            await gate.guard(db)
            domains = await registry_row.verified_domains(db, manifest.app_id)
        opened = not await gate.running_services(db)
        if opened:
            await gate.open_again(db, manifest.app_id)
        sha256, final = digest.end().sha256, manifest.final
        return Imported(manifest.app_id, slug, digest.rows, sha256, final, opened, domains)

    async def _verify_audit(
        self, db: Connection, manifest: Manifest, keys: Keys, reporter: Reporter
    ) -> None:
        """Raises CommandError if the audit log is not intact."""
        trusted = public_keys(keys) | {key.id: key.audit_key for key in manifest.keys}
        total = await db.fetchval(
            "SELECT count(*) FROM audit_chain WHERE app_id = $1", manifest.app_id
        )
        with reporter.step("Verifying the audit log", total) as step:
            faults = await faults_of(db, manifest.app_id, trusted, step.advance)
        for fault in faults[:20]:
            reporter.say(f"Audit log: {fault}")
        if faults and not self.accept_audit_faults:
            raise CommandError(
                f"The audit log in this file is not intact: {len(faults)} faults. If you know why, import "
                "with --accept-audit-faults."
            )


@dataclass
class RowInsertion:
    """Inserts the rows of all chunks after the manifest."""

    db: Connection
    app_id: str
    tables: list[tuple[AppTable, TableHead]]
    digest: Digest
    _place: int = 0
    _rows: int = 0
    """Rows of the table at this place."""

    async def run(self, chunks: Iterator[Chunk], step: Step) -> None:
        """Inserts them. Raises CommandError if the file has anything that does not belong there, or less
        than it says."""
        await self._become_owner()
        for chunk in chunks:
            if chunk.last:
                self._check_end(contents.parsed(End, chunk.plain))
                break
            part = contents.parsed(Rows, chunk.plain)
            table, head = self._table(part.table)
            self._check_rows(head, table.app_column, part.rows)
            sql = contents.insert(table, head.columns)
            await self.db.execute(sql, orjson.dumps(part.rows).decode())
            self.digest.add(chunk.plain, len(part.rows))
            step.advance(len(part.rows), at=part.table)
        await self.db.execute("RESET ROLE")

    async def _become_owner(self) -> None:
        """Lets row level security bind this transaction, unless this role is the owner and bypasses it."""
        owner = await self.db.fetchval(
            "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'users'::regclass"
        )
        if owner != await self.db.fetchval("SELECT current_user"):
            await self.db.execute("SELECT set_config('role', $1, true)", owner)
        await self.db.execute("SELECT set_config('aero2.app_id', $1, true)", self.app_id)

    def _table(self, name: str) -> tuple[AppTable, TableHead]:
        """Returns the table of the next rows: the same, or a later one."""
        while self._place < len(self.tables):
            table, head = self.tables[self._place]
            if table.name == name:
                return table, head
            self._finish_table()
        raise damaged(f"rows of {name[:63]!r} do not belong here")

    def _finish_table(self) -> None:
        table, head = self.tables[self._place]
        if self._rows != head.rows:
            raise damaged(f"{table.name} has {self._rows} rows instead of {head.rows}")
        self._place, self._rows = self._place + 1, 0

    def _check_rows(self, head: TableHead, app_column: str, rows: list[list[str | None]]) -> None:
        place = head.columns.index(app_column)
        for row in rows:
            if len(row) != len(head.columns):
                raise damaged(f"a row of {head.name} has {len(row)} values")
            if row[place] != self.app_id:
                raise CommandError(f"The file was refused: {FORBIDDEN} ({head.name}).")
        self._rows += len(rows)
        if self._rows > head.rows:
            raise damaged(f"{head.name} has more rows than it says")

    def _check_end(self, end: End) -> None:
        while self._place < len(self.tables):
            self._finish_table()
        if end != self.digest.end():
            raise damaged("its end does not fit the rest")


def _expected_tables(
    manifest: Manifest, tables: list[AppTable]
) -> list[tuple[AppTable, TableHead]]:
    """Returns the tables of the file, in the order of this database. Raises CommandError for one, or for a
    column, that this database does not have or that never goes along."""
    heads = {head.name: head for head in manifest.tables}
    known = contents.travelling_tables(tables)
    if strange := sorted(heads.keys() - {table.name for table in known}):
        raise CommandError(f"The file has tables that are not imported: {', '.join(strange)}.")
    if len(heads) != len(manifest.tables):
        raise damaged("a table is named twice")
    result = [(table, heads[table.name]) for table in known if table.name in heads]
    for table, head in result:
        columns = {column.name for column in contents.travelling_columns(table)}
        if strange := sorted(set(head.columns) - columns):
            raise CommandError(
                f"The file has columns of {table.name} that are not imported: {', '.join(strange)}."
            )
        if len(set(head.columns)) != len(head.columns) or table.app_column not in head.columns:
            raise damaged(f"the columns of {table.name} are not as they should be")
    return result


def _refuse_settings(manifest: Manifest) -> None:
    """Raises CommandError for settings that no application can have."""
    try:
        AppSettings.model_validate(orjson.loads(manifest.application.get("settings") or "{}"))
    except (ValidationError, orjson.JSONDecodeError):
        raise damaged("the settings of the application are not as they should be") from None


async def _insert_keys(db: Connection, manifest: Manifest, keys: Keys) -> None:
    """Wraps the keys of the file under the master key of this deployment."""
    app_id = manifest.app_id
    for place, key in enumerate(manifest.keys):
        wrapped = imported_keys.wrap_purposes(keys, app_id, key.id, key.opened())
        await db.execute(
            """
            INSERT INTO imported_keys (app_id, id, place, wrapped, audit_key) VALUES ($1, $2, $3, $4, $5)
            """,
            *(app_id, key.id, place, wrapped, key.audit_key),
        )
    for part in manifest.data_keys:
        await db.execute(
            """
            INSERT INTO data_keys (app_id, id, wrapped, created_at, retired_at)
            VALUES ($1, $2, $3, $4::text::timestamptz, $5::text::timestamptz)
            """,
            *(app_id, part.id, wrap(keys, data_key_place(app_id, part.id), unb64(part.key))),
            *(part.created_at, part.retired_at),
        )
