"""`aero2 status`, `top` and `doctor` on a running deployment."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from typing import Any

import pytest
from tests.kit.instance import Instance, environment

pytestmark = pytest.mark.timeout(240)


def aero2(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aero2", *words],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment() | env,
    )


def status(instance: Instance, **env: str) -> tuple[int, dict[str, Any]]:
    done = aero2("status", "--json", "--data-dir", str(instance.folder), **env)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_status_of_a_healthy_deployment(shared: Instance) -> None:
    """Every process with its pid, and every part with its figures. By URL and key it is the same,
    without what only this machine knows."""
    summary = shared.ready()
    code, here = status(shared)
    key = json.loads((shared.folder / "dashboard-keys.json").read_text())["secret_key"]
    elsewhere = aero2("status", AERO2_URL=summary["dashboard_url"], AERO2_SECRET_KEY=key)

    assert code == 0
    assert here["healthy"]
    assert here["warnings"] == []
    pids = {row["name"]: row["pid"] for row in here["processes"]}
    assert pids == shared.children()
    answering = {row["name"] for row in here["processes"] if row["state"] == "answers"}
    assert answering == {"gateway", "identity", "oidc", "rbac", "tenancy"}
    assert all(row["uptime"] > 0 and row["memory_bytes"] > 1e6 for row in here["processes"])
    assert here["stream"]["messages"] > 0
    assert here["database"]["connections"] > 0
    assert here["ports"]["metrics"]
    assert elsewhere.returncode == 0, elsewhere.stderr
    assert "tenancy   answers" in elsewhere.stdout
    assert "postgres " not in elsewhere.stdout


def test_status_of_a_deployment_without_a_service(shared: Instance) -> None:
    """Nobody can sign in: it exits with 1 and names the part."""
    shared.ready()
    pid = shared.children()["oidc"]
    os.kill(pid, signal.SIGSTOP)
    try:
        code, found = status(shared)
    finally:
        os.kill(pid, signal.SIGCONT)

    assert code == 1
    assert not found["healthy"]
    assert found["reason"].startswith("oidc is ")
    assert "no process of oidc answers" in found["warnings"]


def test_a_wrong_key_is_a_sentence(shared: Instance) -> None:
    summary = shared.ready()
    url = summary["dashboard_url"]
    done = aero2("status", AERO2_URL=url, AERO2_SECRET_KEY=summary["demo"]["secret_key"])

    assert done.returncode == 1
    assert "secret key of the Dashboard" in done.stderr


def test_top_prints_one_table_without_a_terminal(shared: Instance) -> None:
    """Requests in between are in it, and so are all processes."""
    summary = shared.ready()
    requests = [sys.executable, "-c", REQUESTS, summary["demo"]["url"]]
    with subprocess.Popen(requests) as running:
        done = aero2("top", "--interval", "3", "--data-dir", str(shared.folder))
        running.terminate()

    assert done.returncode == 0, done.stderr
    rows = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    assert rows.keys() >= {"GET /login", "gateway", "identity", "oidc", "rbac", "tenancy", "mail"}


REQUESTS = """
import sys, time
from tests.kit.form_browser import browser
with browser() as client:
    while True:
        client.get(sys.argv[1] + "/login")
        time.sleep(0.1)
"""


def test_top_on_a_terminal_ends_with_q(shared: Instance) -> None:
    """It shows figures, takes a sort key, and leaves the terminal as it was."""
    shared.ready()
    near, far = pty.openpty()
    before = termios.tcgetattr(far)
    command = [sys.executable, "-m", "aero2", "top", "--interval", "0.5"]
    command += ["--data-dir", str(shared.folder)]
    env = environment() | {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    with subprocess.Popen(command, stdin=far, stdout=far, stderr=far, env=env) as running:
        shown = _shown_until(near, "sorted by rate")
        os.write(near, b"p")
        shown += _shown_until(near, "sorted by p95")
        os.write(near, b"q")
        assert running.wait(60) == 0, shown

    assert termios.tcgetattr(far) == before


def _shown_until(terminal: int, text: str) -> str:
    shown, ends = "", time.monotonic() + 60
    while text not in shown:
        assert time.monotonic() < ends, shown
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 65_536).decode(errors="replace")
    return shown


def test_doctor_finds_nothing_wrong_here(shared: Instance) -> None:
    """A fresh deployment has no failure, and the one warning that it has no backup. It changes nothing:
    the database refuses to write in its session."""
    shared.ready()
    done = aero2("doctor", "--json", "--data-dir", str(shared.folder))
    findings = json.loads(done.stdout)

    assert done.returncode == 0, done.stdout
    levels = {each["check"]: each["level"] for each in findings}
    assert {name for name, level in levels.items() if level == "warning"} <= {"backup", "disk"}
    assert {name for name, level in levels.items() if level == "skipped"} == {
        "wildcard_dns",
        "certificate",
        "mail",
        "client_address",
    }


def test_doctor_finds_a_mistake_in_a_running_deployment(shared: Instance) -> None:
    shared.ready()
    file = shared.folder / "secrets.json"
    file.chmod(0o644)
    try:
        done = aero2("doctor", "--data-dir", str(shared.folder))
    finally:
        file.chmod(0o600)

    assert done.returncode == 1
    assert f"Others on this machine may read {file}" in done.stdout
    assert "chmod 600" in done.stdout
