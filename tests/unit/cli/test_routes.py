"""`aero2 routes` prints every route of the gateway."""

from __future__ import annotations

import importlib
import json
from operator import attrgetter

from typer.testing import CliRunner

from aero2.__main__ import app
from gateway.build import api_paths, route_table


def listed() -> list[dict[str, str]]:
    outcome = CliRunner().invoke(app, ["routes", "--json"])
    assert outcome.exit_code == 0
    return json.loads(outcome.output)  # type: ignore[no-any-return]


def test_every_route_is_listed_once() -> None:
    """Those that the gateway dispatches itself, those of the internal listener, and the JSON API's."""
    rows = [(row["host"], row["method"], row["path"]) for row in listed()]
    dispatched = route_table(internal=False).paths() | route_table(internal=True).paths()

    assert len(rows) == len(set(rows))
    assert dispatched | {path for path in api_paths() if path.startswith("/api/")} == {
        path for _, _, path in rows
    }


def test_a_route_names_its_handler() -> None:
    """Each handler can be imported by the name that is printed."""
    handlers = {row["handler"] for row in listed() if "<locals>" not in row["handler"]}

    assert "gateway.oauth.token:token" in handlers
    assert len(handlers) > 150
    for handler in handlers:
        module, _, function = handler.partition(":")
        assert callable(attrgetter(function)(importlib.import_module(module)))


def test_a_route_names_its_host_and_its_errors() -> None:
    """One of each kind of host, with the style in which it shows a problem."""
    rows = {(row["host"], row["method"], row["path"]): row["errors"] for row in listed()}

    assert rows["application", "POST", "/oauth2/token"] == "oauth"
    assert rows["application", "GET", "/oauth2/userinfo"] == "bearer"
    assert rows["application", "GET", "/login"] == "page"
    assert rows["dashboard", "GET", "/api/applications/{slug}/users"] == "problem"
    assert rows["any", "GET", "/health"] == "page"
    assert rows["internal", "GET", "/metrics"] == "problem"


def test_the_table_has_the_same_routes() -> None:
    """One line for each, below a line with the columns."""
    outcome = CliRunner().invoke(app, ["routes"])
    lines = outcome.output.splitlines()

    assert lines[0].split() == ["HOST", "METHOD", "PATH", "HANDLER", "ERRORS"]
    assert [line.split()[:3] for line in lines[1:]] == [
        [row["host"], row["method"], row["path"]] for row in listed()
    ]
