"""Inserts the rows of a file, and nothing that does not belong there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import orjson

from aero2.app_tables import AppTable
from aero2.backups.progress import Step
from aero2.failures import CommandError
from aero2.migration_steps import Connection
from aero2.transfers import contents
from aero2.transfers.contents import Digest, End, Manifest, Rows, TableHead
from aero2.transfers.sealed_file import Chunk, SealedReader, damaged
from common.crypto import Keys


@dataclass(frozen=True)
class IncomingFile:
    """A file whose manifest was read. `digest` has what was read of it."""

    manifest: Manifest
    chunks: Iterator[Chunk]
    digest: Digest = field(default_factory=Digest)

    @staticmethod
    def read(file: BinaryIO, keys: Keys) -> IncomingFile:
        """Reads the manifest of a file for this deployment. Raises CommandError."""
        chunks = SealedReader(file, keys).chunks()
        first = next(chunks)
        incoming = IncomingFile(contents.parsed(Manifest, first.plain), chunks)
        if first.last:
            raise damaged("it has no end")
        incoming.digest.add(first.plain)
        return incoming


@dataclass
class RowInsertion:
    """Inserts the rows of all chunks after the manifest."""

    db: Connection
    incoming: IncomingFile
    tables: list[tuple[AppTable, TableHead]]
    _place: int = 0
    _rows: int = 0
    """Rows of the table at this place."""

    async def run(self, step: Step) -> None:
        """Inserts them. Raises CommandError if the file has anything that does not belong there, or less
        than it says."""
        await self._become_owner()
        for chunk in self.incoming.chunks:
            if chunk.last:
                self._check_end(contents.parsed(End, chunk.plain))
                break
            part = contents.parsed(Rows, chunk.plain)
            table, head = self._table(part.table)
            self._check_rows(head, table.app_column, part.rows)
            sql = contents.insert(table, head.columns)
            await self.db.execute(sql, orjson.dumps(part.rows).decode())
            self.incoming.digest.add(chunk.plain, len(part.rows))
            step.advance(len(part.rows), at=part.table)
        await self.db.execute("RESET ROLE")

    async def _become_owner(self) -> None:
        """Lets row level security bind this transaction, unless this role is the owner and bypasses it."""
        owner = await self.db.fetchval(
            "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'users'::regclass"
        )
        if owner != await self.db.fetchval("SELECT current_user"):
            await self.db.execute("SELECT set_config('role', $1, true)", owner)
        await self.db.execute(
            "SELECT set_config('aero2.app_id', $1, true)", self.incoming.manifest.app_id
        )

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
            if row[place] != self.incoming.manifest.app_id:
                raise CommandError(
                    f"The file was refused: a row of {head.name} names another application."
                )
        self._rows += len(rows)
        if self._rows > head.rows:
            raise damaged(f"{head.name} has more rows than it says")

    def _check_end(self, end: End) -> None:
        while self._place < len(self.tables):
            self._finish_table()
        if end != self.incoming.digest.end():
            raise damaged("its end does not fit the rest")


def expected_tables(manifest: Manifest, tables: list[AppTable]) -> list[tuple[AppTable, TableHead]]:
    """Returns the tables of the file, in the order of this database. Raises CommandError for one, or for a
    column, that this database does not have or that never goes along."""
    heads = {head.name: head for head in manifest.tables}
    own_tables = contents.travelling_tables(tables)
    if strange := sorted(heads.keys() - {table.name for table in own_tables}):
        raise CommandError(f"The file has tables that are not imported: {', '.join(strange)}.")
    if len(heads) != len(manifest.tables):
        raise damaged("a table is named twice")
    result = [(table, heads[table.name]) for table in own_tables if table.name in heads]
    for table, head in result:
        columns = {column.name for column in contents.travelling_columns(table)}
        if strange := sorted(set(head.columns) - columns):
            raise CommandError(
                f"The file has columns of {table.name} that are not imported: {', '.join(strange)}."
            )
        if len(set(head.columns)) != len(head.columns) or table.app_column not in head.columns:
            raise damaged(f"the columns of {table.name} are not as they should be")
    return result
