"""The statements of the last release run on the schema of this version: its replicas go on during an update."""

from __future__ import annotations

import re
from typing import Any

import asyncpg
import pytest
from tests.releases.record import recorded

STATEMENTS: list[dict[str, Any]] = recorded("statements")


async def refused(dsns: dict[str, str], listed: list[dict[str, Any]]) -> list[str]:
    """Returns the errors of those that no role of theirs may run."""
    connections = {
        role: await asyncpg.connect(dsns[role], statement_cache_size=0)
        for role in {role for each in listed for role in each["roles"]}
    }
    errors = []
    for each in listed:
        found = []
        for role in each["roles"]:
            try:
                await _plan(connections[role], each["sql"])
            except asyncpg.PostgresError as error:
                found.append(f"{each['where']} as {role}: {error}")
        # A statement about all applications runs as one of them.
        if len(found) > (len(each["roles"]) - 1 if each["any_tenant"] else 0):
            errors += found
    for connection in connections.values():
        await connection.close()
    return errors


async def _plan(db: asyncpg.Connection, sql: str) -> None:
    """Plans the statement. Postgres checks names when it is prepared, and privileges when it starts."""
    await db.execute(f"PREPARE probe AS {sql}")
    try:
        types = await db.fetchval(
            "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = 'probe'"
        )
        values = ", ".join(f"NULL::{each}" for each in types)
        await db.execute(f"EXPLAIN EXECUTE probe{f'({values})' if types else ''}")
    finally:
        await db.execute("DEALLOCATE ALL")


async def test_every_statement_of_the_last_release_runs(module_database: dict[str, str]) -> None:
    """Its columns and functions are there, and its roles have the privileges."""
    assert len(STATEMENTS) > 500
    assert await refused(module_database, STATEMENTS) == []


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("ALTER TABLE user_roles DROP COLUMN granted_by", 'column .*"?granted_by"? does not exist'),
        ("REVOKE SELECT ON user_roles FROM aero2_rbac", "as rbac: permission denied"),
        ("ALTER TABLE user_roles RENAME TO given_roles", 'relation "user_roles" does not exist'),
    ],
)
async def test_a_schema_that_breaks_them_is_found(
    database: dict[str, str], change: str, error: str
) -> None:
    """A column, a privilege or a name that is taken away."""
    db = await asyncpg.connect(database["owner"])
    await db.execute(change)
    await db.close()
    listed = [each for each in STATEMENTS if "assignments.py" in each["where"]]

    found = "\n".join(await refused(database, listed))
    assert re.search(error, found), found
