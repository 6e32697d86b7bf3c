"""The deadline of a start, with a clock of the test."""

from __future__ import annotations

import os
from pathlib import Path

from aero2.start_deadline import MAX_LIMITS, StartDeadline, measure_progress


def test_progress_prolongs_the_wait() -> None:
    """The limit counts from the last progress, not from the start."""
    deadline = StartDeadline(60, started=1000)
    deadline.record(1050, "log of 1 kB")
    assert deadline.reason(1100) is None

    deadline.record(1105, "log of 1 kB")
    assert deadline.reason(1110) == "made no progress for 60 s"

    deadline.record(1109, "log of 2 kB")
    assert deadline.reason(1160) is None


def test_the_whole_wait_ends() -> None:
    """A process that works without end is not waited for without end."""
    deadline = StartDeadline(60, started=0)
    for now in range(0, 60 * MAX_LIMITS, 6):
        deadline.record(now, now)
        assert deadline.reason(now) is None
    assert deadline.reason(60 * MAX_LIMITS - 1) is None
    assert deadline.reason(60 * MAX_LIMITS) == f"was not ready within {60 * MAX_LIMITS} s"


def test_progress_is_measured_now_and_then() -> None:
    """Ten times within the limit, whatever the number of polls."""
    deadline = StartDeadline(60, started=0)
    due = 0
    for poll in range(60 * 20):
        if deadline.is_measurement_due(poll / 20):
            deadline.record(poll / 20, None)
            due += 1
    assert due < 12


def test_a_growing_log_is_progress(tmp_path: Path) -> None:
    """A longer log, or another process, is another measure."""
    log = tmp_path / "one.log"
    before = measure_progress(os.getpid(), log)
    log.write_text("a line")

    assert measure_progress(os.getpid(), log) != before
    assert measure_progress(os.getppid(), log) != measure_progress(os.getpid(), log)
