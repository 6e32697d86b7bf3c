"""What a measurement ran on: the interpreter, and how busy the machine was with other things."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

MOST_OTHERS: Final = 0.05
"""The largest share of the machine's CPU that other processes may use during a run."""
MOST_STEAL: Final = 0.02
"""The largest share that the host of a virtual machine may take away."""


def interpreter() -> str:
    """Returns the version of Python, and how it was optimised when it was built."""
    version = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{version}, {optimisation(sysconfig.get_config_var('CONFIG_ARGS') or '', _package())}"


def optimisation(options: str, package: str) -> str:
    """Returns how an interpreter was optimised. A profile from its own tests makes CPython about a
    quarter faster. `options` are those of its `configure`. `package` is that of Debian it comes from, if
    any: Debian runs the profile by its own rules (`make profile-opt`), which `configure` does not see.
    """
    link = ", optimised when linked" if "--with-lto" in options else ""
    if "--enable-optimizations" in options:
        return f"optimised by a profile (--enable-optimizations){link}"
    if package:
        return f"optimised by a profile, by the rules of Debian's package {package}"
    return f"not optimised by a profile{link}"


def _package() -> str:
    """Returns Debian's package of this interpreter, and its version, or an empty string."""
    binary = Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    if shutil.which("dpkg-query") is None or not Path("/etc/debian_version").exists():
        return ""
    owner = _said(["dpkg-query", "-S", str(binary)]).partition(":")[0]
    return _said(["dpkg-query", "-W", "-f", "${Package} ${Version}", owner]) if owner else ""


def _said(command: list[str]) -> str:
    """Returns what a command prints, or an empty string if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def hardware() -> str:
    """Returns the number of CPUs, the memory, and the kernel."""
    gib = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} CPUs, {gib:.0f} GiB, {platform.system()} {platform.release()}"


@dataclass(frozen=True)
class CpuClock:
    """CPU seconds of the whole machine since it started, and the time."""

    busy: float
    steal: float
    at: float

    @classmethod
    def read(cls) -> CpuClock:
        """Returns the clock now."""
        times = psutil.cpu_times()
        steal = getattr(times, "steal", 0.0)
        idle = times.idle + getattr(times, "iowait", 0.0)
        guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        # The kernel counts guests in `user` and `nice`, too.
        return cls(sum(times) - idle - steal - guest, steal, time.monotonic())


@dataclass(frozen=True)
class Disturbance:
    """Shares of the machine's CPU in a window, between 0 and 1: of other processes, and of the host."""

    others: float
    steal: float

    @classmethod
    def between(cls, before: CpuClock, after: CpuClock, own: float, cpus: int) -> Disturbance:
        """Returns the disturbance of a window in which the measured processes and the load generator
        used `own` CPU seconds."""
        capacity = max(1e-9, (after.at - before.at) * cpus)
        others = max(0.0, after.busy - before.busy - own)
        return cls(others / capacity, (after.steal - before.steal) / capacity)

    @property
    def is_quiet(self) -> bool:
        return self.others <= MOST_OTHERS and self.steal <= MOST_STEAL


def disturbance_now(seconds: float) -> Disturbance:
    """Returns how busy the machine is before a run, when nothing is measured yet."""
    before, own = CpuClock.read(), own_cpu()
    time.sleep(seconds)
    return Disturbance.between(before, CpuClock.read(), own_cpu() - own, os.cpu_count() or 1)


def own_cpu() -> float:
    """Returns the CPU seconds of this process and of its children that have ended, the load
    generators."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def refusals(windows: list[Disturbance]) -> list[str]:
    """Returns why figures of these windows are not for the documentation. Empty if they are."""
    busy = [window for window in windows if not window.is_quiet]
    if not windows:
        return ["nothing was measured"]
    if not busy:
        return []
    others, steal = max(each.others for each in busy), max(each.steal for each in busy)
    return [
        f"the machine was busy in {len(busy)} of {len(windows)} windows: other processes used up to "
        f"{others:.0%} of its CPU (limit {MOST_OTHERS:.0%}), the host took up to {steal:.0%} "
        f"(limit {MOST_STEAL:.0%})"
    ]
