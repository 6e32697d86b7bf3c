"""How a run of the benchmark goes: in turn, at the same time, again, and on after a failure."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from bench import rounds
from bench.__main__ import LONG, MOST_MINUTES
from bench.catalogue import WORKLOADS
from bench.load import Result
from bench.machine import Disturbance
from bench.measurement import Footprint, Measurement, Plan
from bench.processes import Cpu
from bench.progress import Progress
from bench.rounds import Side, in_turn, run
from bench.windows import OURS
from bench.workloads import Workload

PLAN = Plan(seconds=1.0, rounds=2, warm=0.0, warm_side=0.0, age=0.0, idle=0.0, attempts=3)
QUIET, BUSY = Disturbance(0.0, 0.0), Disturbance(0.9, 0.0)
PEERS_WORKLOADS = ("W1-userinfo", "W1-introspection", "W2-es256", "W2-rs256", "W3", "W5-discovery", "W5-jwks", "W6-code-flow")  # fmt: skip
STARTING = 2
"""Minutes until all sides have been installed and started."""


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is quiet, and nothing has to settle."""
    monkeypatch.setattr(rounds, "SETTLING", 0.0)
    monkeypatch.setattr(Disturbance, "between", lambda *_: QUIET)


def side(
    name: str, load: Callable[[float], Result] | None = None, *workloads: str, ages: bool = True
) -> Side:
    """Returns a side whose requests cost 100 µs each, and count upwards."""
    used = iter(range(1_000_000))
    made = {
        each: Workload(each, lambda: load or (lambda seconds: Result(10, seconds, 0, 1.0, 2.0)))
        for each in workloads or ("W3",)
    }
    return Side(name, made, lambda: Cpu(next(used) * 1e-3, 0.0, 0.0), (), ages)


def test_the_first_side_changes_with_the_round() -> None:
    """Who runs first has a cooler machine, so the sides take turns."""
    sides = [side(OURS), side("peer")]

    assert [each.name for each in in_turn(sides, 1)] == [OURS, "peer"]
    assert [each.name for each in in_turn(sides, 2)] == ["peer", OURS]
    found = run(sides, ["W3"], PLAN)
    assert [row.side for row in found.rows] == [OURS, "peer", "peer", OURS]
    assert found.rows[0].cpu_us == 100.0


def test_the_long_run_is_planned_for_less_than_fifty_minutes() -> None:
    """All workloads of ours in two shapes, three peers, two floors and the hash."""
    sides = [side(name, None, *WORKLOADS) for name in (OURS, "together")]
    sides += [side(name, None, *PEERS_WORKLOADS) for name in ("one", "two", "three")]
    warm = {each.name: rounds.warming(each, LONG) for each in sides}
    floors = ("W1-userinfo", "W2-es256", "W3", "W5-jwks", "W6-code-flow")
    sides += [side(name, None, *floors, ages=False) for name in ("floor", "floor 2")]
    sides.append(side("hash", None, "W4", ages=False))

    minutes = rounds.duration(sides, list(WORKLOADS), LONG) / 60

    assert 40 < minutes < MOST_MINUTES - STARTING
    assert min(warm.values()) >= 8
    assert all(warm[each.name] * len(each.workloads) >= 30 for each in sides[: len(warm)])
    assert rounds.warming(side("few", None, "W3"), LONG) == 30
    short = replace(LONG, warm=2.0, warm_side=0.0)
    assert all(1 <= rounds.warming(each, short) <= 2 for each in sides)


def test_all_sides_age_at_the_same_time() -> None:
    """Each waits for the other, so one after the other would never end."""
    barrier = threading.Barrier(2)

    def age(seconds: float) -> Result:
        barrier.wait(timeout=20)
        return Result(1, seconds, 0, 1.0, 2.0)

    measurement = Measurement(PLAN)
    rounds._age(measurement, [side("one", age), side("two", age)], 60.0, Progress(60.0))

    assert measurement.failures == []


def test_what_stores_nothing_does_not_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """A floor has no round before ageing, and takes no part in it."""
    aged: list[str] = []

    def remember(seconds: float, each: Side) -> str:
        aged.append(each.name)
        return ""

    monkeypatch.setattr(rounds, "_age_one", remember)
    sides = [side(OURS), side("floor", ages=False)]

    found = run(sides, ["W3"], replace(PLAN, age=10.0, rounds=1))

    assert aged == [OURS]
    assert [(row.round, row.side) for row in found.rows] == [(0, OURS), (1, OURS), (1, "floor")]


def test_windows_of_a_busy_machine_are_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """All sides of the workload, so that its pair stays together. The third attempt counts anyway."""
    found_busy = iter([BUSY, QUIET, QUIET, QUIET, BUSY, BUSY, BUSY, BUSY, QUIET, BUSY])
    monkeypatch.setattr(Disturbance, "between", lambda *_: next(found_busy))

    found = run([side(OURS), side("peer")], ["W3"], PLAN)

    assert [(row.round, row.side) for row in found.rows] == [
        (1, OURS),
        (1, "peer"),
        (2, "peer"),
        (2, OURS),
    ]
    assert found.disturbances == [QUIET, QUIET, QUIET, BUSY]
    assert found.repeated == 6


def test_a_run_that_is_not_for_the_documentation_repeats_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who measures beside other work wants an end."""
    monkeypatch.setattr(Disturbance, "between", lambda *_: BUSY)

    found = run([side(OURS)], ["W3"], replace(PLAN, attempts=1))

    assert (len(found.rows), found.repeated) == (2, 0)


def test_a_side_that_fails_does_not_end_the_run(tmp_path: Path) -> None:
    """Its windows are errors. Those of the others are stored after each workload."""
    calls = iter(range(100))

    def fail(seconds: float) -> Result:
        if next(calls):
            raise ConnectionError("it is gone")
        return Result(1, seconds, 0, 1.0, 2.0)

    stored: list[int] = []
    file = tmp_path / "results" / "run.json"

    def store(measurement: Measurement) -> None:
        measurement.save(file)
        stored.append(len(Measurement.load(file).rows))

    found = run([side(OURS), side("peer", fail)], ["W3"], replace(PLAN, age=1.0), store)

    assert stored == [2, 2, 4, 6]
    assert [row.errors for row in found.rows if row.side == "peer"] == [1, 1, 1]
    assert all(row.cpu_us and not row.errors for row in found.rows if row.side == OURS)
    assert found.failures == [
        "peer failed while its data aged: ConnectionError('it is gone')",
    ]


def test_a_side_that_answers_nothing_is_found_before_the_run() -> None:
    """A run of an hour against a process that has died would measure nothing."""
    with pytest.raises(RuntimeError, match="peer answers no request of W3"):
        run([side("peer", lambda seconds: Result(0, seconds, 9, 0.0, 0.0))], ["W3"], PLAN)


def test_a_stored_measurement_is_the_same(tmp_path: Path) -> None:
    """Everything that a report needs is in the file. Another file is refused."""
    found = run([side(OURS)], ["W3"], PLAN)
    found.idle = {OURS: Cpu(0.1, 0.2, 0.3)}
    found.footprints = {OURS: Footprint(5.0, {"oidc": 40.0}, {"oidc": 50.0})}
    found.facts = {"machine": "2 CPUs"}
    found.save(tmp_path / "run.json")
    (tmp_path / "other.json").write_text('{"rows": []}')

    assert Measurement.load(tmp_path / "run.json") == found
    with pytest.raises(ValueError, match=r"other\.json is not the result"):
        Measurement.load(tmp_path / "other.json")


def test_progress_estimates_from_the_pace_so_far() -> None:
    """The first half took twice as long as planned, and so will the second."""
    now = iter([0.0, 100.0])
    progress = Progress(100.0, lambda: next(now))

    progress._done = 50.0

    assert progress.left() == 100.0
