"""How long a start is waited for, by a clock of the test's own."""

from __future__ import annotations

import os
from pathlib import Path

from aero2.patience import AT_MOST, Patience, progress


def test_progress_prolongs_the_wait() -> None:
    """The limit counts from the last progress, not from the start."""
    patience = Patience(60, began=1000)
    patience.note(1050, "log of 1 kB")
    assert patience.over(1100) is None

    patience.note(1105, "log of 1 kB")
    assert patience.over(1110) == "made no progress for 60 s"

    patience.note(1109, "log of 2 kB")
    assert patience.over(1160) is None


def test_the_whole_wait_ends() -> None:
    """The wait for a process that works in vain ends, too."""
    patience = Patience(60, began=0)
    for now in range(0, 60 * AT_MOST, 6):
        patience.note(now, now)
        assert patience.over(now) is None
    assert patience.over(60 * AT_MOST - 1) is None
    assert patience.over(60 * AT_MOST) == f"was not ready within {60 * AT_MOST} s"


def test_progress_is_measured_now_and_then() -> None:
    """Ten times in the limit, whatever the number of polls."""
    patience = Patience(60, began=0)
    due = 0
    for poll in range(60 * 20):
        if patience.due(poll / 20):
            patience.note(poll / 20, None)
            due += 1
    assert due < 12


def test_a_growing_log_is_progress(tmp_path: Path) -> None:
    """More in the log, or another process, is another measure."""
    log = tmp_path / "one.log"
    before = progress(os.getpid(), log)
    log.write_text("a line")

    assert progress(os.getpid(), log) != before
    assert progress(os.getppid(), log) != progress(os.getpid(), log)
