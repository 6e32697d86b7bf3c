"""The benchmark compares windows of the same round, and takes medians."""

from __future__ import annotations

import pytest
from bench.windows import OURS, Row, ageing, by_round, difference, ratio


def row(side: str, round: int, cpu: float, *, errors: int = 0, workload: str = "W3") -> Row:
    return Row(side, workload, round, 1000.0, 900.0, 2000.0, cpu, cpu, 0.0, 0.0, errors)


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    """The machine became twice as slow in the second round. Each round's ratio is free of that; the
    ratio of the two medians would not be."""
    rows = [
        row(OURS, 1, 100),
        row("peer", 1, 200),
        row("peer", 2, 400),
        row(OURS, 2, 240),
        row(OURS, 3, 110),
        row("peer", 3, 200),
    ]

    found = ratio(rows, "W3", OURS, "peer")

    assert found is not None
    assert found.median == pytest.approx(0.55)
    assert found.lowest == pytest.approx(0.5)
    assert found.highest == pytest.approx(0.6)
    assert found.rounds == 3


def test_a_window_without_its_pair_does_not_count() -> None:
    """A round in which one side failed, the round before ageing, and another workload are left
    out."""
    rows = [
        row(OURS, 0, 1),
        row("peer", 0, 100),
        row(OURS, 1, 100),
        row("peer", 1, 100),
        row(OURS, 2, 900),
        row("peer", 2, 100, errors=1),
        row(OURS, 3, 900),
        row("peer", 3, 100, workload="W1-userinfo"),
    ]

    found = ratio(rows, "W3", OURS, "peer")

    assert found is not None
    assert (found.median, found.rounds) == (1.0, 1)
    assert ratio(rows, "W5-jwks", OURS, "peer") is None
    assert ratio(rows, "W3", OURS, "another") is None


def test_ageing_compares_with_the_time_before() -> None:
    """The median of the counted rounds is divided by round 0. Without round 0 there is no figure."""
    rows = [row(OURS, 0, 100), row(OURS, 1, 104), row(OURS, 2, 300), row(OURS, 3, 106)]

    assert ageing(rows, "W3", OURS) == pytest.approx(1.06)
    assert ageing(rows[1:], "W3", OURS) is None
    assert ageing(rows[:1], "W3", OURS) is None


def test_a_window_without_cpu_does_not_count() -> None:
    """A load that never reached the server would make a ratio of 0, or divide by it."""
    assert by_round([row(OURS, 1, 0.0)], "W3", OURS) == {}


def test_a_difference_pairs_two_workloads() -> None:
    """What a sign-in costs beyond its hash is taken from windows of the same round."""
    rows = [
        row(OURS, 0, 9_000, workload="W4"),
        row("hash", 0, 1, workload="W4"),
        row(OURS, 1, 130, workload="W4"),
        row("hash", 1, 100, workload="W4"),
        row(OURS, 2, 250, workload="W4"),
        row("hash", 2, 200, workload="W4"),
        row("hash", 3, 900, workload="W4"),
    ]

    assert difference(rows, "W4", OURS, "W4", "hash") == pytest.approx(40)
    assert difference(rows, "W4", OURS, "W4", "another") is None


def test_a_failure_never_counts() -> None:
    """A window that could not be measured has an error, and no figure."""
    failed = Row.of_failure(OURS, "W3", 1)

    assert failed.errors
    assert by_round([failed], "W3", OURS) == {}
