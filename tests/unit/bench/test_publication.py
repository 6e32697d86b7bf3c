"""The benchmark writes no documentation from a run on a busy machine, or from a short one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from bench import publication
from bench.__main__ import LONG
from bench.machine import MOST_OTHERS, MOST_STEAL, CpuClock, Disturbance, refusals
from bench.publication import BEGIN, DOCUMENT, END
from bench.rounds import Measurement, Plan, Side, in_turn
from bench.windows import OURS, Row

QUIET = Disturbance(others=0.01, steal=0.0)
ROWS = [
    Row(side, "W3", 1, 1000.0, 900.0, 2000.0, 100.0, 90.0, 10.0, 0.0, 0) for side in (OURS, "peer")
]


def reasons(plan: Plan = LONG, *disturbances: Disturbance, rows: list[Row] = ROWS) -> list[str]:
    return publication.reasons_against(plan, Measurement(rows, [*disturbances] or [QUIET]))


def test_a_quiet_long_run_is_for_the_documentation() -> None:
    """What --docs runs by itself meets every bound."""
    assert reasons() == []
    assert reasons(LONG, QUIET, Disturbance(MOST_OTHERS, MOST_STEAL)) == []


@pytest.mark.parametrize(
    "busy", [Disturbance(MOST_OTHERS + 0.01, 0.0), Disturbance(0.0, MOST_STEAL + 0.01)]
)
def test_one_busy_window_is_refused(busy: Disturbance) -> None:
    """Other processes, or the host of the virtual machine, took part of the CPU in one window."""
    (reason,) = reasons(LONG, QUIET, busy, QUIET)

    assert reason.startswith("the machine was busy in 1 of 3 windows")


def test_a_run_without_windows_is_refused() -> None:
    """Nothing measured is no proof of a quiet machine."""
    assert refusals([]) == ["nothing was measured"]


@pytest.mark.parametrize("field", ["rounds", "seconds", "warm", "age"])
def test_a_short_run_is_refused(field: str) -> None:
    """A cold peer, and data that has not aged, look better or worse than they are."""
    (reason,) = reasons(replace(LONG, **{field: 1}))

    assert reason.startswith("too short: 1 ")


def test_a_run_with_errors_or_without_a_peer_is_refused() -> None:
    """Failed requests are cheap, and a figure without a peer says little."""
    failed = [replace(ROWS[0], errors=3), ROWS[1]]

    assert reasons(rows=failed) == ["requests failed: aero2 W3"]
    assert reasons(rows=ROWS[:1]) == ["no peer was measured (--peer)"]


def test_a_disturbance_is_what_others_used() -> None:
    """Ten seconds on two CPUs: 15 CPU seconds were busy, 14 of them ours, and the host took one."""
    before, after = CpuClock(100.0, 5.0, 1000.0), CpuClock(115.0, 6.0, 1010.0)

    found = Disturbance.between(before, after, own=14.0, cpus=2)

    assert found.others == pytest.approx(0.05)
    assert found.steal == pytest.approx(0.05)
    assert not found.is_quiet
    assert Disturbance.between(before, after, own=99.0, cpus=2).others == 0.0


def test_a_refused_run_changes_nothing(tmp_path: Path) -> None:
    """The measured part of the document is replaced only if no reason is against it."""
    document = tmp_path / "performance.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    assert not publication.write("new", ["the machine was busy"], document)
    assert "old" in document.read_text()
    assert publication.write("new", [], document)
    assert document.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    document.write_text("no such part")
    with pytest.raises(ValueError, match="has no part"):
        publication.write("new", [], document)


def test_the_document_has_the_part() -> None:
    """The marks stand in docs/performance.md, once each."""
    text = DOCUMENT.read_text()

    assert text.count(BEGIN) == text.count(END) == 1


def test_the_first_side_changes_with_the_round() -> None:
    """Who runs first has a cooler machine, so the sides take turns."""
    ours, theirs = (
        Side(name, {}, lambda: pytest.fail("not used"), (0,)) for name in (OURS, "peer")
    )

    assert [side.name for side in in_turn([ours, theirs], 1)] == [OURS, "peer"]
    assert [side.name for side in in_turn([ours, theirs], 2)] == ["peer", OURS]
