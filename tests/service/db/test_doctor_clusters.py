"""`aero2 doctor`, `aero2 status` and `aero2 psql` with several database clusters (docs/adr/0032)."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from rich.console import Console
from tests.kit.homes import WEST, TwoClusters
from tests.kit.nats_server import free_port

from aero2 import psql
from aero2.cluster_report import ClusterStatus, Standby, clusters_of
from aero2.deployment import Deployment
from aero2.doctor import examine
from aero2.doctor_findings import Level
from aero2.doctor_screen import show as show_findings
from aero2.doctor_target import Target, from_environment
from aero2.failures import CommandError
from aero2.status import Status
from aero2.status_screen import show as show_status
from common.ids import new_id

OWNER = "AERO2_OWNER_DATABASE_URL"


@pytest.fixture
def urls(two_clusters: TwoClusters) -> Iterator[dict[str, str]]:
    """The owner's URL in each of two clusters, with databases of the test's own."""
    name = two_clusters.clone()
    dsns = two_clusters.dsns(name)
    yield {"main": dsns["owner"], WEST: dsns[f"owner@{WEST}"]}
    two_clusters.drop(name)


@pytest.fixture
def target(urls: dict[str, str]) -> Target:
    return Target(
        public_url="https://id.example.com",
        database_url=urls["main"],
        clusters={WEST: urls[WEST]},
    )


def environment(monkeypatch: pytest.MonkeyPatch, urls: dict[str, str]) -> None:
    monkeypatch.setenv(OWNER, urls["main"])
    monkeypatch.setenv(f"{OWNER}_WEST", urls[WEST])


async def test_each_cluster_is_looked_at_and_named(target: Target, urls: dict[str, str]) -> None:
    """What is wrong in one of them is not said about the other."""
    west = await asyncpg.connect(urls[WEST])
    await west.execute("ALTER TABLE users DISABLE ROW LEVEL SECURITY")
    await west.close()
    findings = await examine(target, ("schema", "row_level_security", "cluster"))
    text = StringIO()
    show_findings(findings, Console(file=text, width=200))

    levels = {(each.cluster, each.check): each.level for each in findings}
    assert levels == {
        ("main", "cluster"): Level.OK,
        ("main", "schema"): Level.OK,
        ("main", "row_level_security"): Level.OK,
        (WEST, "cluster"): Level.OK,
        (WEST, "schema"): Level.OK,
        (WEST, "row_level_security"): Level.FAILURE,
    }
    assert "west: The schema does not keep applications apart" in text.getvalue()


async def test_a_cluster_that_does_not_answer(target: Target) -> None:
    """The others are looked at all the same. No password is shown."""
    away = f"postgresql://postgres:top-secret@127.0.0.1:{free_port()}/aero2"
    findings = await examine(replace(target, clusters={WEST: away}), ("schema",))

    assert [(each.cluster, each.level) for each in findings] == [
        ("main", Level.OK),
        (WEST, Level.FAILURE),
    ]
    assert "top-secret" not in str(findings)


async def test_a_url_that_leads_to_another_cluster(target: Target, urls: dict[str, str]) -> None:
    """Services would refuse to start, and an operator would repair the wrong database."""
    (main, west) = await examine(replace(target, clusters={WEST: urls["main"]}), ("cluster",))

    assert main.level is Level.OK
    assert west.level is Level.FAILURE
    assert west.sentence == "The URL of the cluster west leads to main."
    assert f"{OWNER}_WEST" in west.advice


async def test_a_cluster_that_nobody_names(target: Target, urls: dict[str, str]) -> None:
    """`main` knows that it is somebody's home. With one cluster, findings name none."""
    main = await asyncpg.connect(urls["main"])
    await main.execute("INSERT INTO clusters (name, is_this) VALUES ('east', false)")
    await main.close()
    (finding,) = await examine(replace(target, clusters={}), ("cluster",))

    assert finding.level is Level.SKIPPED
    assert f"{OWNER}_EAST" in finding.sentence
    assert finding.cluster == ""


def test_the_environment_names_clusters() -> None:
    found = from_environment({OWNER: "postgresql://a/b", f"{OWNER}_WEST": "postgresql://c/d"})

    assert (found.database_url, dict(found.clusters)) == (
        "postgresql://a/b",
        {"west": "postgresql://c/d"},
    )
    assert [each.cluster for each in found.databases()] == ["main", "west"]
    with pytest.raises(CommandError, match=f"{OWNER}_MAIN"):
        from_environment({OWNER: "postgresql://a/b", f"{OWNER}_MAIN": "postgresql://c/d"})


def test_status_shows_each_cluster(monkeypatch: pytest.MonkeyPatch, urls: dict[str, str]) -> None:
    environment(monkeypatch, urls)
    monkeypatch.setenv(f"{OWNER}_AWAY", f"postgresql://a:top-secret@127.0.0.1:{free_port()}/a")
    main, away, west = clusters_of(Deployment(api=None))  # type: ignore[arg-type]

    assert (main.name, main.problem, main.missing, main.standbys) == ("main", "", [], [])
    assert (west.name, west.problem, west.missing) == (WEST, "", [])
    assert away.problem
    assert "top-secret" not in away.problem
    assert main.warnings() == west.warnings() == []
    assert away.warnings()[0].startswith("the database cluster away cannot be looked at")


def test_status_without_urls_shows_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OWNER, raising=False)

    assert clusters_of(Deployment(api=None)) == []  # type: ignore[arg-type]


def test_the_text_of_status_has_lag_and_what_is_missing() -> None:
    standby = Standby("r2", "streaming", "async", 3_000_000, 12.0)
    clusters = [
        ClusterStatus("main", version="18.1", wants_synchronous=True, standbys=[standby]),
        ClusterStatus("west", version="18.1", missing=["0002_x.sql"]),
        ClusterStatus("east", "connection refused"),
    ]
    status = Status("http://dashboard", healthy=True, reason="", clusters=clusters)
    out = StringIO()
    show_status(status, Console(file=out, width=200))
    warnings = [sentence for each in clusters for sentence in each.warnings()]

    assert "r2 streaming (async), " in out.getvalue()
    assert "behind for 12" in out.getvalue()
    assert "west: PostgreSQL 18.1, lacks 1 migrations, no standby" in out.getvalue()
    assert "east: connection refused" in out.getvalue()
    assert "no standby of the database cluster main is synchronous" in warnings
    assert len(warnings) == 3


class Executed(Exception):
    """psql would have been started."""


def started(monkeypatch: pytest.MonkeyPatch, *words: Any) -> tuple[list[str], dict[str, str]]:
    def execve(_: str, arguments: list[str], environment: dict[str, str]) -> None:
        raise Executed(arguments, environment)

    monkeypatch.setattr(os, "execve", execve)
    with pytest.raises(Executed) as caught:
        psql.open_psql(Path("nowhere"), *words)
    arguments, variables = caught.value.args
    return arguments, variables


def test_psql_opens_a_cluster(monkeypatch: pytest.MonkeyPatch, urls: dict[str, str]) -> None:
    """The password is in no argument: other users of the machine see those."""
    environment(monkeypatch, urls)
    sql = ["-At", "-c", "SELECT name FROM clusters WHERE is_this"]
    names = {}
    for cluster in ("main", WEST):
        arguments, variables = started(monkeypatch, None, sql, cluster)
        done = subprocess.run(
            arguments, env=variables, capture_output=True, text=True, timeout=60, check=True
        )
        names[cluster] = done.stdout.strip()
        password = variables.get("PGPASSWORD", "")
        assert not password or password not in " ".join(arguments)

    assert names == {"main": "main", WEST: WEST}


async def _application(url: str, slug: str, home: str) -> None:
    db = await asyncpg.connect(url)
    await db.execute("INSERT INTO clusters (name, is_this) VALUES ('west', false)")
    await db.execute(
        "INSERT INTO applications (id, slug, name, home) VALUES ($1, $2, $2, $3)",
        new_id(),
        slug,
        home,
    )
    await db.close()


async def test_psql_of_an_application_on_another_cluster(
    monkeypatch: pytest.MonkeyPatch, urls: dict[str, str]
) -> None:
    """Its rows are not there: that is said, and not shown as an empty table."""
    environment(monkeypatch, urls)
    await _application(urls["main"], "far-away", WEST)
    _, variables = await asyncio.to_thread(started, monkeypatch, "far-away", [], WEST)
    with pytest.raises(CommandError, match="--cluster west"):
        await asyncio.to_thread(psql.open_psql, Path("nowhere"), "far-away", [], "main")
    with pytest.raises(CommandError, match=f"{OWNER}_EAST"):
        await asyncio.to_thread(psql.open_psql, Path("nowhere"), None, [], "east")

    assert "aero2.app_id=" in variables["PGOPTIONS"]
