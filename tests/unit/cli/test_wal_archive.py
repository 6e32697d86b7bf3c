"""The program that PostgreSQL archives its WAL with: whole under its name, never replaced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aero2 import wal_archive
from aero2.wal_archive import BROKEN, DONE, FAILED, main

NAME = "000000010000000000000001"


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    (tmp_path / "wal").mkdir()
    file = tmp_path / NAME
    file.write_bytes(os.urandom(100_000))
    return file


def test_a_segment_is_copied_and_fetched(segment: Path, tmp_path: Path) -> None:
    """Storing it twice is no error: after a crash PostgreSQL does not know that it is there."""
    target = tmp_path / "wal" / NAME
    assert main(["store", str(segment), str(target)]) == DONE
    assert main(["store", str(segment), str(target)]) == DONE
    assert main(["fetch", str(target), str(tmp_path / "RECOVERYXLOG")]) == DONE
    assert (tmp_path / "RECOVERYXLOG").read_bytes() == segment.read_bytes()
    assert [path.name for path in target.parent.iterdir()] == [NAME]


def test_another_segment_of_the_same_name_is_refused(segment: Path, tmp_path: Path) -> None:
    """Two servers that archive into one folder would destroy each other's archive."""
    target = tmp_path / "wal" / NAME
    target.write_bytes(b"other")
    assert main(["store", str(segment), str(target)]) == FAILED
    assert target.read_bytes() == b"other"


def test_the_end_of_the_archive_is_not_a_broken_archive(segment: Path, tmp_path: Path) -> None:
    """A file that is not there ends a recovery. A folder that is not mounted stops it."""
    target = str(tmp_path / "RECOVERYXLOG")
    assert main(["fetch", str(tmp_path / "wal" / NAME), target]) == FAILED
    assert main(["fetch", str(tmp_path / "away" / NAME), target]) == BROKEN
    assert main(["store", str(segment), str(tmp_path / "away" / NAME)]) == FAILED


def test_a_kill_leaves_no_half_under_the_name(segment: Path, tmp_path: Path) -> None:
    """Killed while it copies: there is no file of that name, and the next attempt succeeds."""
    target = tmp_path / "wal" / NAME
    segment.write_bytes(bytes(200_000_000))
    command = [sys.executable, "-I", "-S", wal_archive.__file__, "store", str(segment), str(target)]
    process = subprocess.Popen(command)
    while not list(target.parent.glob(".*")) and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()

    assert not target.exists() or target.stat().st_size == segment.stat().st_size
    assert main(["store", str(segment), str(target)]) == DONE
    assert target.stat().st_size == segment.stat().st_size
    assert [path.name for path in target.parent.iterdir()] == [NAME]
