"""Showing help does not import what the commands need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from aero2.command_groups import GROUPS

COUNTED = """
import sys
sys.argv = ["aero2", *sys.argv[1:]]
from aero2.__main__ import app
try:
    app()
except SystemExit as end:
    assert not end.code
print("modules:", *sorted(sys.modules))
"""
HEAVY = {"asyncpg", "cryptography", "httpx", "nats", "orjson", "rich", "structlog"}


def shown(*words: str) -> tuple[str, set[str]]:
    """Returns what a command prints, and the modules that it imported."""
    command = [sys.executable, "-c", COUNTED, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    text, _, modules = done.stdout.partition("modules: ")
    return text, set(modules.split())


@pytest.mark.parametrize("words", [["--help"], ["up", "--help"], ["migrate", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    """Help imports a few small modules of the product and the parser of the command line."""
    text, modules = shown(*words)

    assert "Usage: aero2" in text
    assert not modules & HEAVY
    ours = {name for name in modules if name.split(".")[0] in ("aero2", "common")}
    small = {
        "__main__",
        "backup_commands",
        "command_groups",
        "doctor_command",
        "generators",
        "inspection",
        "process_commands",
        "up_options",
    }
    assert ours == {"aero2"} | {f"aero2.{name}" for name in small}


def test_the_list_shows_the_groups_as_they_show_themselves() -> None:
    """The list has a copy of each group's text, for speed. The copies are equal."""
    listed, _ = shown("--help")
    for group, text in GROUPS.items():
        own, modules = shown(group, "--help")
        assert f"  {group} " in listed
        assert text in listed
        assert text in own
        assert f"aero2.{group}" in modules
        assert "completion" not in own
