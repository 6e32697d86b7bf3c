"""Writes one row into every table, made from the catalogue, so that new tables are included."""

from __future__ import annotations

from typing import Final

import asyncpg

VALUES: Final = {
    "uuid": "$1",
    "text": "'x'",
    "text[]": "'{}'",
    "jsonb": "'{}'",
    "bytea": "'x'",
    "boolean": "false",
    "integer": "1",
    "bigint": "1",
    "timestamp with time zone": "now()",
}
SPECIAL: Final = {
    ("active_user_counts", "unit"): "'hour'",
    ("application_api_keys", "key_type"): "'secret'",
    ("application_api_keys", "key_hash"): "$1::uuid::text",
    ("email_verification_codes", "type"): "'email_code'",
    ("email_verification_codes", "code_hash"): "'x'",
    ("identity_providers", "type"): "'oauth2'",
    ("mail_senders", "tls"): "'tls'",
    ("user_sessions", "kind"): "'full'",
    ("signing_keys", "private_sealed"): "'x'",
    ("token_exchange_policies", "subject_client_id"): "NULL",
}
"""Values for columns with a check or a key over all applications."""
MISSING: Final = "018f0000-0000-7000-8000-0000000000ee"
"""An id that nothing has."""
BY_TRIGGER: Final = ("application_words", "organization_words")
"""Tables in which a trigger has written rows for the row of another table."""


async def tenant_tables(db: asyncpg.Connection) -> list[str]:
    """Returns every table with rows of applications."""
    rows = await db.fetch("""
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
          AND NOT c.relispartition AND a.attname = 'app_id'
        ORDER BY c.oid
    """)
    return [row["relname"] for row in rows]


async def fill(db: asyncpg.Connection, app_id: str) -> None:
    """Writes a row of the application into every table. Every id is the application's own, so each
    foreign key points at the one row."""
    waiting = await tenant_tables(db)
    while waiting:
        left = []
        for table in waiting:
            try:
                async with db.transaction():
                    if table in BY_TRIGGER:
                        await db.execute(f"DELETE FROM {table} WHERE app_id = $1", app_id)
                    await db.execute(await _insert(db, table), app_id)
            except asyncpg.ForeignKeyViolationError:
                left.append(table)
        if left == waiting:
            raise AssertionError(f"cannot be filled: {left}")
        waiting = left


async def _insert(db: asyncpg.Connection, table: str) -> str:
    columns = await db.fetch(
        """
        SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type
        FROM pg_attribute a
        WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped
          AND a.attgenerated = '' AND a.attidentity = ''
          AND (a.attnotnull AND NOT a.atthasdef OR a.atttypid = 'uuid'::regtype OR EXISTS (
              SELECT FROM pg_constraint k
              WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND a.attnum = ANY (k.conkey)))
        """,
        f"public.{table}",
    )
    names = {row["name"]: SPECIAL.get((table, row["name"]), VALUES[row["type"]]) for row in columns}
    names |= {column: value for (of, column), value in SPECIAL.items() if of == table}
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(names.values())})"


async def fill_empty_columns(db: asyncpg.Connection) -> list[str]:
    """Gives each column that is NULL in all rows a value, as far as its checks and keys allow. Returns
    the columns that stay empty."""
    columns = await db.fetch("""
        SELECT c.relname AS table, a.attname AS name, format_type(a.atttypid, NULL) AS type
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relname = ANY ($1) AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0
          AND NOT a.attisdropped AND NOT a.attnotnull AND a.attgenerated = ''
    """, await tenant_tables(db))  # fmt: skip
    await db.execute("SET session_replication_role = replica")  # audit records may not change
    empty = []
    for table, name, type_ in columns:
        value = SPECIAL.get((table, name), VALUES[type_]).replace("$1", f"'{MISSING}'::uuid")
        try:
            async with db.transaction():
                await db.execute(f"UPDATE {table} SET {name} = {value} WHERE {name} IS NULL")
        except asyncpg.IntegrityConstraintViolationError:
            empty.append(f"{table}.{name}")
    await db.execute("RESET session_replication_role")
    return empty


async def counts(db: asyncpg.Connection, app_id: str) -> dict[str, int]:
    """Returns the application's rows by table."""
    return {
        table: await db.fetchval(f"SELECT count(*) FROM {table} WHERE app_id = $1", app_id)
        for table in await tenant_tables(db)
    }
