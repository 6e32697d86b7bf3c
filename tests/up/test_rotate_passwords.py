"""`aero2 secrets rotate` replaces passwords while the platform works and people use it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.kit.instance import Instance, environment


@dataclass
class Load:
    """Calls that cross the bus and reach the database, one after another."""

    instance: Instance
    key: str
    statuses: list[int | str] = field(default_factory=list)
    _ends: threading.Event = field(default_factory=threading.Event)

    def run(self, number: int) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{self.instance.port}", timeout=30) as client:
            while not self._ends.is_set():
                name = f"r{number}-{len(self.statuses)}-{time.monotonic_ns()}"
                try:
                    answer = client.post(
                        "/api/permissions",
                        json={"name": f"load:{name}"},
                        headers={
                            "Host": f"demo.localhost:{self.instance.port}",
                            "Authorization": f"Bearer {self.key}",
                        },
                    )
                    self.statuses.append(answer.status_code)
                except httpx.HTTPError as error:
                    self.statuses.append(repr(error))

    @contextmanager
    def going(self) -> Iterator[None]:
        threads = [threading.Thread(target=self.run, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        yield
        self._ends.set()
        for thread in threads:
            thread.join()


def rotate(instance: Instance, what: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aero2", "secrets", "rotate", what, "--data-dir", instance.folder],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def stored(instance: Instance) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads((instance.folder / "secrets.json").read_text())
    return kept


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    running = Instance(tmp_path_factory.mktemp("rotated") / "data").start()
    running.ready()
    yield running
    running.stop()


@pytest.mark.long
@pytest.mark.parametrize("what", ["database", "nats", "owner"])
def test_passwords_are_replaced_without_a_failed_call(instance: Instance, what: str) -> None:
    """Every write during the rotation succeeds. No process was restarted, and the passwords are new."""
    before, processes = stored(instance), instance.children()
    load = Load(instance, before["demo"]["secret_key"])
    with load.going():
        time.sleep(1)
        done = rotate(instance, what)
        time.sleep(1)

    assert done.returncode == 0, done.stderr
    assert set(load.statuses) == {201}, load.statuses
    assert len(load.statuses) > 50
    assert instance.children() == processes
    if what == "owner":
        assert stored(instance)["superuser"] != before["superuser"]
        return
    for name, password in before[what].items():
        assert stored(instance)[what][name] != password


@pytest.mark.long
def test_the_platform_starts_again_with_the_new_passwords(instance: Instance) -> None:
    instance.stop()
    instance.start().ready()
    load = Load(instance, stored(instance)["demo"]["secret_key"])
    with load.going():
        time.sleep(1)

    assert set(load.statuses) == {201}


def test_a_folder_without_a_platform_is_refused(tmp_path: Path) -> None:
    """It has no passwords that could be replaced."""
    done = rotate(Instance(tmp_path), "database")

    assert done.returncode == 1
    assert "is no data folder" in done.stderr
    assert list(tmp_path.iterdir()) == []
