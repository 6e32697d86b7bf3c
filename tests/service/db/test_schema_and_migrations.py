"""The comparison of two databases finds what a migration forgot, of every kind.

`test_upgrade.py` compares an updated database with a new one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from tests.kit.postgres import Postgres
from tests.service.db.catalogue import describe, lines
from tests.service.db.releases import earlier

from aero2.migrate import folder, migrate
from aero2.schema_files import MigrationError

ADDED = """
CREATE TABLE favourites (
    app_id  uuid NOT NULL,
    user_id uuid NOT NULL,
    colour  text NOT NULL,
    CONSTRAINT favourites_pkey PRIMARY KEY (app_id, user_id),
    CONSTRAINT favourites_user_id_fkey FOREIGN KEY (app_id, user_id)
        REFERENCES users (app_id, id) ON DELETE CASCADE
) PARTITION BY HASH (app_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON favourites TO aero2_identity;
ALTER TABLE users ADD COLUMN motto text;
GRANT SELECT (motto) ON users TO aero2_oidc;
"""
PARTITIONS = """
DO $$ BEGIN
    FOR n IN 0..15 LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF favourites FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
                       'favourites_p' || lpad(n::text, 2, '0'), n);
        EXECUTE format('ALTER INDEX %I RENAME TO %I', 'favourites_p' || lpad(n::text, 2, '0') || '_pkey',
                       'favourites_pkey_p' || lpad(n::text, 2, '0'));
    END LOOP;
END $$;
ALTER TABLE favourites ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON favourites USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
CREATE POLICY jobs ON favourites TO aero2_sweep, aero2_logout, aero2_upkeep
    USING (app_id <> ALL ((SELECT closed_applications())::uuid[]));
"""


@pytest.fixture
def empty(postgres: Postgres) -> Iterator[tuple[str, str]]:
    """The owner's DSNs of two empty databases."""
    names = [postgres.create(f"empty_{os.urandom(4).hex()}") for _ in range(2)]
    yield postgres.dsn("owner", names[0]), postgres.dsn("owner", names[1])
    for name in names:
        postgres.drop(name)


@pytest.mark.parametrize("careless", [False, pytest.param(True, marks=pytest.mark.long)])
async def test_the_comparison_finds_what_a_migration_forgot(
    empty: tuple[str, str], tmp_path: Path, careless: bool
) -> None:
    """A new table, column and grants are compared. A migration without partitions, policies or row
    level security is found."""
    whole = (folder() / "schema.sql").read_text()
    was, new = empty
    await migrate(was, {}, source=earlier(tmp_path, whole, 9999))
    later = Path(shutil.copytree(folder(), tmp_path / "later"))
    at = whole.index("-- ====", whole.index("-- partitions and row level security") - 200)
    (later / "schema.sql").write_text(whole[:at] + ADDED + whole[at:])
    (later / "migrations" / "9999_favourites.sql").write_text(
        ADDED + ("" if careless else PARTITIONS)
    )
    if careless:
        with pytest.raises(MigrationError, match="row level security is not forced on favourites"):
            await migrate(was, {}, source=later)
    else:
        await migrate(was, {}, source=later)
    await migrate(new, {}, source=later)
    differing = await describe(was) ^ await describe(new)

    if careless:
        assert {line.partition(":")[0] for line in differing} >= {"table", "index", "policy"}
        assert any("favourites_p07" in line for line in differing)
    else:
        assert differing == set()


FORGOTTEN = [
    ("column", "ALTER TABLE users ALTER picture TYPE varchar"),
    ("column", "ALTER TABLE users ALTER disabled DROP DEFAULT"),
    ("column", "ALTER TABLE users ALTER epoch DROP NOT NULL"),
    ("column", "ALTER TABLE users_p03 ALTER name SET STATISTICS 10"),
    ("column", "ALTER TABLE master_keys ALTER age DROP IDENTITY"),
    ("constraint", "ALTER TABLE users ADD CONSTRAINT u CHECK (epoch >= 0) NOT VALID"),
    (
        "constraint that was not validated",
        "ALTER TABLE users_p03 ADD CONSTRAINT u CHECK (epoch >= 0) NOT VALID",
    ),
    (
        "index",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'users_pkey_p01'::regclass",
    ),
    (
        "index",
        "UPDATE pg_index SET indisready = false WHERE indexrelid = 'users_pkey_p01'::regclass",
    ),
    ("table", "ALTER TABLE roles NO FORCE ROW LEVEL SECURITY"),
    ("table", "ALTER TABLE roles DISABLE ROW LEVEL SECURITY"),
    ("table", "ALTER TABLE consents DETACH PARTITION consents_p03"),
    ("table", "ALTER TABLE roles_p03 REPLICA IDENTITY FULL"),
    ("table", "ALTER TABLE roles OWNER TO CURRENT_USER"),
    ("table", "ALTER TABLE audit_outbox RESET (fillfactor)"),
    ("policy", "ALTER POLICY tenant ON roles USING (true)"),
    ("grant on table", "GRANT SELECT ON roles_p03 TO aero2_oidc"),
    ("grant on column", "REVOKE SELECT (org_id) ON user_roles FROM aero2_identity"),
    ("grant on function", "GRANT EXECUTE ON FUNCTION search_key(text) TO PUBLIC"),
    ("trigger", "ALTER TABLE users DISABLE TRIGGER users_words_insert"),
    ("function", "ALTER FUNCTION users_take_along() RESET search_path"),
    ("statistics", "CREATE STATISTICS s ON app_id, name FROM roles_p03"),
]
"""Changes, each with the kind of line that shows it."""


@pytest.mark.long
async def test_the_comparison_sees_every_kind_of_change(database: dict[str, str]) -> None:
    """Each change is shown by a line of its kind."""
    db = await asyncpg.connect(database["owner"])
    whole = await lines(db)
    for kind, sql in FORGOTTEN:
        change = db.transaction()
        await change.start()
        await db.execute(sql)
        differing = {line.partition(":")[0] for line in whole ^ await lines(db)}
        await change.rollback()
        assert kind in differing, sql
    await db.close()
