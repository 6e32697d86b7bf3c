"""The database roles have only the grants on the product's tables."""

from __future__ import annotations

import asyncpg
import pytest

from aero2.migrate import ROLES as NAMES
from common.connection_setup import COMMAND

ROLES = [f"aero2_{name}" for name in NAMES]
A = "018f0000-0000-7000-8000-00000000000a"
DENIED = asyncpg.InsufficientPrivilegeError


PURE = {
    "user_words_from(uuid,text,uuid,text,boolean,bigint)": {"aero2_identity"},
    "search_key(text)": {"aero2_identity", "aero2_tenancy"},
    "words_of_user(text,text[])": {"aero2_identity"},
    "words_of_names(text[])": {"aero2_tenancy"},
    "estimated_users(uuid,boolean,boolean)": {"aero2_identity"},
    "closed_applications()": {"aero2_sweep", "aero2_logout", "aero2_upkeep"},
    "hidden_applications()": {"aero2_search"},
    "bind_at_home(text,text)": {"aero2_tenancy", "aero2_identity", "aero2_oidc", "aero2_rbac"},
    "bind_application(text)": set(ROLES),
}
"""Functions that roles may call: they read nothing, or with the rights of the role."""
NUMBERS = {"standby_states()": {"aero2_upkeep"}}
"""Functions with the owner's rights. They take nothing and return numbers, of no application."""


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_executes_a_function_of_ours(database: dict[str, str], role: str) -> None:
    """A definer function runs as the owner, so no role may call one that touches rows. A trigger needs no
    EXECUTE."""
    db = await asyncpg.connect(database["owner"])
    ours = await db.fetch(
        """
        SELECT p.oid::regprocedure::text AS name, p.prosecdef AS definer, p.proconfig AS config,
               has_function_privilege($1, p.oid, 'EXECUTE') AS executes
        FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace OR p.prosecdef
        """,
        role,
    )
    await db.close()

    assert sum(row["definer"] for row in ours) >= 4
    executes = {row["name"] for row in ours if row["executes"]}
    assert executes == {name for name, callers in (PURE | NUMBERS).items() if role in callers}
    for row in ours:
        if row["name"] in PURE:
            assert not row["definer"], row["name"]
            continue
        assert row["config"] == ["search_path=pg_catalog, public, pg_temp"], row["name"]


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_makes_objects_or_sees_another_database(
    database: dict[str, str], role: str
) -> None:
    """No role can create objects in a schema, temporary ones or large ones, or connect to another
    database."""
    db = await asyncpg.connect(database["owner"])
    schemas = await db.fetch(
        "SELECT nspname FROM pg_namespace WHERE has_schema_privilege($1, oid, 'CREATE')", role
    )
    databases = await db.fetch(
        """
        SELECT datname FROM pg_database
        WHERE datname IN ('postgres', 'template1', current_database())
            AND has_database_privilege($1, oid, 'CONNECT') AND datname <> current_database()
        """,
        role,
    )
    here = await db.fetchrow(
        """
        SELECT has_database_privilege($1, current_database(), 'CONNECT') AS connects,
               has_database_privilege($1, current_database(), 'TEMPORARY') AS temporary,
               has_database_privilege($1, current_database(), 'CREATE') AS creates
        """,
        role,
    )
    large = await db.fetch(
        """
        SELECT proname FROM pg_proc
        WHERE (proname LIKE 'lo\\_%' OR proname IN ('loread', 'lowrite'))
            AND pronamespace = 'pg_catalog'::regnamespace AND has_function_privilege($1, oid, 'EXECUTE')
        """,
        role,
    )
    powers = await db.fetchrow(
        """
        SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS any,
               ARRAY(SELECT m.roleid::regrole::text FROM pg_auth_members m WHERE m.member = r.oid)
                   AS memberships
        FROM pg_roles r WHERE rolname = $1
        """,
        role,
    )
    tables = await db.fetch(
        """
        SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            AND has_table_privilege($1, oid, 'TRIGGER, TRUNCATE, REFERENCES')
        """,
        role,
    )
    await db.close()

    assert [schemas, databases, large, tables] == [[], [], [], []]
    assert here is not None
    assert powers is not None
    assert tuple(here) == (True, False, False)
    assert tuple(powers) == (False, [])


@pytest.mark.parametrize("service", NAMES)
async def test_a_role_is_refused_what_it_tries(database: dict[str, str], service: str) -> None:
    """The same, shown by attempts instead of the catalogue."""
    db = await asyncpg.connect(database[service])
    for attempt in (
        "CREATE TEMP TABLE authorization_codes (app_id uuid)",
        "CREATE TABLE mine (id uuid)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
        "CREATE TRIGGER mine AFTER DELETE ON users EXECUTE FUNCTION applications_take_along()",
    ):
        with pytest.raises(DENIED):
            await db.execute(attempt)
    await db.close()
    with pytest.raises(DENIED):
        await asyncpg.connect(database[service].rpartition("/")[0] + "/postgres")


async def test_depth_in_a_trigger_does_not_open_the_audit_log(database: dict[str, str]) -> None:
    """A role that calls a trigger function on its own table deletes no record: the function also
    checks the role."""
    owner = await asyncpg.connect(database["owner"])
    await owner.execute(f"""
        INSERT INTO applications (id, slug, name) VALUES ('{A}', 'swift-maple', 'A');
        INSERT INTO audit_logs (app_id, id, event_type) VALUES ('{A}', gen_random_uuid(), 'x');
        INSERT INTO audit_chain (app_id, seq, event_id, previous_hash, hash)
        SELECT '{A}', 1, id, '\\x00', '\\x00' FROM audit_logs;
        CREATE FUNCTION evil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            DELETE FROM audit_chain; DELETE FROM audit_logs; RETURN NULL; END $$;
        CREATE TABLE mine (id int);
        CREATE TRIGGER t AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION evil();
        GRANT INSERT ON mine TO aero2_rbac;
        GRANT SELECT, DELETE ON audit_logs, audit_chain TO aero2_rbac;
    """)
    db = await asyncpg.connect(database["rbac"])
    await db.execute(f"SET aero2.app_id = '{A}'")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="immutable"):
        await db.execute("INSERT INTO mine VALUES (1)")
    await db.close()
    left = await owner.fetchval("SELECT count(*) FROM audit_logs")
    await owner.close()

    assert left == 1


async def test_the_server_ends_what_a_role_runs_after_its_client_is_gone(
    database: dict[str, str],
) -> None:
    """Nothing asks to cancel a statement, so each role has a limit, and it is longer than a client's:
    the client is told that the database is away, and not that the statement took too long."""
    for name in NAMES:
        db = await asyncpg.connect(database[name])
        limit = await db.fetchval(
            "SELECT setting::int FROM pg_settings WHERE name = 'statement_timeout'"
        )
        await db.close()
        assert COMMAND * 1000 < limit <= 60_000, name
