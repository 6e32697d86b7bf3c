"""`aero2 up --reload` starts the services again whose code changed, and no other."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from aero2.nats_access import SERVICES
from aero2.reload import affected, folders, watch


class Supervisor:
    """Records which services it has to restart."""

    def __init__(self) -> None:
        self.reloads: list[str] = []

    async def reload(self, name: str) -> None:
        self.reloads.append(name)


def test_common_belongs_to_every_service() -> None:
    """A file of a service restarts that service. A file of `common` restarts all."""
    packages = folders()
    services = {next(iter(names)): folder for folder, names in packages.items() if len(names) == 1}
    assert sorted(services) == sorted(SERVICES)
    (common,) = (folder for folder, names in packages.items() if len(names) > 1)

    assert affected([services["oidc"] / "checks" / "a.py"], packages) == {"oidc"}
    assert affected([common / "contracts" / "a.py"], packages) == set(SERVICES)
    assert affected([services["oidc"].parent / "elsewhere.py"], packages) == set()


def test_processes_that_run_all_services_run_all_code() -> None:
    """Together, a file of any package starts every process again."""
    packages = folders(("together-0", "together-1"))

    assert len(packages) == len(SERVICES) + 1
    assert set(packages.values()) == {frozenset({"together-0", "together-1"})}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("one/a.py", ["one"]),
        ("one/templates/a.html", ["one"]),
        ("shared/a.py", ["one", "two"]),
        ("one/__pycache__/a.cpython-311.pyc", []),
        ("one/.a.py.swp", []),
    ],
)
async def test_a_change_starts_its_services_again(
    tmp_path: Path, name: str, expected: list[str]
) -> None:
    """Only files that a process reads count. The last line shows that the watch still runs."""
    packages = {
        tmp_path / "one": {"one"},
        tmp_path / "two": {"two"},
        tmp_path / "shared": {"one", "two"},
    }
    for folder in (*packages, (tmp_path / name).parent):
        folder.mkdir(parents=True, exist_ok=True)
    supervisor, reports = Supervisor(), []
    task = asyncio.create_task(
        watch(supervisor, lambda sentence, log: reports.append(sentence), packages)  # type: ignore[arg-type]
    )
    try:
        await change(tmp_path / name, lambda: bool(supervisor.reloads) or not expected)
        assert sorted(set(supervisor.reloads)) == expected
        supervisor.reloads.clear()
        await change(tmp_path / "two" / "last.py", lambda: "two" in supervisor.reloads)
    finally:
        task.cancel()
    assert all("starting" in each for each in reports)


async def change(file: Path, done: object, within: float = 30.0) -> None:
    """Writes a file until its change has been seen, because the watch may start later."""
    ends = time.monotonic() + within
    while True:
        file.write_text(str(time.monotonic()))
        await asyncio.sleep(1)
        if done():  # type: ignore[operator]
            return
        assert time.monotonic() < ends, "the change was not seen"
