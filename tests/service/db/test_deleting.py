"""Foreign keys and triggers delete the rows of an application, a user, a membership or a client."""

from __future__ import annotations

import asyncpg
import pytest
from tests.service.db.rows import counts, fill

from oidc.queries.sweeps import EXPIRED

A = "018f0000-0000-7000-8000-00000000000a"
B = "018f0000-0000-7000-8000-00000000000b"
OF_A_GRANT = ("authorization_codes", "token_families", "refresh_tokens", "access_tokens")
DASHBOARD = "00000000-0000-0000-0000-000000000000"


async def two_full_applications(dsn: str) -> asyncpg.Connection:
    """A superuser's connection to a database with a row of A and of B in every table."""
    db = await asyncpg.connect(dsn)
    await db.execute(f"""
        INSERT INTO applications (id, slug, name) VALUES
            ('{A}', 'swift-maple', 'A'), ('{B}', 'brave-falcon', 'B')
    """)
    await fill(db, A)
    await fill(db, B)
    return db


async def as_role(dsn: str, app_id: str, sql: str) -> str:
    db = await asyncpg.connect(dsn)
    try:
        async with db.transaction():
            await db.execute(f"SET LOCAL aero2.app_id = '{app_id}'")
            return await db.execute(sql)
    finally:
        await db.close()


async def test_deleting_an_application_takes_every_row_of_it(database: dict[str, str]) -> None:
    """Tenancy deletes one row. No table keeps a row of the application, except the outbox with the last event, and
    the fence of a move: an application on its way is not deleted. Other applications keep all rows."""
    db = await two_full_applications(database["owner"])
    before = await counts(db, A)
    gone = await as_role(
        database["tenancy"], DASHBOARD, f"DELETE FROM applications WHERE id = '{A}'"
    )
    left = {table for table, rows in (await counts(db, A)).items() if rows}
    other = await counts(db, B)
    await db.close()

    assert len(before) > 40
    assert set(before.values()) == {1}
    assert gone == "DELETE 1"
    assert left == {"audit_outbox", "application_fences"}
    assert other == before


async def test_deleting_a_user_deletes_their_rows_and_keeps_the_log(
    database: dict[str, str],
) -> None:
    """Every table with a foreign key to the user loses the row or the id, and so do tables without
    one (ADR 5). The audit log keeps the event without the user."""
    db = await two_full_applications(database["owner"])
    await as_role(database["identity"], A, "DELETE FROM users")
    referring = await db.fetch("""
        SELECT c.conrelid::regclass::text AS "table", c.confdeltype::text AS action, a.attname AS "column"
        FROM pg_constraint c JOIN pg_attribute a
            ON a.attrelid = c.conrelid AND a.attnum = c.conkey[array_length(c.conkey, 1)]
        WHERE c.confrelid = 'users'::regclass AND c.contype = 'f' AND c.conparentid = 0
    """)
    left = await counts(db, A)
    audit = await db.fetchrow(f"SELECT user_id, event_type FROM audit_logs WHERE app_id = '{A}'")
    for row in referring:
        assert row["action"] in ("c", "n")
        assert left[row["table"]] == (1 if row["action"] == "n" else 0), row["table"]
        if row["action"] == "n":
            named = f"SELECT count({row['column']}) FROM {row['table']} WHERE app_id = $1"
            assert await db.fetchval(named, A) == 0, row["table"]
    other = await counts(db, B)
    named = await db.fetchval(f"SELECT count(user_id) FROM audit_logs WHERE app_id = '{B}'")
    await db.close()

    assert len(referring) > 12
    assert {left[table] for table in OF_A_GRANT} == {0}
    assert {other[table] for table in OF_A_GRANT} == {1}
    assert named == 1
    assert left["oauth_clients"] == left["roles"] == left["organizations"] == 1
    assert left["refresh_tokens"] == left["token_families"] == left["user_sessions"] == 0
    assert left["session_clients"] == 1  # until its client got the logout token
    assert audit is not None
    assert (audit["user_id"], audit["event_type"]) == (None, "x")
    assert set(other.values()) == {1}


async def test_deleting_a_client_takes_its_tokens(database: dict[str, str]) -> None:
    """Its grants are deleted with it; the user, their session and their other rows stay."""
    db = await two_full_applications(database["owner"])
    await as_role(database["oidc"], A, "DELETE FROM oauth_clients")
    left = await counts(db, A)
    await db.close()

    gone = {table for table, rows in left.items() if not rows}
    assert gone == {
        "oauth_clients",
        "oauth_client_secrets",
        "authorization_requests",
        "authorization_codes",
        "revoked_grants",
        "token_families",
        "refresh_tokens",
        "access_tokens",
        "consents",
        "client_assertion_jtis",
        "device_codes",
        "logout_deliveries",
        "session_clients",
        "token_exchange_policies",
    }


async def test_a_sweep_of_grants_takes_the_tokens_of_every_application(
    database: dict[str, str],
) -> None:
    """The sweep is bound to no application. The trigger binds itself to each one in turn."""
    db = await two_full_applications(database["owner"])
    await db.execute("UPDATE token_families SET absolute_expires_at = now() - interval '3 days'")
    sweep = await asyncpg.connect(database["sweep"])
    await sweep.execute(EXPIRED["token_families"])
    await sweep.close()
    left = [await counts(db, app_id) for app_id in (A, B)]
    await db.close()

    for app in left:
        assert {table for table in OF_A_GRANT if app[table]} == {"authorization_codes"}
        assert app["users"] == app["oauth_clients"] == 1


async def test_leaving_an_organization_ends_what_hung_on_it(database: dict[str, str]) -> None:
    """Roles inside the organization are deleted. A session in which it was active stays without it."""
    db = await two_full_applications(database["owner"])
    await as_role(database["tenancy"], A, "DELETE FROM organization_members")
    roles = await db.fetchval(f"SELECT count(*) FROM user_roles WHERE app_id = '{A}'")
    sessions = await db.fetch(f"SELECT active_org_id FROM user_sessions WHERE app_id = '{A}'")
    await db.close()

    assert roles == 0
    assert [row["active_org_id"] for row in sessions] == [None]


async def test_an_organization_role_in_use_stays(database: dict[str, str]) -> None:
    """A role that members have cannot be deleted, and the constraint says why."""
    db = await two_full_applications(database["owner"])
    await db.close()
    with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
        await as_role(database["rbac"], A, "DELETE FROM organization_roles")

    assert "organization_members_role_id_fkey" in str(refused.value.constraint_name)


async def test_a_team_that_owns_applications_stays(database: dict[str, str]) -> None:
    """The constraint applications_owner_org_id_fkey refuses to delete the team of an application,
    or to name a missing one."""
    db = await asyncpg.connect(database["owner"])
    await db.execute(f"""
        INSERT INTO organizations (app_id, id, slug, name) VALUES ('{DASHBOARD}', '{A}', 'team', 'T');
        INSERT INTO applications (id, slug, name, owner_org_id) VALUES ('{B}', 'brave-falcon', 'B', '{A}');
    """)
    await db.close()
    with pytest.raises(asyncpg.ForeignKeyViolationError) as deleting:
        await as_role(database["tenancy"], DASHBOARD, "DELETE FROM organizations")
    with pytest.raises(asyncpg.ForeignKeyViolationError) as moving:
        await as_role(
            database["tenancy"], DASHBOARD, f"UPDATE applications SET owner_org_id = '{B}'"
        )

    assert str(deleting.value.constraint_name).startswith("applications_owner_org_id_fkey")
    assert moving.value.constraint_name == "applications_owner_org_id_fkey"


async def test_a_scope_goes_with_its_permission(database: dict[str, str]) -> None:
    """A scope is deleted with its permission. Without the permission it would be open to every
    user."""
    db = await two_full_applications(database["owner"])
    await as_role(database["rbac"], A, "DELETE FROM permissions")
    left = await counts(db, A)
    await db.close()

    assert left["scopes"] == left["role_permissions"] == 0
    assert left["roles"] == 1
