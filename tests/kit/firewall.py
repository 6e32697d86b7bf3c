"""Drops packets on this machine, for tests of networks."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest


def require_firewall() -> None:
    """Skips the test if this account may not change the firewall."""
    tried = ["iptables", "-w", "-n", "-L", "OUTPUT"]
    if (
        shutil.which("iptables") is None
        or subprocess.run(tried, capture_output=True, check=False).returncode
    ):
        pytest.skip("the firewall of this machine cannot be changed")


@contextmanager
def dropped(*rules: Sequence[str]) -> Iterator[None]:
    """Drops the packets that this machine sends and that match a rule, without a word to anybody."""
    require_firewall()
    try:
        for rule in rules:
            subprocess.run(["iptables", "-w", "-I", "OUTPUT", *rule, "-j", "DROP"], check=True)
        yield
    finally:
        for rule in rules:
            subprocess.run(["iptables", "-w", "-D", "OUTPUT", *rule, "-j", "DROP"], check=False)
