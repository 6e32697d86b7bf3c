"""Commands that need a running deployment, when there is none."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from aero2.__main__ import app
from aero2.api import call
from aero2.failures import CommandError


@pytest.mark.parametrize("command", ["owner-link", "demo"])
@pytest.mark.parametrize(
    ("url", "said"),
    [(None, "AERO2_NATS_URL is not set"), ("nats://127.0.0.1:1", "cannot be reached")],
)
def test_no_deployment_is_a_sentence(command: str, url: str | None, said: str) -> None:
    """The command exits with 1 and one sentence that says what is missing."""
    ran = CliRunner().invoke(app, [command], env={"AERO2_NATS_URL": url})

    assert ran.exit_code == 1
    assert said in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


APPLICATION_COMMANDS = [
    ["apps", "list"],
    ["apps", "create", "Shop"],
    ["clients", "create", "shop", "Website"],
    ["clients", "list", "shop"],
    ["clients", "initial-token", "shop", "Build server"],
    ["invite", "shop", "ada@example.com"],
]


@pytest.mark.parametrize("command", APPLICATION_COMMANDS)
@pytest.mark.parametrize(
    ("url", "key", "said"),
    [
        (None, None, "AERO2_URL is not set"),
        ("http://127.0.0.1:1", None, "AERO2_SECRET_KEY is not set"),
        (None, "sk_live_x", "AERO2_URL is not set"),
    ],
)
def test_no_dashboard_is_a_sentence(
    command: list[str],
    url: str | None,
    key: str | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command exits with 1 and one sentence, and creates no folder."""
    monkeypatch.chdir(tmp_path)
    env = {"AERO2_URL": url, "AERO2_SECRET_KEY": key}
    ran = CliRunner().invoke(app, command, env=env)

    assert ran.exit_code == 1
    assert said in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_names_the_field() -> None:
    """The error names the field and says what is wrong."""
    problem = {
        "detail": "Some fields are not valid.",
        "errors": [{"field": "slug", "message": "Use letters, digits and hyphens."}],
    }
    transport = httpx.MockTransport(lambda request: httpx.Response(422, json=problem))
    api = httpx.Client(transport=transport, base_url="http://dashboard.test")

    with pytest.raises(CommandError, match=r"not valid\. slug: Use letters, digits and hyphens\.$"):
        call(api, "POST", "/api/applications", json={})
