"""`aero2 doctor isolation` on running deployments: whole ones, and some whose isolation is broken."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.kit.instance import Instance, environment

from aero2.dashboard import dashboard
from aero2.isolation.uncovered import UNTRIED

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]
ROOT = Path(__file__).parents[2]


def until(condition: Callable[[], bool]) -> None:
    """Waits until the condition is true."""
    ends = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.3)


def command(instance: Instance, *more: str) -> list[str]:
    words = ["doctor", "isolation", "--data-dir", str(instance.folder), "--rate", "1000", "--json"]
    return [sys.executable, "-m", "aero2", *words, *more]


def run(instance: Instance, *more: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        command(instance, *more), capture_output=True, text=True, env=environment(), check=False
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def left(instance: Instance) -> list[str]:
    """Returns the applications, developers and teams that a run has left."""
    with dashboard(instance.folder) as api:
        found = [
            *api.get("/api/applications?limit=100").json()["applications"],
            *api.get("/api/users?search=isolation-canary").json()["users"],
            *api.get("/api/organizations?limit=100").json()["organizations"],
        ]
    return [text for each in found if "anary" in (text := json.dumps(each))]


def query(instance: Instance, sql: str) -> str:
    words = ["psql", "--data-dir", str(instance.folder), "-At", "-c", sql]
    done = subprocess.run(
        [sys.executable, "-m", "aero2", *words],
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )
    return done.stdout.strip()


def test_nothing_crosses(shared: Instance) -> None:
    """Every operation is tried, its owner can do it or there is a reason, and nothing crosses. Nothing is left,
    and no mail of the Dashboard waits."""
    shared.ready()
    code, report = run(shared)

    assert report["crossings"] == []
    assert report["failed"] == {}
    assert code == 0
    assert report["homes"] == ["main", "main"]
    assert report["not_tried"].keys() == UNTRIED.keys()
    assert len(report["operations"]) > 350
    works = [each for each in report["operations"] if each["control"] == "works"]
    assert len(works) >= len(report["operations"]) - 61
    until(lambda: left(shared) == [])
    assert query(shared, "SELECT count(*) FROM mail_outbox") == "0"
    logs = "".join(file.read_text() for file in (shared.folder / "logs").glob("*.log"))
    assert "isolation.example.invalid" not in logs


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_removes_its_applications(
    shared: Instance, how: signal.Signals
) -> None:
    shared.ready()
    with begun(shared) as process:
        process.send_signal(how)
        assert process.wait(120) != 0
    until(lambda: left(shared) == [])


def test_the_next_run_removes_what_a_killed_one_left(shared: Instance) -> None:
    """The applications of others stay, also one that has the same name."""
    shared.ready()
    with begun(shared) as process:
        process.kill()
        process.wait(30)
    assert left(shared) != []
    with dashboard(shared.folder) as api:
        teams = api.post("/api/organizations", json={"name": "Birds"}).json()
        made = {"name": "Isolation canary", "slug": "birds", "owner_org_id": teams["id"]}
        assert api.post("/api/applications", json=made).status_code == 201
    with begun(shared) as process:
        process.send_signal(signal.SIGINT)
        process.wait(120)

    until(lambda: len(left(shared)) == 1)
    assert "birds" in left(shared)[0]
    with dashboard(shared.folder) as api:
        assert api.delete("/api/applications/birds?confirm=birds").is_success


@contextmanager
def begun(instance: Instance) -> Iterator[subprocess.Popen[bytes]]:
    """A run that has made both of its applications. Those of an earlier one are gone then."""
    earlier = _slugs(instance)
    process = subprocess.Popen(
        command(instance),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def has_both() -> bool:
        assert process.poll() is None
        return len(_slugs(instance) - earlier) == 2

    try:
        until(has_both)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _slugs(instance: Instance) -> set[str]:
    return set(re.findall(r"isolation-canary-[0-9a-f]{8}-[ab](?=\")", "".join(left(instance))))


@dataclass(frozen=True)
class Break:
    """A change of one file that breaks the isolation of a deployment, and what must be found."""

    file: str
    old: str
    new: str
    found: tuple[str, str]
    """An operation, and part of what is said about it."""
    sql: str = ""


BREAKS = {
    "a key works at every host": Break(
        "gateway/auth/caller.py",
        "    if holder.app_id != request.app.app_id:\n        raise NotFound\n",
        "",
        ("GET /api/users/{id}", "answers 200 with"),
    ),
    "a user is found in every application": Break(
        "identity/queries/users.py",
        "FROM users u WHERE u.app_id = $1 AND u.id = $2\n",
        "FROM users u WHERE u.id = $2\n",
        ("GET /api/users/{id}", "answers 200 with"),
        "ALTER ROLE aero2_identity BYPASSRLS",
    ),
    "a resource of every application is deleted": Break(
        "oidc/queries/resources.py",
        "DELETE FROM resources WHERE app_id = $1 AND id = $2",
        "DELETE FROM resources WHERE $1::uuid IS NOT NULL AND id = $2",
        ("GET /api/resources", "reads otherwise after the attempts"),
        "ALTER ROLE aero2_oidc BYPASSRLS",
    ),
}


@pytest.fixture(params=BREAKS)
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Instance, Break]]:
    """A deployment on a copy of one service with one change."""
    how = BREAKS[request.param]
    service, _, _ = how.file.partition("/")
    shutil.copytree(ROOT / "services" / service, tmp_path / "code" / service)
    file = tmp_path / "code" / how.file
    text = file.read_text()
    assert how.old in text
    file.write_text(text.replace(how.old, how.new, 1))
    paths = os.pathsep.join([str(tmp_path / "code"), environment()["PYTHONPATH"]])
    instance = Instance(tmp_path / "data", settings={"PYTHONPATH": paths}).start()
    try:
        instance.ready()
        if how.sql:
            query(instance, how.sql)
        yield instance, how
    finally:
        instance.stop(signal.SIGTERM)


def test_broken_isolation_is_found(broken: tuple[Instance, Break]) -> None:
    """It names the operation, and exits with 1. The applications are removed all the same."""
    instance, how = broken
    code, report = run(instance)

    operation, what = how.found
    said = [each["what"] for each in report["crossings"] if each["operation"] == operation]
    assert code == 1
    assert any(what in each for each in said), report["crossings"][:20]
    until(lambda: left(instance) == [])
