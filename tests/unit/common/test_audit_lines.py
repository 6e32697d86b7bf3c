"""Reading the messages of the audit stream never fails, whatever they contain."""

from __future__ import annotations

import orjson
from hypothesis import assume, given
from hypothesis import strategies as st

from common.audit_lines import TYPE, line_count, read_lines
from common.ids import new_id

APP = "01900000-0000-7000-8000-00000000000a"
GOOD = {"id": new_id(), "app_id": APP, "event_type": "login"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.lists(st.binary(max_size=40) | JSON.map(orjson.dumps)), st.integers(0, 5))
def test_other_lines_hold_up_no_event(others: list[bytes], skip: int) -> None:
    """The event between any other lines is read, with the number of its line."""
    before = b"\n".join([b"", *others])
    data = before + b"\n" + orjson.dumps(GOOD) + b"\n" + before
    number = line_count(before) + 1
    events = list(read_lines(data, APP, skip=skip))

    assert [event.number for event in events] == ([number] if number > skip else [])
    assert all(event.number <= line_count(data) for event in events)


@given(st.sampled_from(sorted(GOOD)), JSON)
def test_each_field_is_checked(name: str, value: object) -> None:
    """An id, a type and an application that are none make no event."""
    assume(not (isinstance(value, str) and TYPE.fullmatch(value)))
    assert list(read_lines(orjson.dumps(GOOD | {name: value}), APP)) == []
