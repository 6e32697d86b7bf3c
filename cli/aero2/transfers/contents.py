"""The content of an export: a manifest, rows of each table, and an end that counts them.

Each chunk is a JSON object with a `kind`. Values of rows are PostgreSQL's own text, so that they come back
exactly. Which tables and columns there are, and which of them go along, says the catalogue of the database
together with this module, for the export and again for the import.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aero2.app_tables import AppTable, Column
from aero2.failures import CommandError
from aero2.migration_steps import Connection
from aero2.transfers.recognition import MOST_KEYS, TravellingKey
from aero2.transfers.sealed_file import SealedWriter, damaged

FORMAT: Final = 1
BY_THEMSELVES: Final = frozenset({"applications", "data_keys"})
"""Tables whose rows are in the manifest: a part of their columns belongs to a deployment."""
APPLICATION: Final = (
    *("name", "logo_url", "favicon_url", "primary_color", "support_email", "homepage_url"),
    *("privacy_policy_url", "terms_url", "settings", "custom_domain", "custom_domain_verified"),
    *("created_at", "updated_at"),
)
"""Columns of applications that go along."""
LEFT_COLUMNS: Final[Mapping[str, frozenset[str]]] = {
    # Developers of the source, who are strangers to the target.
    "application_api_keys": frozenset({"created_by"}),
    "user_sessions": frozenset({"actor_id", "actor_app_id", "actor_session", "actor_reason"}),
    # An account of the source at its provider of certificates.
    "custom_domains": frozenset({"cf_custom_hostname_id", "certificate_status"}),
}
"""Columns that stay. They are NULL afterwards."""
LEFT_ROWS: Final[Mapping[str, str]] = {
    "user_sessions": "actor_id IS NOT NULL",
    "email_verification_codes": "type IN ('impersonation', 'owner_link')",
}
"""Rows that stay: what developers of the source do as users, and how they begin it."""
ORDER: Final[Mapping[str, str]] = {
    "application_api_keys": "created_at DESC, id DESC",  # a key names the one after it
}
"""The order of rows where it is not that of the primary key."""
TEXT_FORMS: Final = """
    SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres';
    SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1
"""
"""Settings under which a value has the same text on both sides."""

M = TypeVar("M", bound=BaseModel)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class TableHead(_Part):
    """A table of the export, and what its rows consist of."""

    name: str = Field(max_length=63)
    columns: list[str] = Field(max_length=200)
    rows: int = Field(ge=0)


class DataKeyPart(_Part):
    """A key that opens sealed values, base64url. It stands here in clear, inside of the sealed file."""

    id: str = Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
    key: str = Field(pattern=r"^[0-9A-Za-z_-]{43}$")
    created_at: str = Field(max_length=40)
    retired_at: str | None = Field(max_length=40)


class Manifest(_Part):
    """The first chunk."""

    kind: Literal["manifest"] = "manifest"
    format: int
    version: str = Field(max_length=40)
    migrations: list[str] = Field(max_length=10_000)
    app_id: str = Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
    slug: str = Field(max_length=63)
    application: dict[str, str | None] = Field(max_length=50)
    final: bool
    exported_at: str = Field(max_length=40)
    keys: list[TravellingKey] = Field(min_length=1, max_length=MOST_KEYS)
    data_keys: list[DataKeyPart] = Field(max_length=1000)
    tables: list[TableHead] = Field(max_length=200)


class Rows(_Part):
    """Rows of one table."""

    kind: Literal["rows"] = "rows"
    table: str = Field(max_length=63)
    rows: list[list[str | None]]


class End(_Part):
    """The last chunk: what was before it."""

    kind: Literal["end"] = "end"
    rows: int
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


@dataclass
class Digest:
    """Counts rows, and digests the content of all chunks before the end."""

    rows: int = 0
    _hash: Any = field(default_factory=hashlib.sha256, repr=False)

    def add(self, plain: bytes, rows: int = 0) -> None:
        """Takes the content of a chunk."""
        self._hash.update(len(plain).to_bytes(4, "big") + plain)
        self.rows += rows

    def end(self) -> End:
        """Returns the last chunk."""
        return End(rows=self.rows, sha256=self._hash.hexdigest())


@dataclass
class PartWriter:
    """Writes parts into a sealed file, and digests them."""

    out: SealedWriter
    digest: Digest = field(default_factory=Digest)

    def write(self, plain: bytes, rows: int = 0) -> None:
        """Writes the content of a chunk, with this number of rows."""
        self.digest.add(plain, rows)
        self.out.write(plain)

    def write_end(self) -> End:
        """Writes the last chunk. Returns it."""
        end = self.digest.end()
        self.out.write(encoded(end), last=True)
        return end


def encoded(part: BaseModel) -> bytes:
    """Returns a part as the content of a chunk."""
    return orjson.dumps(part.model_dump())


def parsed(model: type[M], plain: bytes) -> M:
    """Returns the part in a chunk. Raises CommandError for anything else: a file that opens may still be of
    somebody who means harm."""
    try:
        return model.model_validate(orjson.loads(plain))
    except (ValidationError, orjson.JSONDecodeError, RecursionError):
        kind = model.model_fields["kind"].default
        raise damaged(f"the part `{kind}` is not what it should be") from None


def travelling_columns(table: AppTable) -> tuple[Column, ...]:
    """Returns the columns of a table that go along."""
    names_left_out = LEFT_COLUMNS.get(table.name, frozenset())
    return tuple(column for column in table.columns if column.name not in names_left_out)


def travelling_tables(tables: list[AppTable]) -> list[AppTable]:
    """Returns the tables whose rows are in the file, in their order."""
    return [
        table for table in tables if table.carriage.exported and table.name not in BY_THEMSELVES
    ]


def select(table: AppTable) -> str:
    """Returns the statement that reads the rows of an application, $1, as text."""
    columns = ", ".join(f't."{column.name}"::text' for column in travelling_columns(table))
    order = ORDER.get(table.name) or ", ".join(f't."{name}"' for name in table.key)
    return f"SELECT {columns} {_from(table)} ORDER BY {order}"


def count(table: AppTable) -> str:
    """Returns the statement that counts these rows."""
    return f"SELECT count(*) {_from(table)}"


def _from(table: AppTable) -> str:
    condition = f" AND ({LEFT_ROWS[table.name]}) IS NOT TRUE" if table.name in LEFT_ROWS else ""
    return f'FROM "{table.name}" t WHERE t."{table.app_column}" = $1{condition}'


def insert(table: AppTable, names: list[str]) -> str:
    """Returns the statement that inserts the rows of a JSON array, $1. Names and types are those of the
    catalogue: `names` must have been found there."""
    types = {column.name: column.type for column in travelling_columns(table)}
    columns = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(f"(r ->> {place})::{types[name]}" for place, name in enumerate(names))
    return (
        f'INSERT INTO "{table.name}" ({columns}) '  # noqa: S608 - names and types from the catalogue
        f"SELECT {values} FROM jsonb_array_elements($1::text::jsonb) AS r"
    )


async def applied_migrations(db: Connection) -> list[str]:
    """Returns the names of the migrations that a database has."""
    rows = await db.fetch(
        "SELECT name FROM schema_migrations WHERE name <> 'schema.sql' AND steps_done IS NULL ORDER BY name"
    )
    return [row["name"] for row in rows]


def refuse_newer(manifest: Manifest, migrations: list[str]) -> None:
    """Raises CommandError for a file of a version that this one does not know."""
    newer = sorted(set(manifest.migrations) - set(migrations))
    if manifest.format != FORMAT or newer:
        detail = f", which has {', '.join(newer[:5])}" if newer else ""
        raise CommandError(
            f"The file was written by Aero2 {manifest.version}{detail}. Update this deployment first."
        )
