"""NATS is started again when it stores nothing, and never for another reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aero2 import up
from aero2.embedded.folder import Folder
from aero2.stream_watchdog import PAUSE, ROOM, StreamWatchdog


@dataclass
class Machine:
    """Stands for the supervisor, the health of the platform, the disk and the clock."""

    state: str | None = "late"
    free: int = 2 * ROOM
    now: float = 1000.0
    restarted: list[str] = field(default_factory=list)

    def report(self, sentence: str, log: str) -> None: ...

    async def restart(self, name: str) -> None:
        self.restarted.append(name)

    async def relay_state(self) -> str | None:
        return self.state


@pytest.fixture
def machine() -> Machine:
    return Machine()


def watcher(machine: Machine) -> StreamWatchdog:
    supervisor: Any = machine
    return StreamWatchdog(
        supervisor, machine.relay_state, lambda: machine.free, lambda: machine.now
    )


async def test_late_relays_restart_nats_once(machine: Machine) -> None:
    """Draining takes a while: the next look must not end NATS in the middle of it."""
    watch = watcher(machine)
    await watch.look()
    machine.now += PAUSE - 1
    await watch.look()
    assert machine.restarted == ["nats"]

    machine.now += 2
    await watch.look()
    assert machine.restarted == ["nats", "nats"]


@pytest.mark.parametrize("state", ["ok", "unknown", None])
async def test_nothing_else_restarts_nats(machine: Machine, state: str | None) -> None:
    machine.state = state
    await watcher(machine).look()
    assert machine.restarted == []


async def test_a_disk_that_is_still_full_is_left_alone(machine: Machine) -> None:
    machine.free = ROOM - 1
    watch = watcher(machine)
    await watch.look()
    assert machine.restarted == []

    machine.free = ROOM
    await watch.look()
    assert machine.restarted == ["nats"]


def test_the_disk_of_the_stream_counts(
    tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of NATS may be a disk of its own, which is full while others are not."""
    seen: list[Path] = []

    def free(folder: Path) -> int:
        seen.append(folder)
        return 0

    monkeypatch.setattr(up, "free_bytes", free)
    platform: Any = machine
    platform.folder = Folder.at(tmp_path)
    up._stuck_stream(platform, platform).free()

    assert seen == [tmp_path / "nats"]
