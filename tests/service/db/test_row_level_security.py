"""A service reads and writes only rows of the application that its transaction is bound to."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from aero2.migrate import JOBS

SERVICES = ("tenancy", "identity", "oidc", "rbac")
REGISTRY = {
    "applications", "application_words", "deleted_slugs", "application_api_keys", "custom_domains",
}  # fmt: skip
KEYS = {"imported_keys"}
"""Tables that every service reads when it starts, and that `aero2 apps import` writes."""
QUEUES = {"audit_outbox", "audit_transfers", "mail_outbox"}
MOVES = {"application_moves", "application_fences"}
"""Tables of `aero2 apps move`, with a row for each application that is being moved."""
SHORT_LIVED = {"revoked_grants"}
"""Tables whose few rows live for minutes, and which every request of some kind asks."""
UNBOUND = {"schema_migrations", "master_keys", "clusters"}
"""Tables of the deployment, without an application."""
ROLES_BY_COLUMN = ["aero2_identity", "aero2_oidc", "aero2_rbac", "aero2_tenancy"]
JOB_ROLES = {f"aero2_{job}" for job in JOBS}

A = "018f0000-0000-7000-8000-00000000000a"
B = "018f0000-0000-7000-8000-00000000000b"


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    db = await asyncpg.connect(dsn)
    try:
        yield db
    finally:
        await db.close()


@asynccontextmanager
async def bound(dsn: str, app_id: str) -> AsyncIterator[asyncpg.Connection]:
    async with connected(dsn) as db, db.transaction():
        await db.execute(f"SET LOCAL aero2.app_id = '{app_id}'")
        yield db


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def two(module_database: dict[str, str]) -> dict[str, str]:
    """Applications A and B with a user each, of the same id and address."""
    async with connected(module_database["owner"]) as db:
        await db.execute(f"""
            INSERT INTO applications (id, slug, name) VALUES
                ('{A}', 'swift-maple', 'A'), ('{B}', 'brave-falcon', 'B');
            INSERT INTO users (app_id, id, email, email_normalized) VALUES
                ('{A}', '{A}', 'ada@example.com', 'ada@example.com'), ('{B}', '{A}', 'ada@example.com', 'ada@example.com');
        """)
    return module_database


async def tables(db: asyncpg.Connection) -> dict[str, asyncpg.Record]:
    """Returns every table of the product by name, without the partitions."""
    rows = await db.fetch("""
        SELECT relname, relkind::text AS kind, relrowsecurity, relforcerowsecurity,
               pg_get_userbyid(relowner) AS owner,
               EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'app_id') AS of_app
        FROM pg_class c
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    """)
    return {row["relname"]: row for row in rows}


async def test_every_table_is_partitioned_by_application_or_known_not_to_be(
    two: dict[str, str],
) -> None:
    """A new table is partitioned, or has to be added to a list."""
    async with connected(two["owner"]) as db:
        flat = {name for name, row in (await tables(db)).items() if row["kind"] == "r"}
        counts = await db.fetch("""
            SELECT p.relname, pg_get_partkeydef(p.oid) AS key, count(i.inhrelid) AS partitions
            FROM pg_class p LEFT JOIN pg_inherits i ON i.inhparent = p.oid
            WHERE p.relkind = 'p' AND p.relnamespace = 'public'::regnamespace GROUP BY p.oid, p.relname
        """)

    assert flat == REGISTRY | KEYS | QUEUES | SHORT_LIVED | MOVES | UNBOUND
    assert len(counts) > 40
    assert {(row["key"], row["partitions"]) for row in counts} == {("HASH (app_id)", 16)}


async def test_row_level_security_is_forced_with_a_policy_on_every_table(
    two: dict[str, str],
) -> None:
    """Every table has forced row level security and a policy that names the application."""
    async with connected(two["owner"]) as db:
        bare = {
            name
            for name, row in (await tables(db)).items()
            if not (row["relrowsecurity"] and row["relforcerowsecurity"])
        }
        policies = await db.fetch("SELECT * FROM pg_policies WHERE schemaname = 'public'")
        names = set(await tables(db)) - UNBOUND

    open_to_all = {
        (p["tablename"], p["policyname"], tuple(p["roles"]))
        for p in policies
        if "aero2.app_id" not in p["qual"] and not set(p["roles"]) <= JOB_ROLES
    }
    tenant = {p["tablename"] for p in policies if "aero2.app_id" in p["qual"]}

    assert bare == UNBOUND
    assert tenant == names - {"deleted_slugs"}
    readers = {("imported_keys", "registry", tuple(ROLES_BY_COLUMN))}
    of_tenancy = REGISTRY | {"application_moves"}
    assert open_to_all == {(name, "registry", ("aero2_tenancy",)) for name in of_tenancy} | readers


async def test_every_table_has_a_primary_key(two: dict[str, str]) -> None:
    """Each table, and each partition, has one. Without it, a publication over all tables makes Postgres
    refuse UPDATE and DELETE, as it does for a table that has none."""
    async with connected(two["owner"]) as db:
        bare = await db.fetch("""
            SELECT relname FROM pg_class c
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT EXISTS (
                SELECT FROM pg_index i
                WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND c.relreplident = 'd')
        """)
        await db.execute("CREATE TABLE unkept (a int); CREATE PUBLICATION whole FOR ALL TABLES")
        await db.execute("INSERT INTO unkept VALUES (1)")
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="replica identity"):
            await db.execute("DELETE FROM unkept")
        await db.execute(f"""
            INSERT INTO roles (app_id, id, name) VALUES ('{A}', 'kept', 'Kept');
            INSERT INTO user_roles (app_id, user_id, role_id) VALUES ('{A}', '{A}', 'kept');
            DELETE FROM user_roles WHERE app_id = '{A}' AND role_id = 'kept';
            DROP PUBLICATION whole;
            DROP TABLE unkept;
        """)

    assert bare == []


async def test_service_roles_are_weak(two: dict[str, str]) -> None:
    """No role is a superuser, bypasses row level security, creates objects, or owns a table. Only the owner, which
    cannot log in, is a member of another role: it counts standbys."""
    async with connected(two["owner"]) as db:
        roles = await db.fetch("""
            SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication
                AS strong
            FROM pg_roles WHERE rolname LIKE 'aero2%'
        """)
        members = await db.fetch("""
            SELECT member::regrole::text, roleid::regrole::text FROM pg_auth_members
            WHERE member::regrole::text LIKE 'aero2%'
        """)
        owners = {row["owner"] for row in (await tables(db)).values()}

    assert [role["rolname"] for role in roles if role["strong"]] == []
    assert len(roles) == 11
    assert [tuple(each) for each in members] == [("aero2_owner", "pg_read_all_stats")]
    assert owners == {"aero2_owner"}


@pytest.mark.parametrize("service", SERVICES)
async def test_without_an_application_nothing_is_there(two: dict[str, str], service: str) -> None:
    """Without a setting every readable table is empty and every insert is refused."""
    async with connected(two[service]) as db:
        readable = await db.fetch("""
            SELECT c.relname FROM pg_class c
            WHERE c.relkind = 'p' AND c.relnamespace = 'public'::regnamespace
              AND has_any_column_privilege(c.oid, 'SELECT')
        """)
        for ended in (False, True):
            if ended:
                async with db.transaction():
                    await db.execute(f"SET LOCAL aero2.app_id = '{A}'")
                assert await db.fetchval("SELECT current_setting('aero2.app_id')") == ""
            for table in readable:
                assert await db.fetchval(f"SELECT count(*) FROM {table['relname']}") == 0
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                await db.execute(
                    "INSERT INTO audit_logs (app_id, id, event_type) VALUES ($1, $2, 'login')",
                    A,
                    uuid4(),
                )
    assert len(readable) > 3


async def test_a_bound_transaction_sees_its_application_only(two: dict[str, str]) -> None:
    """The same user id and address in two applications are two users."""
    async with bound(two["identity"], A) as db:
        found = await db.fetch("SELECT app_id::text FROM users")
        changed = await db.execute("UPDATE users SET name = 'Ada'")
        none = await db.execute(f"DELETE FROM users WHERE app_id = '{B}'")
    async with connected(two["owner"]) as db:
        other = await db.fetchrow(f"SELECT name FROM users WHERE app_id = '{B}'")

    assert [row["app_id"] for row in found] == [A]
    assert changed == "UPDATE 1"
    assert none == "DELETE 0"
    assert other is not None
    assert other["name"] is None


async def test_the_setting_ends_with_its_transaction(two: dict[str, str]) -> None:
    """After a commit or a rollback the connection is bound to nothing."""
    async with connected(two["identity"]) as db:
        for ending in ("COMMIT", "ROLLBACK"):
            await db.execute(f"BEGIN; SET LOCAL aero2.app_id = '{A}'")
            assert await db.fetchval("SELECT count(*) FROM users") == 1
            await db.execute(ending)
            assert await db.fetchval("SELECT count(*) FROM users") == 0


async def test_partitions_cannot_be_read_around_the_policy(two: dict[str, str]) -> None:
    """No role has a privilege on a partition."""
    async with connected(two["owner"]) as db:
        granted = await db.fetch("""
            SELECT c.relname, a.grantee::regrole FROM pg_class c, aclexplode(c.relacl) a
            WHERE c.relispartition AND c.relkind IN ('r', 'p') AND a.grantee <> c.relowner
        """)
    async with bound(two["identity"], A) as db:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
            await db.fetch("SELECT id FROM users_p00")

    assert granted == []


async def test_a_row_cannot_be_moved_to_another_application(two: dict[str, str]) -> None:
    """UPDATE of app_id is refused, and so is an insert for another application."""
    async with bound(two["identity"], A) as db:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await db.execute("UPDATE users SET app_id = $1, id = $2", B, uuid4())
    async with bound(two["identity"], A) as db:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await db.execute("INSERT INTO users (app_id, id) VALUES ($1, $2)", B, uuid4())


async def test_nothing_runs_with_the_owners_rights(two: dict[str, str]) -> None:
    """No view or function runs as its owner. The exceptions are four triggers (ADR 5), which nobody
    can call and which bind themselves to the deleted row's application, and a function that counts standbys."""
    async with connected(two["owner"]) as db:
        views = await db.fetch("""
            SELECT relname FROM pg_class
            WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace
        """)
        definers = await db.fetch("""
            SELECT proname, prorettype = 'trigger'::regtype AS only_trigger FROM pg_proc
            WHERE prosecdef AND pronamespace = 'public'::regnamespace ORDER BY proname
        """)

    assert views == []
    assert [tuple(row) for row in definers] == [
        ("applications_take_along", True),
        ("oauth_clients_take_along", True),
        ("standby_states", False),
        ("token_families_take_along", True),
        ("users_take_along", True),
    ]


async def test_each_table_has_one_writing_service(two: dict[str, str]) -> None:
    """No two services may change the same table, apart from the shared ones."""
    shared = {
        "audit_logs",
        "audit_outbox",
        "audit_transfers",
        "mail_outbox",
        "data_keys",
        "master_keys",
        "rate_limits",
    }
    async with connected(two["owner"]) as db:
        rows = await db.fetch("""
            SELECT c.relname, array_agg(DISTINCT a.grantee::regrole::text ORDER BY a.grantee::regrole::text)
                AS writers
            FROM pg_class c, aclexplode(c.relacl) a
            WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relispartition
              AND c.relkind IN ('r', 'p') AND a.privilege_type IN ('INSERT', 'UPDATE')
              AND a.grantee::regrole::text IN ('aero2_tenancy', 'aero2_identity', 'aero2_oidc', 'aero2_rbac')
            GROUP BY c.relname
        """)
        names = set(await tables(db))
    writers = {row["relname"]: row["writers"] for row in rows}
    for queue in ("audit_outbox", "audit_transfers"):
        writers[queue] = ROLES_BY_COLUMN  # granted by column, without the service's name
    writers["clusters"] = ["aero2_tenancy"]

    assert {name for name, by in writers.items() if len(by) > 1} == shared
    assert names - set(writers) == {"schema_migrations"} | KEYS | MOVES  # the owner writes them


async def test_oidc_reads_what_it_needs_and_no_more(two: dict[str, str]) -> None:
    """oidc reads the columns of users and sessions that a token needs, but no hash and no private
    metadata (ADR 2)."""
    async with bound(two["oidc"], A) as db:
        assert await db.fetchval("SELECT email FROM users") == "ada@example.com"
        assert await db.fetchval("SELECT slug FROM applications") == "swift-maple"
    for forbidden in (
        "SELECT private_metadata FROM users",
        "SELECT token_hash FROM user_sessions",
        "SELECT phc FROM passwords",
        "UPDATE users SET epoch = 1",
        "DELETE FROM user_sessions",
    ):
        async with bound(two["oidc"], A) as db:
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                await db.execute(forbidden)


async def test_tenancy_finds_any_application_but_writes_keys_of_its_own_only(
    two: dict[str, str],
) -> None:
    """A host or key finds any application. A key is created only in the bound one."""
    async with connected(two["tenancy"]) as db:
        assert await db.fetchval("SELECT count(*) FROM applications") == 3
        assert await db.fetchval("SELECT count(*) FROM application_api_keys") == 0
    insert = """
        INSERT INTO application_api_keys (id, app_id, key_type, key_prefix, key_hash)
        VALUES (gen_random_uuid(), $1, 'secret', 'sk_live_abcd', $2)
    """
    async with bound(two["tenancy"], A) as db:
        await db.execute(insert, A, "a")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            async with db.transaction():
                await db.execute(insert, B, "b")
    async with bound(two["tenancy"], B) as db:
        assert await db.fetchval("SELECT count(*) FROM application_api_keys") == 1
        assert await db.execute("UPDATE application_api_keys SET revoked_at = now()") == "UPDATE 0"
        assert await db.execute("DELETE FROM application_api_keys") == "DELETE 0"


async def test_a_job_works_everywhere_and_reads_no_account(two: dict[str, str]) -> None:
    """Relay and sweeps see all applications, but no addresses or hashes."""
    async with connected(two["owner"]) as db:
        await db.execute(f"""
            INSERT INTO revoked_tokens (app_id, jti, expires_at)
            VALUES ('{A}', 'x', now() - interval '1 hour'), ('{B}', 'x', now() - interval '1 hour')
        """)
    async with connected(two["sweep"]) as db:
        swept = await db.execute("DELETE FROM revoked_tokens WHERE expires_at < now()")
    for job, forbidden in itertools.product(
        JOBS,
        (
            "SELECT email FROM users",
            "SELECT token_hash FROM user_sessions",
            "SELECT key_hash FROM application_api_keys",
            "UPDATE applications SET name = ''",
            "UPDATE audit_logs SET event_type = ''",
            "INSERT INTO audit_logs (app_id, id, event_type) VALUES ($1, $1, 'x')",
            "INSERT INTO user_roles (app_id, user_id, role_id) VALUES ($1, $1, 'operator')",
            "UPDATE audit_outbox SET payload = ''",
            "UPDATE audit_outbox SET app_id = $1",
        ),
    ):
        async with connected(two[job]) as db:
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                await db.execute(forbidden, *([A] if "$1" in forbidden else []))

    assert swept == "DELETE 2"
