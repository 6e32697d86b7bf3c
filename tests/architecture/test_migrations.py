"""Migrations lock nothing for long, and leave the version before what it uses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from tests.architecture.migration_rules import faults, for_squawk

from aero2.migrate import OLDEST, folder
from aero2.migration_files import Script

FILES: Final = sorted((folder() / "migrations").glob("[0-9]*.sql"))
RUNNER: Final = ("require-lock-timeout", "require-statement-timeout", "prefer-robust-stmts")
"""Rules of squawk about what `aero2 migrate` does."""
OURS: Final = (
    "ban-drop-constraint",
    "adding-not-nullable-field",
    "require-concurrent-index-deletion",
)
"""Rules of squawk of which we have a more exact one."""
STYLE: Final = ("prefer-bigint-over-int",)
"""Rules of squawk about the schema, which has small numbers."""
CONTRACTING: Final = ("ban-drop-column", "ban-drop-table", "renaming-column", "renaming-table")
"""What a contracting migration is for."""


def script(text: str, name: str = "0009_sample.sql") -> Script:
    return Script(name, text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_migration_follows_the_rules(path: Path) -> None:
    """The sentences say what to write instead."""
    assert faults(script(path.read_text(), path.name)) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_squawk_finds_nothing(path: Path) -> None:
    """Its rules are those of many other projects."""
    assert squawk(script(path.read_text(), path.name)) == []


def squawk(migration: Script) -> list[str]:
    """Returns the rules that a migration breaks."""
    excluded = [*RUNNER, *OURS, *STYLE, *(CONTRACTING if migration.contracts else ())]
    command = [
        str(Path(sys.executable).with_name("squawk")),
        *("--reporter", "json", "--pg-version", f"{OLDEST}.0", "--no-error-on-unmatched-pattern"),
        *("--exclude", ",".join(excluded), "--stdin-filepath", migration.name),
    ]
    done = subprocess.run(
        command, input=for_squawk(migration), capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return [each["rule_name"] for each in json.loads(done.stdout or "[]")]


EXPAND: Final = "-- phase: expand\n"
STEPS: Final = f"{EXPAND}-- transaction: no\n-- step\n"
TABLE: Final = """
CREATE TABLE pins (app_id uuid NOT NULL, id uuid NOT NULL, CONSTRAINT pins_pkey PRIMARY KEY (app_id, id))
    PARTITION BY HASH (app_id);
ALTER TABLE pins ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON pins USING (app_id = nullif(current_setting('aero2.app_id', true), '')::uuid);
GRANT SELECT, INSERT ON pins TO aero2_identity;
"""
PARTITIONS: Final = """-- step: each partition
CREATE TABLE pins_pNN PARTITION OF pins FOR VALUES WITH (MODULUS 16, REMAINDER 0);
"""

GOOD: Final = {
    "columns": f"{EXPAND}ALTER TABLE users ADD a text, ADD b boolean NOT NULL DEFAULT false,"
    " ADD c timestamptz NOT NULL DEFAULT now(), ADD d text[] NOT NULL DEFAULT '{}';",
    "table": f"{STEPS}{TABLE}{PARTITIONS}",
    "index of a new table": f"{STEPS}{TABLE}CREATE INDEX pins_id ON pins (id, app_id);{PARTITIONS}",
    "table of the deployment": f"{STEPS}CREATE TABLE clusters (name text, size integer, PRIMARY KEY (name));"
    "GRANT SELECT ON clusters TO aero2_identity;",
    "check": f"{STEPS}ALTER TABLE users ADD CONSTRAINT a CHECK (epoch >= 0) NOT VALID;\n"
    "-- step: each partition\nALTER TABLE users_pNN VALIDATE CONSTRAINT a;\n",
    "contract": "-- phase: contract\nALTER TABLE users DROP COLUMN zoneinfo;",
    "index that goes": f"{STEPS}DROP INDEX CONCURRENTLY idx_mail_outbox_app;",
}

BAD: Final = [
    ("not NNNN_what_it_does.sql", EXPAND + "SELECT 1;"),
    ("first line is not `-- phase", "ALTER TABLE users ADD a text;"),
    ("first line is not `-- phase", "-- phase: sometimes\nALTER TABLE users ADD a text;"),
    ("can only be `no`", "-- phase: expand\n-- transaction: yes\nSELECT 1;"),
    ("`*` stands for other", f"{EXPAND}CREATE VIEW v AS SELECT * FROM users;"),
    ("`*` stands for other", f"{EXPAND}CREATE VIEW v AS SELECT u.* FROM users u;"),
    (
        "pins has no primary key",
        STEPS + TABLE.replace("CONSTRAINT pins_pkey PRIMARY KEY", "UNIQUE") + PARTITIONS,
    ),
    ("pins has no FORCE", STEPS + TABLE.replace(", FORCE ROW LEVEL SECURITY", "") + PARTITIONS),
    ("pins has no ENABLE", STEPS + TABLE.replace("ENABLE ROW LEVEL SECURITY, ", "") + PARTITIONS),
    ("pins has no policy", STEPS + TABLE.replace("tenant ON pins", "tenant ON users") + PARTITIONS),
    ("pins has no grant", STEPS + TABLE.partition("GRANT")[0] + PARTITIONS),
    ("pins has no step for its partitions", STEPS + TABLE),
    (
        "default of users.a differs",
        f"{EXPAND}ALTER TABLE users ADD a uuid DEFAULT gen_random_uuid();",
    ),
    (
        "default of users.a differs",
        f"{EXPAND}ALTER TABLE users ADD a timestamptz DEFAULT clock_timestamp();",
    ),
    (
        "users.a is computed",
        f"{EXPAND}ALTER TABLE users ADD a text GENERATED ALWAYS AS (name) STORED;",
    ),
    (
        "users.a is computed",
        f"{EXPAND}ALTER TABLE users ADD a bigint GENERATED ALWAYS AS IDENTITY;",
    ),
    ("users.a is computed", f"{EXPAND}ALTER TABLE users ADD a bigserial;"),
    ("users.a is NOT NULL without", f"{EXPAND}ALTER TABLE users ADD a text NOT NULL;"),
    ("key of users.a is built", f"{EXPAND}ALTER TABLE users ADD a uuid UNIQUE;"),
    ("another type rewrites users", f"{EXPAND}ALTER TABLE users ALTER epoch TYPE bigint;"),
    ("NOT VALID, and VALIDATE", f"{EXPAND}ALTER TABLE users ADD CONSTRAINT a CHECK (epoch >= 0);"),
    (
        "NOT VALID, and VALIDATE",
        f"{EXPAND}ALTER TABLE roles ADD CONSTRAINT a FOREIGN KEY (app_id) REFERENCES applications;",
    ),
    (
        "build its index concurrently",
        f"{EXPAND}ALTER TABLE roles ADD CONSTRAINT a UNIQUE (app_id, name);",
    ),
    ("ON ONLY the parent", f"{EXPAND}CREATE INDEX a ON users (app_id, name);"),
    ("SET NOT NULL of users.name reads", f"{EXPAND}ALTER TABLE users ALTER name SET NOT NULL;"),
    (
        "SET NOT NULL of users.name reads",
        f"{STEPS}ALTER TABLE users ADD CONSTRAINT a CHECK (name IS NOT NULL) NOT VALID;\n"
        "-- step\nALTER TABLE users ALTER name SET NOT NULL;",
    ),
    (
        "VALIDATE CONSTRAINT shares a step",
        f"{EXPAND}ALTER TABLE users ADD CONSTRAINT a CHECK (epoch >= 0) NOT VALID;"
        "ALTER TABLE users VALIDATE CONSTRAINT a;",
    ),
    ("LOCK locks a table", f"{EXPAND}LOCK TABLE users;"),
    ("TRUNCATE locks a table", f"{EXPAND}TRUNCATE rate_limits;"),
    ("VACUUM locks a table", f"{STEPS}VACUUM FULL users;"),
    ("REINDEX without CONCURRENTLY", f"{STEPS}REINDEX INDEX users_pkey_p00;"),
    ("PARTITION OF users locks it", f"{EXPAND}CREATE TABLE users_x PARTITION OF users DEFAULT;"),
    ("users are changed outside", f"{EXPAND}UPDATE users SET name = '';"),
    ("users are changed outside", f"{EXPAND}DELETE FROM users WHERE guest;"),
    (
        "backfill of roles changes another",
        f"{EXPAND}-- transaction: no\n-- step: backfill roles\n"
        "UPDATE users SET name = '' WHERE ctid >= $1 AND ctid < $2;",
    ),
    ("CASCADE drops what", "-- phase: contract\nDROP TABLE users_p03 CASCADE;"),
    ("CASCADE drops what", "-- phase: contract\nALTER TABLE users DROP COLUMN name CASCADE;"),
    ("DROP takes away", f"{EXPAND}DROP TABLE link_proofs;"),
    ("DROP takes away", f"{EXPAND}DROP FUNCTION search_key(text);"),
    ("DROP INDEX locks", f"{EXPAND}DROP INDEX idx_mail_outbox_app;"),
    ("knows the old name", f"{EXPAND}ALTER TABLE users RENAME name TO full_name;"),
    ("knows the old name", f"{EXPAND}ALTER TABLE users RENAME TO people;"),
    ("uses users.name: a migration", f"{EXPAND}ALTER TABLE users DROP COLUMN name;"),
    ("relies on users_pkey", f"{EXPAND}ALTER TABLE users DROP CONSTRAINT users_pkey;"),
    ("DETACH locks users", "-- phase: contract\nALTER TABLE users DETACH PARTITION users_p03;"),
    (
        "row level security of users stays off",
        f"{EXPAND}ALTER TABLE users NO FORCE ROW LEVEL SECURITY;",
    ),
    (
        "row level security of users stays off",
        f"{EXPAND}ALTER TABLE users DISABLE ROW LEVEL SECURITY;",
    ),
]
"""Samples that break one rule, and a part of the sentence about it."""


@pytest.mark.parametrize("name", GOOD)
def test_what_may_be_done(name: str) -> None:
    """Neither our rules nor squawk's refuse it."""
    assert faults(script(GOOD[name])) == []
    assert squawk(script(GOOD[name])) == []


@pytest.mark.parametrize(("fault", "text"), BAD, ids=range(len(BAD)))
def test_a_bad_sample_is_found(fault: str, text: str) -> None:
    """Each rule finds what it is for."""
    name = "9_x.sql" if "NNNN" in fault else "0009_sample.sql"
    assert any(fault in sentence for sentence in faults(script(text, name))), text


def test_squawk_finds_a_bad_sample() -> None:
    """It runs, and reads what it is given."""
    text = f"{EXPAND}ALTER TABLE users RENAME name TO full_name; ALTER TABLE users ADD a char(3);"
    assert {"renaming-column", "ban-char-field"} <= set(squawk(script(text)))
