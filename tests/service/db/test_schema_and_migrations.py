"""schema.sql and the migrations give the same database.

db/releases/NNNN.sql is db/schema.sql as a release had it, and NNNN its last migration. Each of
them, with the later migrations, must give the database of schema.sql.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from tests.kit.postgres import Postgres
from tests.service.db.catalogue import describe

from aero2.migrate import folder, migrate

RELEASES = sorted((folder() / "releases").glob("[0-9]*.sql"))

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
CREATE POLICY jobs ON favourites TO aero2_sweep, aero2_logout, aero2_upkeep USING (true);
"""


@pytest.fixture
def empty(postgres: Postgres) -> Iterator[tuple[str, str]]:
    """The owner's DSNs of two empty databases."""
    names = [postgres.create(f"empty_{os.urandom(4).hex()}") for _ in range(2)]
    yield postgres.dsn("owner", names[0]), postgres.dsn("owner", names[1])
    for name in names:
        postgres.drop(name)


def earlier(here: Path, schema: str, last: int) -> Path:
    """Makes a copy of db/ with this schema and no migration after `last`."""
    made = Path(shutil.copytree(folder(), here / "earlier"))
    (made / "schema.sql").write_text(schema)
    for step in (made / "migrations").glob("[0-9]*.sql"):
        if int(step.name[:4]) > last:
            step.unlink()
    return made


async def test_every_release_leads_here(postgres: Postgres, tmp_path: Path) -> None:
    """An updated installation of any release equals a new one. Every version after the first has a
    release to start from."""
    new = await describe(postgres.dsn("owner", postgres.clone()))
    assert RELEASES or version("aero2") == "0.1.0"
    for release in RELEASES:
        dsn = postgres.dsn("owner", postgres.create(f"release_{release.stem}"))
        source = earlier(tmp_path / release.stem, release.read_text(), int(release.stem))
        await migrate(dsn, {}, source=source)
        await migrate(dsn, {})
        assert await describe(dsn) == new, release.name


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
    await migrate(was, {}, source=later)
    await migrate(new, {}, source=later)
    differing = await describe(was) ^ await describe(new)

    if careless:
        assert {line.partition(":")[0] for line in differing} >= {"table", "index", "policy"}
        assert any("favourites_p07" in line for line in differing)
    else:
        assert differing == set()
