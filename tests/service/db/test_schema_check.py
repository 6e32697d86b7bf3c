"""A schema that was changed by hand is found by `aero2 migrate`, and by a start of `aero2 up`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
from tests.kit.postgres import Postgres

from aero2.migrate import migrate
from aero2.schema_check import faults
from aero2.schema_files import MigrationError

CHANGES = {
    "row level security is not forced on users": "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
    "row level security is not forced on roles": "ALTER TABLE roles NO FORCE ROW LEVEL SECURITY",
    "row level security is not forced on applications": "ALTER TABLE applications DISABLE ROW LEVEL SECURITY",
    "row level security is not forced on deleted_slugs": "ALTER TABLE deleted_slugs DISABLE ROW LEVEL SECURITY",
    "row level security is not forced on notes": "CREATE TABLE notes (app_id uuid PRIMARY KEY)",
    "the policy all_of_them of users lets every role see the rows of all applications": (
        "CREATE POLICY all_of_them ON users USING (true)"
    ),
    "the policy adding of users lets every role see the rows of all applications": (
        "CREATE POLICY adding ON users FOR INSERT WITH CHECK (true)"
    ),
    "aero2_oidc has a privilege on the partition users_p07, past the policies of its table": (
        "GRANT SELECT ON users_p07 TO aero2_oidc"
    ),
    "every role has a privilege on the partition users_p00, past the policies of its table": (
        "GRANT SELECT ON users_p00 TO PUBLIC"
    ),
    "consents has 15 partitions instead of 16": "DROP TABLE consents_p03",
    "the role aero2_odd is not bound by row level security": "CREATE ROLE aero2_odd BYPASSRLS",
}
"""Faults by the statement that makes them. Each is undone, because it runs in a transaction."""


@pytest.fixture
async def db(database: dict[str, str]) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database["owner"])
    yield connection
    await connection.close()


async def test_a_whole_schema_has_no_faults(db: asyncpg.Connection) -> None:
    """Neither a new one, nor the databases of other programs next to it."""
    await db.execute("CREATE SCHEMA theirs; CREATE TABLE theirs.users (app_id uuid)")

    assert await faults(db) == []


async def test_each_change_that_costs_safety_is_found(db: asyncpg.Connection) -> None:
    """Row level security that is off is found, although all policies are still there."""
    for fault, sql in CHANGES.items():
        change = db.transaction()
        await change.start()
        await db.execute(sql)
        assert fault in [each.sentence for each in await faults(db)], sql
        await change.rollback()


async def test_a_repair_repairs(db: asyncpg.Connection) -> None:
    """What is said about each fault undoes it, but for a partition that is gone."""
    for fault, sql in CHANGES.items():
        change = db.transaction()
        await change.start()
        await db.execute(sql)
        (repair,) = [each.repair for each in await faults(db) if each.sentence == fault]
        if sql.startswith("DROP TABLE"):
            assert "backup" in repair
        else:
            await db.execute(repair)
            assert await faults(db) == [], repair
        await change.rollback()


async def test_a_dropped_partition_leaves_the_foreign_keys(db: asyncpg.Connection) -> None:
    """DETACH and DROP TABLE keep the keys of the other partitions, and of the tables that refer to
    them. DROP … CASCADE would take them away for all."""
    keys = "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'f'"

    async def kept() -> set[tuple[str, str]]:
        return {
            (table, name)
            for table, name in await db.fetch(keys)
            if "_p03" not in table and not name.endswith("_p03")
        }

    before = {one for one in await kept() if not one[0].rpartition("_p")[2].isdigit()}
    await db.execute("ALTER TABLE consents DETACH PARTITION consents_p03 CONCURRENTLY")
    await db.execute("DROP TABLE consents_p03")
    after = await kept()

    assert before
    assert before <= after
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await db.execute(
            "INSERT INTO consents (app_id, user_id, client_id)"
            " SELECT id, id, 'none' FROM applications"
        )


async def test_aero2_migrate_refuses_an_unsafe_database(postgres: Postgres) -> None:
    """The message names what is wrong. When it is undone, the next run succeeds."""
    name = postgres.clone()
    dsn = postgres.dsn("owner", name)
    postgres.query("ALTER TABLE users DISABLE ROW LEVEL SECURITY", name)
    with pytest.raises(
        MigrationError, match="row level security is not forced on users"
    ) as refused:
        await migrate(dsn, {})
    repair = "ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
    assert f"(repair: {repair})" in str(refused.value)
    postgres.query(repair, name)

    assert await migrate(dsn, {}) == []
    postgres.drop(name)
