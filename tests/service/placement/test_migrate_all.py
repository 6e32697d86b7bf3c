"""`aero2 migrate` brings the databases of all clusters to this version, that of `main` last."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kit.postgres import Postgres
from tests.service.db.catalogue import describe

from aero2 import migrate as migrations
from aero2.migrate import folder, migrate
from aero2.migrate_command import migrate_all
from aero2.owner_urls import BadCluster, owner_urls
from aero2.schema_files import MigrationError


@pytest.fixture
def empty(postgres: Postgres) -> Iterator[dict[str, str]]:
    """The owner's DSNs of two empty databases, by cluster."""
    names = {
        cluster: postgres.create(f"{cluster}_{os.urandom(4).hex()}") for cluster in ("west", "main")
    }
    yield {cluster: postgres.dsn("owner", name) for cluster, name in names.items()}
    for name in names.values():
        postgres.drop(name)


def name_of(postgres: Postgres, url: str) -> str:
    return postgres.query("SELECT string_agg(name, ' ') FROM clusters", url.rpartition("/")[2])


async def test_each_database_gets_its_name(postgres: Postgres, empty: dict[str, str]) -> None:
    """New databases are made from the same schema, and know which cluster they are. A second run does
    nothing."""
    lines: list[str] = []
    assert await migrate_all(empty, {}, report=lines.append) == ["west: schema.sql", "schema.sql"]
    assert lines[0].startswith("west: ")
    assert await migrate_all(empty, {}) == []

    assert [name_of(postgres, empty[cluster]) for cluster in ("west", "main")] == ["west", "main"]
    assert await describe(empty["west"]) == await describe(empty["main"])


async def test_a_database_keeps_its_name(empty: dict[str, str]) -> None:
    """URLs that were mixed up are refused, before a cluster gets the applications of another."""
    await migrate_all(empty, {})

    with pytest.raises(MigrationError, match="cluster west, and not of main"):
        await migrate(empty["west"], {})
    with pytest.raises(MigrationError, match="cluster main, and not of west"):
        await migrate_all({"west": empty["main"], "main": empty["main"]}, {})


async def test_no_cluster_in_use_is_left_behind(
    postgres: Postgres, empty: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the URL of a cluster where somebody lives, nothing is migrated. With it, that cluster is
    migrated first: one that lacks what `main` has would be refused by the services."""
    await migrate_all(empty, {})
    postgres.query("INSERT INTO clusters (name) VALUES ('west')", empty["main"].rpartition("/")[2])
    later = Path(shutil.copytree(folder(), tmp_path / "db"))
    change = "COMMENT ON TABLE clusters IS 'later';"
    with (later / "schema.sql").open("a") as schema:
        schema.write(change)
    (later / "migrations" / "9999_later.sql").write_text(f"-- phase: expand\n{change}")
    monkeypatch.setattr(migrations, "folder", lambda: later)

    with pytest.raises(MigrationError, match="AERO2_OWNER_DATABASE_URL_WEST"):
        await migrate_all({"main": empty["main"]}, {})
    assert await migrations.missing(empty["main"], source=later) == ["9999_later.sql"]

    assert await migrate_all(empty, {}) == ["west: 9999_later.sql", "9999_later.sql"]


def test_the_clusters_are_named_by_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """`main` is the last. An empty variable names no cluster."""
    base, url = "AERO2_OWNER_DATABASE_URL", "postgresql://owner:secret@main/aero2"
    monkeypatch.delenv(base, raising=False)
    monkeypatch.setenv(f"{base}_WEST", west := "postgresql://owner@west/aero2")
    monkeypatch.setenv(f"{base}_EAST", "")
    assert owner_urls() == {}

    monkeypatch.setenv(base, url)
    assert list(owner_urls().items()) == [("west", west), ("main", url)]
    monkeypatch.setenv("AERO2_OWNER_DATABASE_PASSWORD_WEST", "own")
    assert owner_urls()["west"] == "postgresql://owner:own@west/aero2"

    monkeypatch.setenv(f"{base}_MAIN", "x")
    with pytest.raises(BadCluster, match="_MAIN: a further cluster has"):
        owner_urls()
