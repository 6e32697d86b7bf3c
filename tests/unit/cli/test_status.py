"""`aero2 status` tells what an operator needs, whatever the deployment answers."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from aero2.__main__ import app
from aero2.deployment import Deployment, LocalProcess
from aero2.failures import CommandError
from aero2.status import WARNINGS, Status, status_of
from aero2.status_screen import show
from gateway.platform_health import WarningCode

READY = {"status": "healthy", "checks": {"bus": "ok", "rbac": "ok"}}
REPORT: dict[str, Any] = {
    "warnings": [],
    "instances": [
        {
            "service": "rbac",
            "replica": "0",
            "version": "0.1.0",
            "answers": True,
            "started_at": "2026-01-01T00:00:00Z",
            "requests": 1234,
            "errors": 5,
            "mean_ms": 2.5,
        },
        {"service": "rbac", "replica": "1", "answers": False},
    ],
    "queues": {
        "relay": {"oidc": {"waiting": 3, "age": 45.0}, "rbac": {"waiting": 0, "age": 0.0}},
        "mail": {"waiting": 0, "age": 0.0},
    },
    "stream": {"messages": 12, "size_bytes": 3_400_000, "last_at": "2026-01-02T03:04:05Z"},
    "database": {
        "version": "18.6",
        "size_bytes": 5_000_000,
        "connections": 21,
        "max_connections": 120,
    },
}


def deployment(
    report: Any = REPORT, ready: Any = READY, *, status: int = 200, report_status: int = 200
) -> Deployment:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/health":
            return httpx.Response(status, json=ready)
        return httpx.Response(report_status, json=report)

    transport = httpx.MockTransport(answer)
    return Deployment(httpx.Client(transport=transport, base_url="http://dashboard.test"))


def text(status: Status) -> str:
    output = io.StringIO()
    show(status, Console(file=output, width=100, highlight=False))
    return output.getvalue()


def test_one_screen_has_all() -> None:
    """Processes with figures, queues that are not empty, stream and database."""
    shown = text(status_of(deployment()))

    assert "http://dashboard.test  healthy" in shown
    assert [line.split()[:2] for line in shown.splitlines()[2:4]] == [
        ["rbac", "answers"],
        ["rbac-1", "silent"],
    ]
    assert "1,234" in shown
    assert "3 events of oidc, the oldest for 45 s" in shown
    assert "12 messages, 3 MB, the newest at 2026-01-02T03:04:05" in shown
    assert "PostgreSQL 18.6, 5 MB, 21 of 120 connections" in shown
    assert len(shown.splitlines()) < 24


def test_each_warning_of_the_platform_has_a_sentence() -> None:
    """A new code of the API needs one here. An unknown one is shown as it is."""
    assert set(WARNINGS) == set(get_args(WarningCode))
    warned = REPORT | {"warnings": [{"code": "relay_late", "about": "oidc"}, {"code": "new"}]}

    shown = text(status_of(deployment(warned)))

    assert "an audit event of oidc waits for the stream" in shown
    assert "new" in shown


def test_what_is_not_healthy_is_named() -> None:
    """The status is that of /health, and says which part fails."""
    failing = {"status": "unhealthy", "checks": {"bus": "ok", "rbac": "unavailable"}}
    status = status_of(deployment(ready=failing, status=503))

    assert not status.healthy
    assert status.reason == "rbac is unavailable"
    assert "NOT HEALTHY: rbac is unavailable" in text(status)


def test_a_report_that_nobody_may_read_now_is_a_warning() -> None:
    """While identity or rbac is away, no key is known."""
    status = status_of(deployment({"detail": "away"}, report_status=503))

    assert status.processes == []
    assert status.warnings == ["the processes cannot be listed: Aero2 answered 503"]
    assert "unknown" in text(status)


@pytest.mark.parametrize("code", [401, 403, 404])
def test_a_key_without_the_right_is_a_sentence(code: int) -> None:
    with pytest.raises(CommandError, match="platform:manage"):
        status_of(deployment({}, report_status=code))


@pytest.mark.parametrize("answer", [[], "x", None, {"instances": 3, "warnings": {"a": 1}}])
def test_an_answer_of_something_else_is_not_healthy(answer: Any) -> None:
    """Another program on the port does not break the command."""
    status = status_of(deployment(answer, ready=answer))

    assert not status.healthy
    assert text(status)


def test_control_characters_do_not_reach_the_terminal() -> None:
    """Names come from other processes. None can colour, move or clear the screen."""
    evil = "\x1b[2J\x1b]0;x\x07[red]"
    instance = {"service": evil, "replica": evil, "version": evil, "answers": True}
    report = REPORT | {
        "instances": [instance],
        "warnings": [{"code": evil, "about": evil}, {"code": "relay_late", "about": evil}],
        "database": {"version": evil},
        "stream": {"last_at": evil},
        "queues": {"relay": {evil: {"waiting": 1, "age": evil}}},
    }
    shown = text(status_of(deployment(report, {"status": evil, "checks": {evil: evil}})))

    assert not set(shown) & set("\x1b\x07")
    assert "[red]" in shown  # not taken for a style


def test_without_a_gateway_the_processes_of_this_machine_are_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A dead gateway is when an operator looks. Elsewhere, where nothing can be listed, it is an error."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    client = httpx.Client(transport=httpx.MockTransport(refuse), base_url="http://dashboard.test")
    with pytest.raises(CommandError, match="cannot be reached"):
        status_of(Deployment(client))
    here = [LocalProcess("postgres", 1, 60.0, 1.0, 1000)]
    monkeypatch.setattr(Deployment, "processes", lambda self: here)
    status = status_of(Deployment(client))

    assert not status.healthy
    assert [row.name for row in status.processes] == ["postgres"]
    assert "cannot be reached" in text(status)


def test_a_folder_where_nothing_runs_is_a_sentence(tmp_path: Path) -> None:
    """It exits with 1, prints one sentence and makes nothing."""
    runner = CliRunner()
    missing = runner.invoke(app, ["status", "--data-dir", str(tmp_path / "none")])
    (tmp_path / "lock").write_text(json.dumps({"pid": 1, "url": "http://localhost:1"}))
    stopped = runner.invoke(app, ["status", "--data-dir", str(tmp_path), "--json"])

    assert (missing.exit_code, stopped.exit_code) == (1, 1)
    assert "is no data folder" in missing.stderr
    assert "does not run" in stopped.stderr
    assert stopped.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
