"""`aero2 up` gives the demo application an identity provider, and the Dashboard those of `--idp`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.kit.form_browser import browser, sign_in
from tests.kit.instance import Instance, environment

ROWS = "SELECT name, issuer, trusts_email FROM identity_providers"

pytestmark = pytest.mark.timeout(240)


def rows(shared: Instance) -> str:
    """Returns the demo's identity providers."""
    command = [sys.executable, "-m", "aero2", "psql", "--data-dir", str(shared.folder)]
    command += ["--app", "demo", "-At", "-c", ROWS]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_acme_is_a_provider_of_the_demo_application(shared: Instance) -> None:
    """The demo has one provider, an application of the same deployment. Identity reaches it at the
    gateway. Its printed user can sign in there."""
    demo = shared.ready()["demo"]
    expected = f"acme|http://acme.localhost:{shared.port}|t\n"
    assert rows(shared) == expected
    found = re.search(r"^Acme user +(\S+) +password (\S+)$", shared.log.read_text(), re.M)
    assert found is not None
    with browser() as client:
        acme = f"http://acme.localhost:{shared.port}"
        sign_in(client, acme, *found.groups())
        session = client.get(f"{acme}/api/auth/session")
        bearer = {"Authorization": f"Bearer {demo['secret_key']}"}
        report = client.post(f"{demo['url']}/api/idps/acme/test", headers=bearer).json()
    assert session.status_code == 200, session.text
    assert report["passed"], report


@pytest.mark.parametrize(
    ("idp", "sentence"),
    [
        ("gitbuh:id:secret", "--idp: 'gitbuh' is none of "),
        ("github:id:absent", "--idp: github: the secret's file cannot be read: No such file"),
    ],
)
def test_a_mistake_in_a_provider_is_one_sentence(tmp_path: Path, idp: str, sentence: str) -> None:
    """The start is refused before anything runs."""
    command = [sys.executable, "-m", "aero2", "up", "--data-dir", str(tmp_path / "data"), "--idp"]
    done = subprocess.run(
        [*command, idp], capture_output=True, text=True, check=False, env=environment()
    )

    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()
