"""Finds JSON values that would change when they are stored."""

from __future__ import annotations

import time

import pytest

from common.exact_json import faults


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (b'{"name": "A", "name": "B"}', ["name"]),
        (b'{"a": [{"b": 1, "c": {"d": 1, "d": 1}}]}', ["a.0.c.d"]),
        (b'{"n": 0.12345678901234567890123}', ["n"]),
        (b'{"n": 1e-400}', ["n"]),
        (b'{"n": 1e-99999999999999999999}', ["n"]),
        (b'{"n": 1e400}', ["n"]),
        (b'{"n": 18446744073709551616}', ["n"]),
        (b'{"s": "\\ud800"}', ["s"]),
        (b'{"n": [0.1, 0.10, 1.0, 1e2, 0.30000000000000004, 1e-300, -0.0]}', []),
        (b'{"a": {"x": 1}, "b": {"x": 1}}', []),
    ],
)
def test_what_would_be_changed_is_named(text: bytes, fields: list[str]) -> None:
    """Each place that would change is named, and no other."""
    assert [fault["field"] for fault in faults(text)] == fields


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": 1, "a": 1, ' + b", ".join(b'"%x": 1' % number for number in range(60_000)) + b"}",
        b"[" + b", ".join([b"[" * 400 + b"]" * 400] * 1000) + b"]",
        b'{"n": ' + b"1" * 800_000 + b".1}",
        b"[" + b", ".join([b'"\\ud800"'] * 80_000) + b"]",
    ],
    ids=["many names and one twice", "many deep lists", "a long number", "many half characters"],
)
def test_the_cost_grows_with_the_length_alone(text: bytes) -> None:
    """A body of the largest size takes a fraction of a second, because names are not compared in
    pairs."""
    started = time.process_time()
    assert faults(text)

    assert time.process_time() - started < 5
