"""Tests that need a program which is missing here are skipped: Chromium (`browser`), Docker
(`docker`), Node.js (`node`), Debian's packages of two stock clients (`apache`, `ruby`). If
AERO2_REQUIRE names their marker (`AERO2_REQUIRE=browser,docker`), a skipped one fails the run."""

from __future__ import annotations

import os

import pytest

required = frozenset(filter(None, os.environ.get("AERO2_REQUIRE", "").split(",")))
skipped: list[str] = []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):  # type: ignore[no-untyped-def]
    report = (yield).get_result()
    if report.skipped and any(item.get_closest_marker(name) for name in required):
        skipped.append(f"{item.nodeid}: {report.longrepr[2] if report.longrepr else ''}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in skipped:
        terminalreporter.write_line(f"REQUIRED BUT SKIPPED {line}", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
