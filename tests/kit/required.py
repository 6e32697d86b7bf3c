"""Tests that need a program which is missing here are skipped: Chromium (`browser`), Docker
(`docker`), Helm (`helm`), Patroni and etcd (`patroni`), Node.js (`node`), Debian's packages of two stock
clients (`apache`, `ruby`), promtool (`promtool`). If AERO2_REQUIRE names their marker
(`AERO2_REQUIRE=browser,docker`), a skipped one fails the run. The same holds for tests that are skipped
because of the shape of the deployment (`AERO2_REQUIRE=compose pytest --shape compose`)."""

from __future__ import annotations

import os

import pytest

required = frozenset(filter(None, os.environ.get("AERO2_REQUIRE", "").split(",")))
skipped: list[str] = []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):  # type: ignore[no-untyped-def]
    report = (yield).get_result()
    if not report.skipped:
        return
    reason = str(report.longrepr[2] if report.longrepr else "")
    if any(item.get_closest_marker(n) or f"the shape {n} cannot" in reason for n in required):
        report.user_properties.append(("required", reason))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collects what a test reports, in the process that all workers report to."""
    reasons = [reason for name, reason in report.user_properties if name == "required"]
    skipped.extend(f"{report.nodeid}: {reason}" for reason in reasons)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in skipped:
        terminalreporter.write_line(f"REQUIRED BUT SKIPPED {line}", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
