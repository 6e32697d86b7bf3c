"""The geometry of bar charts."""

from __future__ import annotations

import pytest

from gateway.dashboard.bar_chart import HEIGHT, Datum, bar_chart


def test_a_zero_is_a_bar_and_none_is_a_gap() -> None:
    """Nothing happened is not the same as nothing known. A small value is higher than a zero."""
    gap, zero, one, most = bar_chart([Datum(None), Datum(0), Datum(1), Datum(900)]).bars

    assert gap.height == ""
    assert 0 < float(zero.height) < float(one.height) < float(most.height) <= HEIGHT


@pytest.mark.parametrize(
    ("most", "lines"),
    [
        (0, [1, 0]),
        (1, [1, 0]),
        (3, [3, 2, 1, 0]),
        (4, [4, 2, 0]),
        (100, [100, 50, 0]),
        (12_480, [15_000, 10_000, 5_000, 0]),
    ],
)
def test_lines_stand_for_round_numbers(most: int, lines: list[int]) -> None:
    """The grid has at most three steps of 1, 2 or 5 with zeros, and holds the largest value."""
    assert [line.value for line in bar_chart([Datum(most)]).lines] == lines


@pytest.mark.parametrize("count", [1, 7, 24, 90])
def test_bars_fill_the_width(count: int) -> None:
    """The rooms of the bars meet, and tips stay inside."""
    bars = bar_chart([Datum(n) for n in range(count)]).bars
    ends = [float(bar.room.x[:-1]) + float(bar.room.width[:-1]) for bar in bars]

    assert ends[-1] == pytest.approx(100, abs=0.05)
    assert all(0 <= float(bar.room.tip_x[:-1]) <= 100.05 for bar in bars)
    assert (bars[0].room.anchor, bars[-1].room.anchor) == (
        "start",
        "start" if count == 1 else "end",
    )


def test_the_current_period_is_marked() -> None:
    """A bar that is not over is drawn in another way."""
    assert [bar.finished for bar in bar_chart([Datum(1), Datum(1, finished=False)]).bars] == [
        True,
        False,
    ]
