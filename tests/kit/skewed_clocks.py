"""A deployment whose processes can have wrong clocks, each its own.

libfaketime would also change the monotonic clock, or break `time.sleep` of Python. `skewed_clock.c` changes
the time of day alone, and lets it jump while the process runs.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from tests.kit.deployments import SeparateServices
from tests.kit.system import System

SOURCE: Final = Path(__file__).with_name("skewed_clock.c")


@dataclass
class SkewedClocks:
    """A running system, and the clocks of its processes."""

    system: System
    folder: Path

    @classmethod
    def start(cls, folder: Path, **settings: str) -> SkewedClocks:
        """Starts a deployment with right clocks. Skips the test without a C compiler."""
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("no C compiler for the clock of a process")
        library, clocks = folder / "skewed_clock.so", folder / "clocks"
        clocks.mkdir()
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE)]
        subprocess.run(command, check=True)
        variables = {"LD_PRELOAD": str(library), "SKEWED_CLOCKS": str(clocks)}
        wide = {"AERO2_LIMIT_SCALE": "1000", "AERO2_OPERATOR_MFA": "optional"}
        return cls(System(SeparateServices(folder / "data", wide | variables | settings)), clocks)

    def set(self, service: str, seconds: int) -> None:
        """Sets the clock of a service: so many seconds ahead of the right time, or behind it."""
        deployment = self.system.deployment
        assert isinstance(deployment, SeparateServices)
        pid = deployment.instance.children()[service]
        file = self.folder / str(pid)
        new = file.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(file)

    def set_right(self) -> None:
        """Sets all clocks right."""
        for file in self.folder.iterdir():
            file.unlink()
