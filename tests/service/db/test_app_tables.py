"""The tables with rows of an application, as the catalogue of a real database has them."""

from __future__ import annotations

import asyncpg

from aero2.app_tables import OF_THE_DEPLOYMENT, TABLES, app_tables


async def test_tables_of_an_application_come_in_foreign_key_order(database: dict[str, str]) -> None:
    """Each is classified, comes after what it refers to, and names its application."""
    db = await asyncpg.connect(database["owner"])
    try:
        tables = await app_tables(db)
        names = [table.name for table in tables]
        all_tables = await db.fetch("""
            SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
              AND relkind IN ('r', 'p') AND NOT relispartition
        """)
        rows = await db.fetch("""
            SELECT conrelid::regclass::text AS name, confrelid::regclass::text AS other
            FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND conrelid <> confrelid
        """)
    finally:
        await db.close()
    assert set(names) == TABLES.keys()
    others = {row[0] for row in all_tables} - TABLES.keys()
    assert others == OF_THE_DEPLOYMENT | {"schema_migrations"}
    places = {name: place for place, name in enumerate(names)}
    assert len(rows) > 40
    for name, other in rows:
        assert name == "applications" or places[other] < places[name], (name, other)
    for table in tables:
        app_column = next(column for column in table.columns if column.name == table.app_column)
        assert (app_column.type, app_column.not_null) == ("uuid", True)


async def test_columns_that_postgres_computes_are_apart(database: dict[str, str]) -> None:
    """No statement may write them, and a replica identity with them cannot be published."""
    db = await asyncpg.connect(database["owner"])
    try:
        tables = {table.name: table for table in await app_tables(db)}
    finally:
        await db.close()
    assert tables["applications"].generated == ("owner_app_id",)
    assert tables["mail_outbox"].generated == ("seq",)
    carried = [table for table in tables.values() if table.carriage.moved]
    assert [table.name for table in carried if table.generated] == []
    assert [table.name for table in carried if "app_id" not in table.key] == []
    amr = next(column for column in tables["user_sessions"].columns if column.name == "amr")
    assert (amr.type, amr.not_null) == ("text[]", True)
