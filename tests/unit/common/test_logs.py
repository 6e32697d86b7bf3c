"""A full disk loses log lines, but no requests."""

from __future__ import annotations

import errno
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import structlog

from common import logs
from common.logs import Lines, Output, output


class Disk:
    """A raw stream on a disk that can be full. It takes four bytes of a line that does not fit."""

    def __init__(self) -> None:
        self.full = False
        self.content = b""

    def write(self, data: Any) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.content += bytes(data[:4])
        return len(data[:4])


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    found = Disk()
    stdout = SimpleNamespace(buffer=SimpleNamespace(raw=found))
    monkeypatch.setattr(logs, "sys", SimpleNamespace(stdout=stdout))  # pytest replaces sys.stdout
    monkeypatch.setattr(output, "lost", 0)
    return found


async def test_lines_come_back_after_a_full_disk(disk: Disk) -> None:
    """Lines that cannot be written are dropped and counted, and not kept in memory."""
    lines = Lines()
    disk.full = True
    for _ in range(3):
        lines.write({"event": "http"})
        lines.flush()
    held = len(lines._waiting)
    disk.full = False
    lines.write({"event": "served"})
    lines.flush()

    written = [orjson.loads(line) for line in disk.content.splitlines() if line]
    assert held == 0
    assert [line["event"] for line in written] == ["log lines lost", "served"]
    assert written[0]["writes"] == 3


def test_a_log_line_on_a_full_disk_does_not_raise(disk: Disk) -> None:
    """An ENOSPC would make every call a 500 and every start fail."""
    disk.full = True
    logger = structlog.BytesLogger(Output())  # type: ignore[arg-type]
    logger.msg(b"{}")


async def test_every_line_has_a_level_and_a_time(disk: Disk) -> None:
    """Every line has the same format, so that it can be filtered and sorted."""
    lines = Lines()
    disk.full = True
    lines.write({"event": "lost"})
    lines.flush()
    disk.full = False
    lines.write({"event": "http", "status": 503}, level="error")
    lines.write({"event": "served"})
    lines.flush()

    written = [orjson.loads(line) for line in disk.content.splitlines() if line]
    levels = {line["event"]: line["level"] for line in written}
    assert levels == {"log lines lost": "warning", "http": "error", "served": "info"}
    assert all(datetime.fromisoformat(line["at"]).tzinfo for line in written)


async def test_all_lines_write_the_time_alike(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wide lines have the time as structlog writes it, so that lines sort and filter alike. A time
    without a fraction of a second has none in both."""
    for micros in (0, 120_000):
        now = datetime(2026, 11, 30, 9, 0, 0, micros, tzinfo=UTC)
        monkeypatch.setattr(logs, "datetime", SimpleNamespace(now=lambda _, now=now: now))
        disk.content = b""
        lines = Lines()
        lines.write({"event": "http"})
        lines.flush()
        assert orjson.loads(disk.content)["at"] == logs._now()
