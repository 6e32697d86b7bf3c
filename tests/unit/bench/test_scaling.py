"""The arithmetic of docs/scaling.md."""

from __future__ import annotations

import pytest
from bench.publication import DOCUMENT as PERFORMANCE
from bench.scaling import (
    BYTES_OF_RECORD,
    BYTES_OF_SESSION,
    BYTES_OF_USER,
    DOCUMENT,
    Cost,
    Day,
    costs,
    need,
    table,
    write,
)

MILLISECOND = 1e-3
SIMPLE = {
    "W6-full-login": Cost(30 * MILLISECOND, 6 * MILLISECOND, 2 * MILLISECOND),
    "W6-code-flow": Cost(0, 0, 0),
    "W3": Cost(MILLISECOND, 0, 0),
    "W1-session": Cost(0, 0, 0),
}


def test_the_document_has_the_table_of_the_measured_costs() -> None:
    """New costs need a new table: `python -m bench.scaling --write`."""
    text = DOCUMENT.read_text()

    assert write(text, table(Day(), costs(PERFORMANCE.read_text()))) == text


def test_the_document_names_the_sizes() -> None:
    """Bytes of a user, of a session and of a record stand in the page as they are computed with."""
    text = DOCUMENT.read_text()

    assert all(
        f"| {size:,} |" in text for size in (BYTES_OF_USER, BYTES_OF_SESSION, BYTES_OF_RECORD)
    )


def test_costs_are_those_of_separate_services() -> None:
    """The table of one process and those of peers stand below it and are not read."""
    text = (
        "\naero2:\n\n| W3 | 1,631 (354 + 1,222 + 56) | 2,494 | 6.2 |\n"
        "\ntogether:\n\n| W3 | 454 (289 + 161 + 5) | 3,231 | 4.6 |\n"
    )

    assert costs(text) == {"W3": Cost(354e-6, 1222e-6, 56e-6)}


def test_cores_follow_from_the_rate_in_the_busiest_minutes() -> None:
    """86,400 active users with one sign-in a day are one a second, and six at the peak."""
    day = Day(active=1, sign_ins=1, code_flows=0, refreshes=0, checks=0, peak=6, busy=0.5)
    one = need(86_400, day, SIMPLE)

    assert one.sign_ins == pytest.approx(6)
    assert one.requests == pytest.approx(6)
    assert one.cores == pytest.approx((0.36, 0.072, 0.024))
    assert one.commits == pytest.approx(30)


def test_data_is_users_and_the_sessions_of_active_ones() -> None:
    """Records are counted apart, by the year."""
    one = need(1000, Day(active=0.5, records=2), SIMPLE)

    assert one.data == 1000 * BYTES_OF_USER + 1000 * BYTES_OF_SESSION
    assert one.records == 500 * 2 * 365 * BYTES_OF_RECORD


def test_a_document_without_a_place_is_refused() -> None:
    """The text is not lost in a document that has been changed."""
    with pytest.raises(ValueError, match="has no part"):
        write("nothing", "| table |")
