"""`aero2 doctor` finds each mistake of a database, and none in a database without it."""

from __future__ import annotations

import base64
import os
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.kit.nats_server import free_port
from tests.kit.pooler import pooler
from tests.kit.tcp_proxy import with_hosts

from aero2.doctor import DATABASE_CHECKS, examine
from aero2.doctor_findings import Finding, Level
from aero2.doctor_target import Target, open_database
from aero2.migrate import folder
from common.crypto import Keys
from common.db import Database
from common.ids import new_id
from common.master_keys import recognize

PUBLIC = "https://id.example.com"


def key(id: str) -> str:
    return f"{id}:{base64.b64encode(os.urandom(32)).decode()}"


@pytest.fixture
def target(database: dict[str, str]) -> Target:
    return Target(public_url=PUBLIC, database_url=database["owner"])


@pytest.fixture
async def owner(database: dict[str, str]) -> AsyncIterator[Any]:
    db = await asyncpg.connect(database["owner"])
    yield db
    await db.close()


async def one(target: Target, check: str) -> Finding:
    """Returns the only finding of a check."""
    (finding,) = await examine(target, (check,))
    return finding


async def test_a_database_without_mistakes(target: Target) -> None:
    """No check but those of settings has anything to say: the server of the tests is not durable."""
    findings = await examine(target, tuple(DATABASE_CHECKS))

    levels = {finding.check: finding.level for finding in findings}
    assert levels == {
        "pooler": Level.OK,
        "cluster": Level.OK,
        "clock": Level.OK,
        "schema": Level.OK,
        "row_level_security": Level.OK,
        "master_key": Level.SKIPPED,
        "durability": Level.FAILURE,
        "connections": Level.OK,
        "backup": Level.WARNING,
        "client_address": Level.SKIPPED,
    }


async def test_it_cannot_write(target: Target) -> None:
    """Whatever a check did, the session refuses to change anything."""
    async with open_database(target) as db:
        assert db is not None
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await db.execute("DELETE FROM applications")
        assert await db.fetchval("SHOW statement_timeout") == "5s"


async def test_a_pooler(target: Target) -> None:
    async with pooler(target.database_url) as dsn:
        finding = await one(replace(target, database_url=dsn), "pooler")

    assert finding.level is Level.FAILURE
    assert "pooler" in finding.sentence


@pytest.mark.parametrize("seconds", [-90, 90])
async def test_a_clock_that_is_wrong(
    target: Target, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    """Tokens would be refused, or live too long."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + seconds)
    finding = await one(target, "clock")

    assert finding.level is Level.FAILURE
    assert "differ by 90 seconds" in finding.sentence or "differ by 89" in finding.sentence


async def test_a_pending_migration(
    target: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The code was updated, and the database was not."""
    source = shutil.copytree(folder(), tmp_path / "db")
    migration = "-- phase: expand\nALTER TABLE applications ADD COLUMN x text;\n"
    (source / "migrations" / "9000_new.sql").write_text(migration)
    monkeypatch.setattr("aero2.doctor_database.folder", lambda: source)
    finding = await one(target, "schema")

    assert finding.level is Level.FAILURE
    assert "9000_new.sql" in finding.sentence
    assert "aero2 migrate" in finding.advice


async def test_a_database_of_a_newer_version(target: Target, owner: Any) -> None:
    await owner.execute("INSERT INTO schema_migrations (name, checksum) VALUES ('9999_x.sql', '')")
    finding = await one(target, "schema")

    assert finding.level is Level.FAILURE
    assert "newer" in finding.sentence


async def test_a_database_without_a_schema(target: Target, owner: Any) -> None:
    await owner.execute("DROP TABLE schema_migrations")

    assert (await one(target, "schema")).level is Level.FAILURE


async def test_an_invalid_index(target: Target, owner: Any) -> None:
    """Left behind by an interrupted CREATE INDEX CONCURRENTLY."""
    await owner.execute("CREATE INDEX half_built ON deleted_slugs (slug)")
    await owner.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half_built'::regclass"
    )
    finding = await one(target, "schema")

    assert finding.level is Level.WARNING
    assert "half_built" in finding.sentence


@pytest.mark.parametrize("statement", ["DISABLE ROW LEVEL SECURITY", "NO FORCE ROW LEVEL SECURITY"])
async def test_row_level_security_that_is_off(target: Target, owner: Any, statement: str) -> None:
    """Policies stay, and bind nobody."""
    await owner.execute(f"ALTER TABLE users {statement}")
    finding = await one(target, "row_level_security")

    assert finding.level is Level.FAILURE
    assert finding.sentence.endswith("apart: row level security is not forced on users.")
    assert finding.advice.startswith("ALTER TABLE users ENABLE")


async def test_a_role_that_bypasses_row_level_security(target: Target, owner: Any) -> None:
    await owner.execute("ALTER ROLE aero2_rbac BYPASSRLS")
    try:
        finding = await one(target, "row_level_security")
    finally:
        await owner.execute("ALTER ROLE aero2_rbac NOBYPASSRLS")

    assert finding.level is Level.FAILURE
    assert "aero2_rbac is not bound" in finding.sentence


async def test_a_partition_that_a_service_may_read(target: Target, owner: Any) -> None:
    """Partitions have no policies of their own."""
    await owner.execute("GRANT SELECT ON users_p03 TO aero2_oidc")
    finding = await one(target, "row_level_security")

    assert finding.level is Level.FAILURE
    assert "aero2_oidc has a privilege on the partition users_p03" in finding.sentence


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        (
            "CREATE POLICY adding ON users FOR INSERT WITH CHECK (true)",
            "the policy adding of users",
        ),
        ("DROP TABLE consents_p03", "consents has 15 partitions"),
    ],
)
async def test_what_only_the_schema_check_finds(
    target: Target, owner: Any, sql: str, sentence: str
) -> None:
    """`aero2 doctor` and `aero2 migrate` look at the same."""
    await owner.execute(sql)
    finding = await one(target, "row_level_security")

    assert finding.level is Level.FAILURE
    assert f"apart: {sentence}" in finding.sentence


async def test_a_master_key_that_is_missing(target: Target, database: dict[str, str]) -> None:
    """The database knows a key that is not configured. Nothing of a key is shown."""
    first, second = key("k1"), key("k2")
    db = await Database.connect(database["identity"], name="test", size=1)
    await recognize(db, Keys.parse(first))
    await db.close()

    right = await one(replace(target, master_key=f"{second},{first}"), "master_key")
    missing = await one(replace(target, master_key=second), "master_key")
    other = await one(replace(target, master_key=key("k1")), "master_key")
    broken = await one(replace(target, master_key="k1:abc"), "master_key")

    assert right.level is Level.OK
    assert {missing.level, other.level, broken.level} == {Level.FAILURE}
    assert "lacks the key 'k1'" in missing.sentence
    assert "is not the one" in other.sentence
    secret = second.partition(":")[2]
    assert not any(secret in each.sentence + each.advice for each in (missing, other, broken))


async def test_settings_that_lose_what_was_acknowledged(target: Target) -> None:
    """The server of the tests has them all off."""
    finding = await one(target, "durability")

    assert finding.level is Level.FAILURE
    assert "fsync, full_page_writes, synchronous_commit off" in finding.sentence


async def test_connections_that_run_out(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aero2.doctor_database.SCARCE", 0.0)
    finding = await one(target, "connections")

    assert finding.level is Level.WARNING
    assert "max_connections" in finding.advice


async def test_no_backup(target: Target) -> None:
    """Neither an archive nor a standby."""
    finding = await one(target, "backup")

    assert finding.level is Level.WARNING
    assert "neither archives" in finding.sentence


async def sessions(owner: Any, *, users: int, each: int, address: str = "") -> None:
    """Makes sessions of users, from one address or from many."""
    app_id = new_id()
    await owner.execute("SET session_replication_role = replica")  # without users and applications
    for user in (new_id() for _ in range(users)):
        for number in range(each):
            await owner.execute(
                "INSERT INTO user_sessions (app_id, id, user_id, token_hash, kind, ip_address,"
                " expires_at) VALUES ($1, $2, $3, $4, 'full', $5, now() + interval '1 day')",
                app_id,
                new_id(),
                user,
                new_id(),
                address or f"198.51.100.{number}",
            )


async def test_a_proxy_whose_address_everybody_has(target: Target, owner: Any) -> None:
    """Limits would count all people as one client."""
    await sessions(owner, users=6, each=4, address="172.18.0.5")
    finding = await one(target, "client_address")

    assert finding.level is Level.FAILURE
    assert "172.18.0.5" in finding.sentence
    assert "AERO2_TRUSTED_PROXIES" in finding.advice


@pytest.mark.parametrize(
    ("users", "each", "address", "url", "level"),
    [
        (6, 4, "", PUBLIC, Level.OK),
        (6, 4, "9.9.9.9", PUBLIC, Level.OK),  # a company's own address
        (1, 24, "172.18.0.5", PUBLIC, Level.OK),
        (2, 2, "172.18.0.5", PUBLIC, Level.SKIPPED),
        (6, 4, "127.0.0.1", "http://localhost:8080", Level.OK),
    ],
)
async def test_addresses_that_are_no_mistake(
    database: dict[str, str],
    owner: Any,
    users: int,
    each: int,
    address: str,
    url: str,
    level: Level,
) -> None:
    await sessions(owner, users=users, each=each, address=address)
    found = await one(Target(url, database["owner"]), "client_address")

    assert found.level is level


async def test_a_database_that_is_away_is_one_finding(target: Target) -> None:
    """Its checks are not carried out, and no password is shown."""
    dark = replace(target, database_url=with_hosts(target.database_url, free_port()))
    (finding,) = await examine(dark, tuple(DATABASE_CHECKS))

    assert finding.level is Level.FAILURE
    assert finding.check == "database"
    password = target.database_url.split(":")[2].split("@")[0]
    assert password not in finding.sentence


async def test_without_a_database_its_checks_are_skipped() -> None:
    (finding,) = await examine(Target(), ("schema", "pooler"))

    assert finding.level is Level.SKIPPED
