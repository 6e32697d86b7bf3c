"""JSON that would not be kept as it was sent."""

from __future__ import annotations

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
    """Each place is named; what survives a round trip is no fault."""
    assert [fault["field"] for fault in faults(text)] == fields
