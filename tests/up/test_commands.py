"""Commands that speak to a running deployment, where there is none."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from aero2.__main__ import app


@pytest.mark.parametrize("command", ["owner-link", "demo"])
@pytest.mark.parametrize(
    ("url", "said"),
    [(None, "AERO2_NATS_URL is not set"), ("nats://127.0.0.1:1", "cannot be reached")],
)
def test_no_deployment_is_a_sentence(command: str, url: str | None, said: str) -> None:
    """Exit 1 and one sentence that says what is missing."""
    ran = CliRunner().invoke(app, [command], env={"AERO2_NATS_URL": url})

    assert ran.exit_code == 1
    assert said in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1
