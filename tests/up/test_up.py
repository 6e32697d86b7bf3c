"""`aero2 up` with the whole platform as real processes."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tests.kit.form_browser import browser, sign_in
from tests.kit.instance import Instance, environment, free_port

KEYS = {"dashboard_url", "owner_link", "mail_url", "domain", "demo"}
DEMO_KEYS = {"slug", "host", "url", "app_id", "publishable_key", "secret_key"}
DEMO_KEYS |= {"client_id", "client_secret", "home"}

pytestmark = pytest.mark.timeout(240)


def get(url: str) -> httpx.Response:
    with browser() as client:
        return client.get(url)


def token(summary: dict[str, Any], *, ca: Path | None = None, **other: str) -> httpx.Response:
    """Returns a token of the demo client for itself."""
    demo = summary["demo"] | other
    with browser(ca=ca) as client:
        return client.post(
            f"{demo['url']}/oauth2/token",
            auth=(demo["client_id"], demo["client_secret"]),
            data={"grant_type": "client_credentials"},
        )


def test_the_summary_is_what_it_says(shared: Instance) -> None:
    """The summary has exactly its documented members. Every address answers, and only the owner can
    read the file."""
    summary = shared.ready()
    demo = summary["demo"]

    assert summary.keys() == KEYS
    assert demo.keys() == DEMO_KEYS
    assert all(isinstance(demo[key], str) and demo[key] for key in DEMO_KEYS)
    assert demo["host"] == f"demo.localhost:{shared.port}"
    assert demo["url"] == f"http://{demo['host']}"
    assert summary["domain"] == f"localhost:{shared.port}"
    assert demo["publishable_key"].startswith("pk_")
    assert demo["secret_key"].startswith("sk_")
    assert stat.S_IMODE(shared.summary_file.stat().st_mode) == 0o600
    discovery = get(f"{demo['url']}/.well-known/openid-configuration")
    assert discovery.json()["issuer"] == demo["url"]
    assert get(summary["owner_link"]).status_code == 200
    assert httpx.get(f"{summary['mail_url']}/api/mails").status_code == 200


def test_what_is_printed_works_when_pasted(shared: Instance) -> None:
    """The printed curl commands and the FastAPI program work unchanged."""
    answers = pasted(shared, dict(os.environ))

    assert json.loads(answers[0])["token_type"] == "Bearer"
    assert "demo@example.com" in answers[1]
    assert json.loads(answers[-1])["iss"] == shared.ready()["demo"]["url"]


def pasted(instance: Instance, env: dict[str, str]) -> list[str]:
    """Runs the two curl commands and the FastAPI program, which refuses a stranger. Returns the
    answers."""
    text = instance.log.read_text()
    answers = []
    for command in re.findall(r"^curl .*$", text, re.MULTILINE):
        quiet = f"{command} --fail-with-body --silent"
        ran = subprocess.run(quiet, shell=True, capture_output=True, text=True, env=env)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        answers.append(ran.stdout)
    snippet = re.search(r"^import jwt; from fastapi .*?verify_aud.*?$", text, re.M | re.S)
    assert snippet is not None
    assert snippet.group().count("\n") == 5
    folder = Path(tempfile.mkdtemp(prefix="aero2-pasted-"))
    (folder / "main.py").write_text(snippet.group())
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "main:app", "--port", str(port)]
    app = subprocess.Popen(command, cwd=folder, env=env)
    try:
        bearer = {"Authorization": f"Bearer {json.loads(answers[0])['access_token']}"}
        greeted = patiently(f"http://127.0.0.1:{port}/hello", headers=bearer)
        assert greeted.status_code == 200, greeted.text
        stranger = httpx.get(f"http://127.0.0.1:{port}/hello")
    finally:
        app.kill()
        app.wait()
        shutil.rmtree(folder)
    assert stranger.status_code in (401, 403)
    return [*answers, greeted.text]


def patiently(url: str, **more: Any) -> httpx.Response:
    """Sends GET when a server listens."""
    ends = time.monotonic() + 30
    while True:
        try:
            return httpx.get(url, timeout=15, **more)
        except httpx.ConnectError:
            assert time.monotonic() < ends
            time.sleep(0.1)


def test_the_demo_user_signs_in(shared: Instance) -> None:
    """The printed address and password sign in on the hosted page."""
    found = re.search(r"^Demo user +(\S+) +password (\S+)$", shared.log.read_text(), re.M)
    assert found is not None
    with browser() as client:
        after = sign_in(client, shared.ready()["demo"]["url"], *found.groups())
        session = client.get(f"{shared.ready()['demo']['url']}/api/auth/session")

    assert after.status_code == 200
    assert session.status_code == 200, session.text
    assert found.group(1) in session.text


def test_a_second_one_on_the_folder_is_a_sentence(shared: Instance) -> None:
    """The second start exits with 1 and one sentence. The first continues."""
    second = Instance(shared.folder)
    said = refused(second)

    assert "already running on the data folder" in said
    assert shared.process is not None
    assert shared.process.poll() is None
    assert token(shared.ready()).status_code == 200


def test_a_second_one_on_the_port_is_a_sentence(shared: Instance, tmp_path: Path) -> None:
    """The message names the port and the option."""
    said = refused(Instance(tmp_path / "other", port=shared.port))

    assert f"Port {shared.port}" in said
    assert "--port" in said


def test_a_domain_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    """A wrong --domain is refused before anything is created."""
    assert "not a domain name" in refused(Instance(tmp_path / "other", domain="a_b/c"))


def refused(instance: Instance) -> str:
    """Returns the output of a start that must fail."""
    command = [sys.executable, "-m", "aero2", "up", "--port", str(instance.port)]
    command += ["--data-dir", str(instance.folder), "--domain", instance.domain]
    ran = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(),
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1, ran.stderr
    return ran.stderr


def test_another_one_side_by_side_with_tls(
    shared: Instance, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Another folder and port have other keys and secrets. With --tls every name has https by the
    folder's own authority, also for the demo's provider. Cookies are secure, and the printed commands
    work."""
    folder = tmp_path_factory.mktemp("up") / "tls"
    instance = Instance(folder, more=["--tls"]).start()
    try:
        mine, theirs = shared.ready(), instance.ready()
        ca = instance.folder / "caddy/pki/authorities/local/root.crt"
        url = theirs["demo"]["url"]

        assert url == f"https://demo.localhost:{instance.port}"
        assert theirs["demo"]["secret_key"] != mine["demo"]["secret_key"]
        assert token(theirs, ca=ca).status_code == 200
        assert token(mine).status_code == 200
        assert token(theirs, url=mine["demo"]["url"]).status_code == 401
        with browser() as stranger, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY"):
            stranger.get(url)
        found = re.search(r"^Demo user +(\S+) +password (\S+)$", instance.log.read_text(), re.M)
        assert found is not None
        with browser(ca=ca) as client:
            sign_in(client, url, *found.groups())
            assert client.get(f"{url}/api/auth/session").status_code == 200
            key = {"authorization": f"Bearer {theirs['demo']['secret_key']}"}
            (acme,) = client.get(f"{url}/api/idps", headers=key).json()["idps"]
            checked = client.post(f"{url}/api/idps/{acme['id']}/test", headers=key).json()
            assert checked["passed"], checked
            assert all(cookie.secure for cookie in client.cookies.jar)
            assert "strict-transport-security" not in client.get(f"{url}/login").headers
        answers = pasted(instance, os.environ | {"SSL_CERT_FILE": str(ca)})
        assert json.loads(answers[-1])["iss"] == url
    finally:
        instance.stop()
    assert token(mine).status_code == 200


def test_metrics_of_all_processes_are_joined(shared: Instance) -> None:
    """One listener on loopback has the metrics of every service."""
    shared.ready()
    port = json.loads((shared.folder / "ports.json").read_text())["metrics"]
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text

    for service in ("gateway", "identity", "oidc", "rbac", "tenancy"):
        assert f'aero2_nats_connected{{service="{service}",replica="0"}} 1.0' in text
    assert 'aero2_outbox_waiting{service="identity",replica="0",writer="tenancy"}' in text


@pytest.mark.parametrize("name", ["oidc", "postgres", "nats", "gateway"])
def test_whatever_is_killed_comes_back(shared: Instance, name: str) -> None:
    """A killed process is started again. Meanwhile requests fail cleanly, and then all work again
    without another restart."""
    summary = shared.ready()
    before = shared.children()
    os.kill(before[name], signal.SIGKILL)
    ends = time.monotonic() + 60
    while True:
        try:
            answer = token(summary)
            whole = get(f"{summary['dashboard_url']}/health").status_code == 200
        except httpx.ConnectError as error:
            raise AssertionError("a restart refuses connections") from error
        except httpx.TransportError:
            assert name == "gateway"
        else:
            assert answer.status_code in (200, 503, 504), answer.text
            again = shared.children()[name] != before[name]
            if answer.status_code == 200 and again and whole:
                break
        assert time.monotonic() < ends
        time.sleep(0.1)
    after = shared.children()

    assert {each for each in before if before[each] != after[each]} == {name}
    assert f"{name} ended (killed by SIGKILL)" in shared.log.read_text()


def test_stop_and_start_again(shared: Instance) -> None:
    """Ctrl-C ends everything with exit code 0. The second start has the same keys and secrets."""
    first = shared.ready()
    pids = shared.children().values()
    shared.stop()
    assert shared.process is not None
    assert shared.process.returncode == 0
    assert not [pid for pid in pids if psutil.pid_exists(pid)]

    second = shared.start().ready()

    assert second["demo"] == first["demo"]
    assert second["owner_link"] != first["owner_link"]
    assert token(second).status_code == 200


def test_kill_9_blocks_nothing(shared: Instance) -> None:
    """After a SIGKILL of the supervisor the next start works at once, with the data."""
    first = shared.ready()
    assert shared.process is not None
    shared.process.kill()
    shared.process.wait()

    second = shared.start().ready()

    assert second["demo"] == first["demo"]
    assert token(second).status_code == 200


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_as_an_ordinary_user() -> None:
    """Nothing needs root: the start works under an account without rights."""
    nobody = pwd.getpwnam("nobody")
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    before = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    before += ["env", "HOME=/nonexistent"]
    # Other accounts cannot read pytest's own folder.
    own = Path(tempfile.mkdtemp(prefix="aero2-ordinary-"))
    os.chown(own, nobody.pw_uid, nobody.pw_gid)
    instance = Instance(own / "data", before=before, python=usable_by(before))
    try:
        summary = instance.start().ready()
        assert token(summary).status_code == 200
        owners = {psutil.Process(pid).uids().real for pid in instance.children().values()}
        assert owners == {nobody.pw_uid}
        instance.stop()
        assert instance.process is not None
        assert instance.process.returncode == 0
    finally:
        if instance.process is not None:
            instance.stop(signal.SIGKILL)
        shutil.rmtree(own, ignore_errors=True)


def usable_by(before: list[str]) -> str:
    """Returns a Python that the account can run, with the installed packages."""
    for python in (sys.executable, "/usr/bin/python3"):
        asked = [*before, python, "-c", "import gateway.__main__, aero2.up"]
        try:
            if subprocess.run(asked, capture_output=True, env=environment()).returncode == 0:
                return python
        except OSError:
            continue
    pytest.skip("this checkout and every Python lie where only root may enter")
