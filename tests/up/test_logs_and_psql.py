"""`aero2 logs` and `aero2 psql` on a running platform."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tests.kit.form_browser import browser
from tests.kit.instance import Instance, environment

pytestmark = pytest.mark.timeout(240)


def aero2(instance: Instance, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aero2", *arguments, "--data-dir", str(instance.folder)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)


def test_the_reference_of_an_error_page_leads_to_its_log_lines(shared: Instance) -> None:
    """`aero2 logs --trace` finds the trace of a request in the gateway and in the services behind
    it."""
    summary = shared.ready()
    trace = "4ba94d6b8eaf052ccf1809c98d6b2053"
    with browser() as client:
        client.get(
            f"{summary['demo']['url']}/api/users",
            headers={
                "traceparent": f"00-{trace}-00f067aa0ba902b7-01",
                "authorization": f"Bearer {summary['demo']['secret_key']}",
            },
        )
    services: set[str] = set()
    for _ in range(20):  # lines are written in batches
        shown = aero2(shared, "logs", "--trace", trace, "--json")
        services = {json.loads(line)["service"] for line in shown.stdout.splitlines()}
        if {"gateway", "identity"} <= services:
            break

    assert {"gateway", "identity"} <= services


def test_psql_sees_all_rows_or_those_of_one_application(shared: Instance) -> None:
    """With --app, row level security binds the session as it binds the services."""
    shared.ready()
    count = ["-At", "-c", "SELECT count(DISTINCT app_id) FROM roles"]
    everything = aero2(shared, "psql", *count)
    one = aero2(shared, "psql", "--app", "demo", *count)
    user = aero2(shared, "psql", "--app", "demo", "-At", "-c", "SELECT current_user")

    assert int(everything.stdout) > 1, everything.stderr
    assert one.stdout == "1\n", one.stderr
    assert user.stdout == "aero2_owner\n"


def test_psql_says_what_is_missing(shared: Instance) -> None:
    """The command exits with 1 and one sentence."""
    unknown = aero2(shared, "psql", "--app", "nobody-has-this")

    assert unknown.returncode == 1
    assert unknown.stderr == "There is no application with the slug nobody-has-this.\n"
