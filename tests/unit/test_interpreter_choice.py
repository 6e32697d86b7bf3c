"""`make setup` takes an interpreter that was built with optimisation, if there is one."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DISTRIBUTION = [
    path for path in map("/usr/bin/python3.{}".format, range(11, 20)) if Path(path).exists()
]


def chosen(folder: Path, exit_code: int) -> str:
    """Return the interpreter that the Makefile chooses where `python3` answers the question with `exit_code`."""
    python3 = folder / "python3"
    python3.write_text(f"#!/bin/sh\nexit {exit_code}\n")
    python3.chmod(0o755)
    return chosen_from(folder)


def chosen_from(folder: Path) -> str:
    """Return the interpreter that the Makefile chooses where `folder` is the first with programs."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("PYTHON", "MAKEFLAGS", "MAKELEVEL")
    }
    environment["PATH"] = f"{folder}:{os.environ['PATH']}"
    command = ["make", "--eval", "show:;@echo $(PYTHON)", "show"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_an_optimised_python3_is_taken(tmp_path: Path) -> None:
    assert chosen(tmp_path, 0) == "python3"


@pytest.mark.skipif(not DISTRIBUTION, reason="no Python of the distribution here")
def test_the_distributions_build_is_taken_before_a_python3_without_optimisation(
    tmp_path: Path,
) -> None:
    assert chosen(tmp_path, 1) == DISTRIBUTION[0]


@pytest.mark.skipif(
    not DISTRIBUTION or not Path("/etc/debian_version").exists(), reason="no Python of Debian here"
)
def test_debians_own_python3_is_optimised_although_its_configuration_does_not_say_so(
    tmp_path: Path,
) -> None:
    """Debian's rules run the profile, not `configure`. So it is taken as it is, whatever its version."""
    (tmp_path / "python3").symlink_to(DISTRIBUTION[0])

    assert chosen_from(tmp_path) == "python3"
