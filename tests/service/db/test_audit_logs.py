"""No service and no owner can change audit_logs."""

from __future__ import annotations

import asyncpg
import pytest
from tests.service.db.rows import fill

A = "018f0000-0000-7000-8000-00000000000a"
CHANGES = (
    "UPDATE audit_logs SET event_type = 'logout'",
    "UPDATE audit_logs SET user_id = NULL",
    "DELETE FROM audit_logs",
    "TRUNCATE audit_logs",
)


async def full(dsn: str) -> asyncpg.Connection:
    db = await asyncpg.connect(dsn)
    await db.execute(
        f"INSERT INTO applications (id, slug, name) VALUES ('{A}', 'swift-maple', 'A')"
    )
    await fill(db, A)
    return db


@pytest.mark.parametrize("change", CHANGES)
async def test_nobody_changes_a_row(database: dict[str, str], change: str) -> None:
    """Services have no grant. A trigger stops the schema's owner and a superuser."""
    owner = await full(database["owner"])
    for service in ("tenancy", "identity", "oidc", "rbac"):
        db = await asyncpg.connect(database[service])
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await db.execute(change)
        await db.close()
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="immutable"):
        await owner.execute(change)
    await owner.execute(f"SET ROLE aero2_owner; SET aero2.app_id = '{A}'")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="immutable"):
        await owner.execute(change)
    await owner.execute("RESET ROLE")
    rows = await owner.fetch("SELECT user_id::text, event_type FROM audit_logs")
    await owner.close()

    assert [tuple(row) for row in rows] == [(A, "x")]


async def test_a_partition_is_no_way_round(database: dict[str, str]) -> None:
    """A superuser cannot change, delete or truncate in the partition."""
    owner = await full(database["owner"])
    partition = await owner.fetchval("SELECT tableoid::regclass::text FROM audit_logs")
    for change in CHANGES:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="immutable"):
            await owner.execute(change.replace("audit_logs", partition))
    await owner.close()


async def test_retention_is_upkeeps(database: dict[str, str]) -> None:
    """aero2_upkeep deletes old rows and changes nothing."""
    owner = await full(database["owner"])
    db = await asyncpg.connect(database["upkeep"])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.execute(CHANGES[0])
    deleted = await db.execute("DELETE FROM audit_logs WHERE created_at <= now()")
    await db.close()
    await owner.close()

    assert deleted == "DELETE 1"


async def test_tenancy_reads_and_every_service_writes(database: dict[str, str]) -> None:
    """Each service writes its record in the transaction of the change. Tenancy reads it."""
    owner = await full(database["owner"])
    for service in ("tenancy", "identity", "oidc", "rbac"):
        db = await asyncpg.connect(database[service])
        async with db.transaction():
            await db.execute(f"SET LOCAL aero2.app_id = '{A}'")
            await db.execute(
                """
                WITH logged AS (
                    INSERT INTO audit_logs (app_id, id, event_type) VALUES ($1, gen_random_uuid(), $2)
                )
                INSERT INTO audit_outbox (app_id, event_id, event_type, payload)
                VALUES ($1, gen_random_uuid(), $2, '')
                """,
                A,
                f"{service}_wrote",
            )
            if service == "tenancy":
                assert await db.fetchval("SELECT count(*) FROM audit_logs") == 2
            else:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await db.fetch("SELECT event_type FROM audit_logs LIMIT 1")
        await db.close()
    await owner.close()
