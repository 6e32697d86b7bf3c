"""A deployment started with `aero2 up`, in a folder and on a port of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aero2.embedded.ports import listener


def free_port() -> int:
    with listener("127.0.0.1", 0) as found:
        port: int = found.getsockname()[1]
        return port


def environment() -> dict[str, str]:
    """Returns variables with which any Python of this version finds the code and its packages."""
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


@dataclass
class Instance:
    """A running `aero2 up`. `before` stands before the command, for example to change the account."""

    folder: Path
    port: int = field(default_factory=free_port)
    domain: str = "localhost"
    before: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    python: str = sys.executable
    more: list[str] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None
    began: float = 0.0

    @property
    def summary_file(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.summary.json")

    @property
    def log(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.log")

    def start(self) -> Instance:
        self.summary_file.unlink(missing_ok=True)
        self.began = time.monotonic()
        command = [*self.before, self.python, "-m", "aero2", "up", "--port", str(self.port)]
        command += ["--data-dir", str(self.folder), "--summary-file", str(self.summary_file)]
        command += ["--domain", self.domain, *self.more]
        with self.log.open("a") as output:
            self.process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                text=True,
                start_new_session=True,
                env=environment() | self.settings,
            )
        return self

    def ready(self, within: float = 300.0) -> dict[str, Any]:
        """Waits for the summary and returns it."""
        assert self.process is not None
        while not self.summary_file.exists():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() - self.began < within, self.log.read_text()
            time.sleep(0.05)
        summary: dict[str, Any] = json.loads(self.summary_file.read_text())
        return summary

    def stop(self, how: int = signal.SIGINT) -> None:
        """Stops the process and waits for its end."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(30)

    def children(self) -> dict[str, int]:
        found = json.loads((self.folder / "run" / "children.json").read_text())
        return {name: entry["pid"] for name, entry in found.items()}
