"""The documented way to replace the master key, on a running platform."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.kit.form_browser import browser, sign_in, submit
from tests.kit.instance import Instance, environment

pytestmark = pytest.mark.timeout(400)

PASSWORD = "six unusual otters juggle"
VERIFIER = "v" * 43
CALLBACK = "http://localhost:8000/callback"


def aero2(instance: Instance, *arguments: str) -> str:
    command = [sys.executable, "-m", "aero2", *arguments, "--data-dir", str(instance.folder)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refresh_token(client: httpx.Client, demo: dict[str, Any]) -> str:
    """Returns a refresh token of the user who is signed in in the browser."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=")
    asked = {
        "client_id": demo["client_id"],
        "response_type": "code",
        "scope": "openid offline_access",
        "redirect_uri": CALLBACK,
        "code_challenge": challenge.decode(),
        "code_challenge_method": "S256",
    }
    client.follow_redirects = False
    answer = client.get(f"{demo['url']}/oauth2/authorize", params=asked)
    while answer.status_code != 303 or not answer.headers["location"].startswith(CALLBACK):
        assert answer.is_redirect, answer.text
        answer = client.get(answer.url.join(answer.headers["location"]))
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    return tokens(
        client,
        demo,
        grant_type="authorization_code",
        code=code,
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    )


def tokens(client: httpx.Client, demo: dict[str, Any], **form: str) -> str:
    answer = client.post(
        f"{demo['url']}/oauth2/token", data=form, auth=(demo["client_id"], demo["client_secret"])
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["refresh_token"])


@pytest.mark.fault("F22")
@pytest.mark.long
def test_everything_works_under_the_new_key_alone(shared: Instance) -> None:
    """A session, an API key, a refresh token and a signing key still work after add, rewrap, retire
    and two restarts. A key that is removed too early is named. If an operator exists, a start makes
    no owner link."""
    instance, folder = shared, shared.folder
    try:
        demo = instance.ready()["demo"]
        with browser() as client, browser(follow_redirects=True) as owner:
            page = owner.get(aero2(instance, "owner-link").strip())
            submit(owner, page, email="op@example.com", name="Op", password=PASSWORD)
            known = json.loads((folder / "secrets.json").read_text())["demo"]
            sign_in(client, demo["url"], "demo@example.com", known["user_password"])
            refresh = refresh_token(client, demo)
            jwks = client.get(f"{demo['url']}/oauth2/jwks.json").json()
            old = master_keys(folder)[0]

            aero2(instance, "secrets", "add")
            instance.stop()
            instance.start().ready()
            aero2(instance, "secrets", "rewrap")
            aero2(instance, "secrets", "retire", old)
            instance.stop()
            assert old not in master_keys(folder)
            summary = instance.start().ready()

            assert summary["owner_link"] is None
            session = client.get(f"{demo['url']}/api/auth/session")
            assert session.status_code == 200, session.text
            assert tokens(client, demo, grant_type="refresh_token", refresh_token=refresh)
            bearer = {"Authorization": f"Bearer {demo['secret_key']}"}
            assert client.get(f"{demo['url']}/api/users", headers=bearer).status_code == 200
            assert client.get(f"{demo['url']}/oauth2/jwks.json").json() == jwks
        instance.stop()
        replace_master_key(folder)
        instance.start()
        assert instance.process is not None
        assert instance.process.wait(120) == 1
        assert "AERO2_MASTER_KEY lacks the key" in instance.log.read_text()
    finally:
        instance.stop()


def master_keys(folder: Path) -> list[str]:
    text = json.loads((folder / "secrets.json").read_text())["master_key"]
    return [part.partition(":")[0] for part in text.split(",")]


def replace_master_key(folder: Path) -> None:
    file = folder / "secrets.json"
    fresh = "other:" + base64.b64encode(hashlib.sha256(b"another").digest()).decode()
    file.write_text(json.dumps(json.loads(file.read_text()) | {"master_key": fresh}))
