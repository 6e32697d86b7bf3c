"""`aero2 backup` and `aero2 restore` as an operator uses them: from one machine to another."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.kit.form_browser import browser, sign_in
from tests.kit.instance import Instance, environment
from tests.up.test_master_key import refresh_token

pytestmark = pytest.mark.timeout(500)


def aero2(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aero2", *arguments, "--data-dir", str(folder)]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)


@contextmanager
def writes(demo: dict[str, Any]) -> Iterator[list[int]]:
    """Asks for tokens all the time, each of which is written. Yields the statuses."""
    statuses: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        with browser() as client:
            while not stop.is_set():
                statuses.append(client_token(client, demo).status_code)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        thread.join()


def client_token(client: httpx.Client, demo: dict[str, Any]) -> httpx.Response:
    return client.post(
        f"{demo['url']}/oauth2/token",
        auth=(demo["client_id"], demo["client_secret"]),
        data={"grant_type": "client_credentials"},
    )


def introspected(client: httpx.Client, demo: dict[str, Any], token: str) -> bool:
    answer = client.post(
        f"{demo['url']}/oauth2/introspect",
        auth=(demo["client_id"], demo["client_secret"]),
        data={"token": token},
    )
    return bool(answer.json()["active"])


@pytest.mark.long
def test_another_machine_takes_over(shared: Instance, tmp_path: Path) -> None:
    """The backup is taken under writes. On the new machine users sign in with their passwords and
    programs with their keys, the audit log is intact, and what was issued before is dead."""
    demo = shared.ready()["demo"]
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse battery staple\n")
    sealed = ("--passphrase-file", str(passphrase))
    user = json.loads((shared.folder / "secrets.json").read_text())["demo"]
    backup = str(tmp_path / "monday")
    with browser() as client:
        sign_in(client, demo["url"], "demo@example.com", user["user_password"])
        refresh = refresh_token(client, demo)
        access = client_token(client, demo).json()["access_token"]
        assert introspected(client, demo, access)
        cookies = dict(client.cookies)
        with writes(demo) as statuses:
            made = aero2(shared.folder, "backup", backup, *sealed)
    assert made.returncode == 0, made.stderr
    assert statuses
    assert set(statuses) == {200}

    other = Instance(tmp_path / "other" / ".aero2")
    other.folder.parent.mkdir()
    done = aero2(other.folder, "restore", backup, *sealed)
    assert done.returncode == 0, done.stderr
    assert "Restored." in done.stderr
    try:
        there = demo | {"url": other.start().ready()["demo"]["url"]}
        assert other.ready()["demo"]["secret_key"] == demo["secret_key"]
        with browser() as client:
            client.cookies.update(cookies)
            assert client.get(f"{there['url']}/api/auth/session").status_code == 401
            assert not introspected(client, there, access)
            answer = client.post(
                f"{there['url']}/oauth2/token",
                auth=(demo["client_id"], demo["client_secret"]),
                data={"grant_type": "refresh_token", "refresh_token": refresh},
            )
            assert answer.json()["error"] == "invalid_grant"
            client.cookies.clear()
            sign_in(client, there["url"], "demo@example.com", user["user_password"])
            assert refresh_token(client, there)
            bearer = {"Authorization": f"Bearer {demo['secret_key']}"}
            exported = client.get(f"{there['url']}/api/audit/export", headers=bearer)
            assert exported.status_code == 200, exported.text
        (tmp_path / "log").write_text(exported.text)
        verified = subprocess.run(
            [sys.executable, "-m", "aero2", "audit", "verify", str(tmp_path / "log")],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert verified.returncode == 0, verified.stderr

        taken = aero2(other.folder, "restore", backup, *sealed)
        assert "already running" in taken.stderr
    finally:
        other.stop()
    refused_and_marked(other, backup, sealed)


def refused_and_marked(stopped: Instance, backup: str, sealed: tuple[str, ...]) -> None:
    """A folder with data is refused, the database of a stopped folder can be backed up, and a folder
    whose restore was killed does not start."""
    assert "has data already" in aero2(stopped.folder, "restore", backup, *sealed).stderr
    again = aero2(stopped.folder, "backup", f"{backup}-again", *sealed)
    assert again.returncode == 0, again.stderr
    (stopped.folder / "restoring.json").write_text("{}")
    up = aero2(stopped.folder, "up", "--port", str(stopped.port))
    assert up.returncode == 1
    assert "did not finish" in up.stderr
    (stopped.folder / "restoring.json").unlink()


@pytest.mark.long
def test_a_mistake_is_undone_from_the_archive(tmp_path: Path) -> None:
    """The archive of a running platform leads to the point before the mistake. The platform starts on the
    recovered folder, and an archive that is not there refuses the start."""
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse battery staple")
    sealed = ("--passphrase-file", str(passphrase))
    archive = Path(tempfile.mkdtemp(prefix="aero2-archive-"))
    archive.chmod(0o755)
    instance = Instance(tmp_path / ".aero2").start()
    other = Instance(tmp_path / "other")
    try:
        instance.ready()
        instance.stop()
        assert aero2(instance.folder, "archive", "on", str(archive)).returncode == 0
        demo = instance.start().ready()["demo"]
        made = aero2(instance.folder, "archive", "base", *sealed)
        assert made.returncode == 0, made.stderr
        with browser() as client:
            bearer = {"Authorization": f"Bearer {demo['secret_key']}"}
            created = client.post(
                f"{demo['url']}/api/users", headers=bearer, json={"email": "ada@example.com"}
            )
            assert created.status_code == 201, created.text
            point = aero2(instance.folder, "archive", "point", "before-the-mistake")
            assert point.returncode == 0, point.stderr
            user = f"{demo['url']}/api/users/{created.json()['id']}"
            assert client.delete(user, headers=bearer).status_code in (200, 204)
        until_archived(instance.folder)
        instance.stop()

        done = aero2(
            other.folder, "restore", str(archive), "--to-point", "before-the-mistake", *sealed
        )
        assert done.returncode == 0, done.stderr
        url = other.start().ready()["demo"]["url"]
        with browser() as client:
            found = client.get(f"{url}/api/users/{created.json()['id']}", headers=bearer)
            assert found.status_code == 200, found.text
        archive.rename(archive.with_name(f"{archive.name}-away"))
        up = aero2(instance.folder, "up", "--port", str(instance.port))
        assert "is not there" in up.stderr
        archive.with_name(f"{archive.name}-away").rename(archive)
    finally:
        instance.stop()
        other.stop()
        shutil.rmtree(archive, ignore_errors=True)


def until_archived(folder: Path) -> None:
    """Waits until nothing waits for the archive."""
    deadline = time.monotonic() + 60
    while "waiting: 0" not in (state := aero2(folder, "archive", "status")).stdout:
        assert time.monotonic() < deadline, state.stdout + state.stderr
        time.sleep(0.2)
