"""The benchmark writes no documentation from a run on a busy machine, or from a short one."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from bench import __main__ as command
from bench import machine, publication
from bench.__main__ import LONG
from bench.machine import MOST_OTHERS, MOST_STEAL, CpuClock, Disturbance, refusals
from bench.measurement import Measurement, Plan
from bench.publication import DOCUMENT, FLOORS, SIDES, marks, write
from bench.windows import FLOOR, OURS, Row

QUIET = Disturbance(others=0.01, steal=0.0)
BUSY = Disturbance(others=0.5, steal=0.0)
ROWS = [
    Row(side, "W3", number, 1000.0, 900.0, 2000.0, cpu, cpu, 10.0, 0.0, 0)
    for number in range(1, 6)
    for side, cpu in ((OURS, 100.0), ("oidc-provider", 200.0), (FLOOR, 50.0))
]


def measured(
    plan: Plan = LONG, *disturbances: Disturbance, rows: list[Row] = ROWS, finished: bool = True
) -> Measurement:
    return Measurement(plan, rows=rows, disturbances=[*disturbances] or [QUIET], finished=finished)


def reasons(plan: Plan = LONG, *disturbances: Disturbance, rows: list[Row] = ROWS) -> list[str]:
    return publication.reasons_against(measured(plan, *disturbances, rows=rows))


def with_errors(count: int) -> list[Row]:
    """Returns the rows, with errors in so many rounds of ours."""
    return [
        replace(row, errors=3) if row.side == OURS and row.round <= count else row for row in ROWS
    ]


@pytest.fixture
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A document with both parts, which the command writes instead of the real one."""
    file = tmp_path / "performance.md"
    parts = ["\n".join((marks(part)[0], "old", marks(part)[1])) for part in (SIDES, FLOORS)]
    file.write_text("before\n" + "\nbetween\n".join(parts) + "\nafter\n")
    monkeypatch.setattr(publication, "DOCUMENT", file)
    return file


def test_a_quiet_long_run_is_for_the_documentation() -> None:
    """What --docs runs by itself meets every bound."""
    assert reasons() == []
    assert reasons(LONG, QUIET, Disturbance(MOST_OTHERS, MOST_STEAL)) == []


@pytest.mark.parametrize(
    "busy", [Disturbance(MOST_OTHERS + 0.01, 0.0), Disturbance(0.0, MOST_STEAL + 0.01)]
)
def test_one_busy_window_is_refused(busy: Disturbance) -> None:
    """Other processes, or the host of the virtual machine, took part of the CPU in one window, and
    again when it was repeated."""
    (reason,) = reasons(LONG, QUIET, busy, QUIET)

    assert reason.startswith("the machine was busy in 1 of 3 windows")


def test_a_run_without_windows_is_refused() -> None:
    """Nothing measured is no proof of a quiet machine."""
    assert refusals([]) == ["nothing was measured"]


@pytest.mark.parametrize("field", ["rounds", "seconds", "warm", "warm_side", "age"])
def test_a_short_run_is_refused(field: str) -> None:
    """A cold peer, and data that has not aged, look better or worse than they are."""
    assert any(
        reason.startswith("too short: 1 ") for reason in reasons(replace(LONG, **{field: 1}))
    )


def test_a_run_that_was_broken_off_is_refused() -> None:
    """Its last rounds are missing, whatever it has measured before."""
    assert publication.reasons_against(measured(finished=False)) == ["the run did not finish"]


def test_one_failed_window_does_not_spoil_a_run_and_two_do() -> None:
    """A failed request is cheap, so its window does not count. Four rounds of five are enough."""
    assert reasons(rows=with_errors(1)) == []
    assert reasons(rows=with_errors(2)) == ["requests failed in more than one round: aero2 W3"]


def test_a_run_without_a_peer_or_with_a_failure_is_refused() -> None:
    """A figure without a peer says little, and a side that failed while it aged has too little data."""
    failed = measured()
    failed.failures.append("oidc-provider failed while its data aged: it is gone")

    assert reasons(rows=[row for row in ROWS if row.side == OURS]) == [
        "no peer was measured (--peer)"
    ]
    assert publication.reasons_against(failed) == failed.failures


def test_a_disturbance_is_what_others_used() -> None:
    """Ten seconds on two CPUs: 15 CPU seconds were busy, 14 of them ours, and the host took one."""
    before, after = CpuClock(100.0, 5.0, 1000.0), CpuClock(115.0, 6.0, 1010.0)

    found = Disturbance.between(before, after, own=14.0, cpus=2)

    assert found.others == pytest.approx(0.05)
    assert found.steal == pytest.approx(0.05)
    assert not found.is_quiet
    assert Disturbance.between(before, after, own=99.0, cpus=2).others == 0.0


def test_a_refused_run_changes_nothing(document: Path) -> None:
    """The measured parts of the document are replaced only if no reason is against it."""
    before = document.read_text()

    assert publication.publish(measured(LONG, BUSY), document)
    assert document.read_text() == before


def test_both_parts_are_written(document: Path) -> None:
    """The comparison and the floors come from the same run. All else stays."""
    assert publication.publish(measured(), document) == []

    text = document.read_text()
    assert "old" not in text
    assert "| W3 | **0.50** (0.50–0.50) | 0.65 | reached |" in text
    assert "| W3 | 50 (50 + 10 + 0) | 0.25 | 0.65 | **2.0** | 2.0 | 1.0 |" in text
    assert [line for line in text.splitlines() if line in ("before", "between", "after")] == [
        "before",
        "between",
        "after",
    ]
    with pytest.raises(ValueError, match="has no part"):
        write("no such part", SIDES, "new")


def test_the_document_has_the_parts() -> None:
    """The marks stand in docs/performance.md, once each."""
    text = DOCUMENT.read_text()

    for part in (SIDES, FLOORS):
        assert [text.count(mark) for mark in marks(part)] == [1, 1]


def run(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    """Calls `make bench` where nothing may be started."""
    monkeypatch.setattr(sys, "argv", ["bench", *options])
    monkeypatch.setattr(command, "_measure", lambda *_: pytest.fail("it was measured again"))
    return command.main()


def test_a_stored_run_is_written_without_another_run(
    tmp_path: Path, document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour of measuring must not depend on the last line of a program."""
    stored = tmp_path / "stored.json"
    measured().save(stored)

    assert run(monkeypatch, "--from", str(stored)) == 0
    assert "old" in document.read_text()
    assert run(monkeypatch, "--docs", "--from", str(stored)) == 0
    assert "**0.50**" in document.read_text()


def test_a_stored_run_that_is_not_good_enough_is_shown_and_not_written(
    tmp_path: Path,
    document: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What a broken run has measured can be read, and its end is named."""
    stored = tmp_path / "stored.json"
    measured(finished=False).save(stored)

    assert run(monkeypatch, "--docs", "--from", str(stored)) == 2
    said = capsys.readouterr()
    assert "**The run did not finish.**" in said.out
    assert "not written: the run did not finish" in said.err
    assert "old" in document.read_text()


def test_docs_do_not_start_on_a_busy_machine(
    document: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three quarters of an hour later would be late to say so."""
    monkeypatch.setattr(machine, "disturbance_now", lambda seconds: BUSY)

    assert run(monkeypatch, "--docs") == 2
    assert "other processes use 50%" in capsys.readouterr().err
