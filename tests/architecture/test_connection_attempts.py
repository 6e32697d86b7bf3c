"""No connection to NATS is tried without end by mistake: nats-py reads 0 attempts as "always"."""

from __future__ import annotations

import re

from .source import ROOT

ENDLESS = re.compile(r"max_reconnect_attempts\W{1,4}0\b")


def test_zero_attempts_are_not_written() -> None:
    """1 is one attempt more, and -1 says that there is no end."""
    files = [
        file
        for area in ("libs", "services", "cli", "tests", "bench")
        for file in (ROOT / area).rglob("*.py")
    ]
    assert [str(file.relative_to(ROOT)) for file in files if ENDLESS.search(file.read_text())] == []


def test_the_rule_finds_both_ways_to_write_it() -> None:
    """As an argument, and as a key of a dict."""
    assert ENDLESS.search("connect(max_reconnect_" + "attempts=0)")
    assert ENDLESS.search('{"max_reconnect_' + 'attempts": 0}')
    assert not ENDLESS.search("connect(max_reconnect_" + "attempts=-1)")
