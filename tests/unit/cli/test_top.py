"""`aero2 top` shows what happened between two readings of the metrics."""

from __future__ import annotations

import io
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from typer.testing import CliRunner

from aero2.__main__ import app
from aero2.failures import CommandError
from aero2.metrics_snapshot import Snapshot, listeners, take
from aero2.top import SORT_KEYS, activity
from aero2.top_screen import TopScreen

BOUNDS = (0.1, 0.2, 1.0)


class Process:
    """The metrics of one process."""

    def __init__(self, replica: str) -> None:
        self.registry = CollectorRegistry()
        at = {"service": "gateway", "replica": replica}
        self.labels = at
        names = list(at)
        self.http = Histogram(
            "aero2_http_seconds",
            "x",
            [*names, "method", "route", "status"],
            buckets=BOUNDS,
            registry=self.registry,
        )
        self.contract = Histogram(
            "aero2_contract_seconds",
            "x",
            [*names, "subject", "outcome"],
            buckets=BOUNDS,
            registry=self.registry,
        )
        self.cpu = Counter("process_cpu_seconds", "x", names, registry=self.registry)
        self.memory = Gauge("process_resident_memory_bytes", "x", names, registry=self.registry)
        self.outbox = Gauge("aero2_outbox_waiting", "x", [*names, "writer"], registry=self.registry)

    def answer(self, route: str, seconds: float, status: str = "200") -> None:
        labels = {"method": "GET", "route": route, "status": status} | self.labels
        self.http.labels(**labels).observe(seconds)

    def call(self, subject: str, outcome: str) -> None:
        labels = {"subject": subject, "outcome": outcome} | self.labels
        self.contract.labels(**labels).observe(0.05)


def snapshot(at: float, *processes: Process) -> Snapshot:
    samples: dict[str, list[object]] = {}
    for process in processes:
        text = generate_latest(process.registry).decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                samples.setdefault(sample.name, []).append(sample)
    return Snapshot(at, samples)  # type: ignore[arg-type]


def test_rates_times_and_faults_of_all_replicas() -> None:
    """Answers of two replicas in four seconds are added. What was before does not count."""
    one, two = Process("0"), Process("1")
    one.answer("/login", 0.9)
    before = snapshot(100.0, one, two)
    for process in (one, two):
        for _ in range(10):
            process.answer("/login", 0.05)
    one.answer("/login", 0.15, "503")
    one.cpu.labels(**one.labels).inc(2)
    one.memory.labels(**one.labels).set(5e6)
    found = activity(before, snapshot(104.0, one, two), "rate")

    (login,) = found.routes
    assert login.name == "GET /login"
    assert (login.answers, login.faults, login.rate) == (21, 1, 21 / 4)
    assert login.mean == pytest.approx((20 * 0.05 + 0.15) / 21)
    assert login.p95 == pytest.approx(0.1 * 0.95 * 21 / 20)
    assert [(each.name, each.cpu, each.memory) for each in found.processes] == [
        ("gateway", 0.5, 5e6)
    ]


def test_a_process_that_began_again_counts_from_zero() -> None:
    """Its counters are smaller than before, and no rate is negative."""
    old, new = Process("0"), Process("0")
    for _ in range(50):
        old.answer("/login", 0.05)
    for _ in range(3):
        new.answer("/login", 0.05)
    (login,) = activity(snapshot(0, old), snapshot(1, new), "rate").routes

    assert login.answers == 3


def test_a_route_without_answers_is_left_out() -> None:
    process = Process("0")
    process.answer("/login", 0.05)

    assert activity(snapshot(0, process), snapshot(1, process), "rate").routes == []


def test_refusals_of_contracts_are_no_faults() -> None:
    process = Process("0")
    before = snapshot(0, process)
    for outcome in ("ok", "not_found", "internal", "deadline_exceeded"):
        process.call("rbac.role.get", outcome)
    (role,) = activity(before, snapshot(1, process), "rate").contracts

    assert (role.answers, role.faults, role.fault_share) == (4, 2, 0.5)


@pytest.mark.parametrize(
    ("sort", "first"),
    [("rate", "/many"), ("mean", "/slow"), ("p95", "/slow"), ("errors", "/faulty"), ("name", "/a")],
)
def test_the_order(sort: str, first: str) -> None:
    """Each sort key puts another route first."""
    process = Process("0")
    before = snapshot(0, process)
    for _ in range(9):
        process.answer("/many", 0.05)
    process.answer("/slow", 0.9)
    process.answer("/faulty", 0.05, "500")
    process.answer("/a", 0.05)
    found = activity(before, snapshot(1, process), sort)

    assert sort in SORT_KEYS
    assert found.routes[0].name == f"GET {first}"


def test_the_table_has_queues_and_no_control_characters() -> None:
    """Labels come from other processes."""
    process = Process("0")
    before = snapshot(0, process)
    process.answer("/x\x1b[2J", 0.05)
    process.outbox.labels(**process.labels, writer="oidc").set(7)
    readings = iter([before, snapshot(1, process)])
    output = io.StringIO()
    console = Console(file=output, width=120)
    TopScreen(lambda: next(readings), console, interval=0).once()
    lines = output.getvalue()

    assert "\x1b" not in lines
    assert ["events", "of", "oidc", "7"] in [line.split() for line in lines.splitlines()]
    assert "GET /x?[2J" in lines


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Response]:
    """What a listener answers."""
    queue: list[httpx.Response] = []

    def get(url: str, **more: object) -> httpx.Response:
        return queue.pop(0)

    monkeypatch.setattr(httpx, "get", get)
    return queue


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(401), "AERO2_METRICS_TOKEN"),
        (httpx.Response(500), "answered 500"),
        (httpx.Response(200, text="<html>"), "no metrics"),
        (httpx.Response(200, text='a{b="} 1\nx y z w\n'), "no metrics"),
    ],
)
def test_something_else_at_the_address_is_a_sentence(
    answers: list[httpx.Response], answer: httpx.Response, said: str
) -> None:
    answers.append(answer)
    with pytest.raises(CommandError, match=said):
        take(["http://x/metrics"])


def test_addresses(tmp_path: Path) -> None:
    """A path is added where there is none. Without an address there must be a running folder."""
    assert listeners(None, ["http://a:1", "http://b/x"]) == ["http://a:1/metrics", "http://b/x"]
    with pytest.raises(CommandError, match="does not run"):
        listeners(tmp_path, [])


def test_a_wrong_sort_key_is_a_sentence() -> None:
    ran = CliRunner().invoke(app, ["top", "--sort", "colour"])

    assert ran.exit_code == 1
    assert "--sort is one of rate, mean" in ran.stderr
