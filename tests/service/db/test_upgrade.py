"""A database of each release, with rows in every table, is led to this version.

db/releases/NNNN.sql is db/schema.sql as a release had it, and NNNN its last migration. An update of any
of them ends at the schema of this version: a release may be skipped. Nothing is lost, statements that
were prepared before go on, and the services of this version work on it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import asyncpg
import pytest
from tests.architecture.source import COMMON, SERVICES, Statement, statements
from tests.isolation.sides import built, populate
from tests.kit.postgres import Postgres
from tests.service.db.catalogue import describe
from tests.service.db.releases import RELEASES, earlier
from tests.service.db.rows import counts, fill, fill_empty_columns, tenant_tables

from aero2.migrate import migrate
from common.testing import LocalBus

APPS = ("018f0000-0000-7000-8000-00000000000a", "018f0000-0000-7000-8000-0000000000b2")
MANY = 3000
"""Rows of the table that grows with users, so that a backfill has several batches."""


@dataclass
class Replica:
    """Connections with the roles of services, which keep their prepared statements over an update."""

    dsns: dict[str, str]
    connections: dict[str, asyncpg.Connection] = field(default_factory=dict)
    prepared: list[tuple[str, int, Statement]] = field(default_factory=list)

    async def prepare(self) -> None:
        """Prepares every statement of the services that the schema knows."""
        for number, statement in enumerate(statements(SERVICES, COMMON)):
            for role in statement.roles:
                db = await self._connection(role)
                try:
                    await db.execute(f"PREPARE s{number} AS {statement.sql}")
                    await self._plan(role, number)
                except asyncpg.InsufficientPrivilegeError:
                    continue  # of another job
                except (
                    asyncpg.UndefinedColumnError,
                    asyncpg.UndefinedTableError,
                    asyncpg.UndefinedFunctionError,
                ):
                    continue  # of this version
                self.prepared.append((role, number, statement))

    async def failures(self) -> list[str]:
        """Plans each of them again. Returns the errors."""
        failed = []
        for role, number, statement in self.prepared:
            try:
                await self._plan(role, number)
            except asyncpg.PostgresError as error:
                failed.append(f"{statement.where} as {role}: {error}")
        return failed

    async def close(self) -> None:
        for db in self.connections.values():
            await db.close()

    async def _connection(self, role: str) -> asyncpg.Connection:
        if role not in self.connections:
            settings = {"plan_cache_mode": "force_generic_plan", "aero2.app_id": APPS[0]}
            self.connections[role] = await asyncpg.connect(
                self.dsns[role], statement_cache_size=0, server_settings=settings
            )
        return self.connections[role]

    async def _plan(self, role: str, number: int) -> None:
        db = self.connections[role]
        types = await db.fetchval(
            "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = $1",
            f"s{number}",
        )
        values = ", ".join(f"NULL::{each}" for each in types)
        await db.execute(f"EXPLAIN EXECUTE s{number}{f'({values})' if types else ''}")


@dataclass(frozen=True)
class Contents:
    """A digest of the rows of each table, of the columns that the release has."""

    columns: dict[str, str]

    @classmethod
    async def of(cls, db: asyncpg.Connection) -> Contents:
        rows = await db.fetch("""
            SELECT a.attrelid::regclass::text AS name, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname)
                AS columns
            FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
              AND a.attnum > 0 AND NOT a.attisdropped AND c.relname <> 'schema_migrations'
            GROUP BY a.attrelid
        """)
        return cls({row["name"]: row["columns"] for row in rows})

    async def digests(self, db: asyncpg.Connection) -> dict[str, str]:
        return {
            table: await db.fetchval(f"""
                SELECT count(*) || ' ' || coalesce(md5(string_agg(r::text, '|' ORDER BY r::text)), '')
                FROM (SELECT {columns} FROM {table}) AS r
            """)
            for table, columns in self.columns.items()
        }


@dataclass
class Update:
    """What a test of an update looks at."""

    dsn: str
    dsns: dict[str, str]
    before: dict[str, str]
    after: dict[str, str]
    rows: list[dict[str, int]]
    empty: list[str]
    prepared: int
    failures: list[str]


@pytest.fixture(scope="module", params=RELEASES, ids=lambda path: path.stem)
async def update(
    request: pytest.FixtureRequest,
    postgres: Postgres,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Update]:
    """An update of a database that is in use: the connections of the services stay open."""
    release: Path = request.param
    name = postgres.create(f"update_{release.stem}")
    dsns = postgres.dsns(name)
    source = earlier(tmp_path_factory.mktemp(release.stem), release.read_text(), int(release.stem))
    passwords = {role: word for role, word in postgres.passwords.items() if role != "owner"}
    await migrate(dsns["owner"], passwords, source=source)
    db = await asyncpg.connect(dsns["owner"])
    for number, app in enumerate(APPS):
        await db.execute(
            "INSERT INTO applications (id, slug, name) VALUES ($1, $2, 'Old')", app, f"old-{number}"
        )
        await fill(db, app)
    await _grow(db)
    empty = await fill_empty_columns(db)
    contents, replica = await Contents.of(db), Replica(dsns)
    await replica.prepare()
    rows = [await counts(db, app) for app in APPS]
    before = await contents.digests(db)
    await migrate(dsns["owner"], {})
    after, failures = await contents.digests(db), await replica.failures()
    await db.close()
    yield Update(dsns["owner"], dsns, before, after, rows, empty, len(replica.prepared), failures)
    await replica.close()
    postgres.drop(name)


async def _grow(db: asyncpg.Connection) -> None:
    for app in APPS:
        await db.execute(
            f"""
            INSERT INTO roles (app_id, id, name) SELECT '{app}', 'r' || n, n FROM generate_series(1, {MANY}) n;
            INSERT INTO user_roles (app_id, user_id, role_id)
                SELECT '{app}', '{app}', 'r' || n FROM generate_series(1, {MANY}) n
            """
        )


def test_there_is_a_release_to_start_from() -> None:
    """Every version after the first has one."""
    assert RELEASES or version("aero2") == "0.1.0"


async def test_no_row_is_lost_or_changed(update: Update) -> None:
    """Every table had rows of two applications, and has the same ones."""
    for rows in update.rows:
        assert [table for table, count in rows.items() if not count] == []
    assert len(update.rows[0]) > 50
    assert len(update.empty) < 10
    assert update.after == update.before


async def test_the_schema_is_that_of_a_new_database(update: Update, postgres: Postgres) -> None:
    """Data in the tables leads to no other schema than empty tables do."""
    fresh = postgres.clone()
    differing = await describe(update.dsn) ^ await describe(postgres.dsn("owner", fresh))
    postgres.drop(fresh)

    assert differing == set()


async def test_statements_that_were_prepared_before_go_on(update: Update) -> None:
    """A replica that runs through the update has all its statements cached. None of them fails."""
    assert update.prepared > 500
    assert update.failures == []


async def test_new_columns_are_filled(update: Update) -> None:
    """What must not be NULL in a new row is not NULL in an old one, and keys name one row each."""
    db = await asyncpg.connect(update.dsn)
    for app in APPS:
        ids = "SELECT count(*) = count(DISTINCT id) AND count(*) > $2 FROM user_roles WHERE app_id = $1"
        assert await db.fetchval(ids, app, MANY)
    await db.close()


async def test_the_services_work_on_it(update: Update) -> None:
    """All services, each with its role and under row level security, make two applications with an
    object of every kind. The rows of the older applications stay as they are."""
    async with built(update.dsns, LocalBus()) as sides:
        await populate(sides)
        made = [await counts(sides.owner, side.app_id) for side in (sides.home, sides.away)]
        left = [await counts(sides.owner, app) for app in APPS]
        tables = await tenant_tables(sides.owner)

    assert sum(1 for table in tables if made[0][table] and made[1][table]) > 40
    for table, count in update.rows[0].items():
        assert left[0][table] == count, table
