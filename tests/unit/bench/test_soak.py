"""The judgement of a soak test, on made-up series."""

from __future__ import annotations

import random
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from bench.soak import report
from bench.soak.__main__ import RAISED_SPEED
from bench.soak.judgement import BOUNDS, Series, Verdict, judge, second_half, slope
from bench.soak.load import Tally
from bench.soak.plot import Chart, draw
from bench.soak.sampling import of_metrics
from tests.kit.instance import environment

SECONDS = range(0, 1201, 10)
"""When the samples of a run of 20 minutes are taken."""


def noisy(start: float, per_minute: float, noise: float, seed: int = 1) -> Series:
    """Returns a figure that rises so fast, with noise."""
    chance = random.Random(seed)
    return [(at, start + per_minute * at / 60 + chance.uniform(-noise, noise)) for at in SECONDS]


def only(name: str, series: Series) -> Verdict:
    (verdict,) = judge({name: series})
    return verdict


@pytest.mark.parametrize("seed", range(20))
def test_a_leak_of_a_mebibyte_a_minute_is_not_flat(seed: int) -> None:
    """It is found in the noise of a process that allocates and frees."""
    assert not only("memory/oidc", noisy(90, 1.0, 3.0, seed)).flat


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_flat(seed: int) -> None:
    """The same noise without the leak is flat."""
    assert only("memory/oidc", noisy(90, 0.0, 3.0, seed)).flat


def test_what_grows_at_first_is_flat() -> None:
    """Caches fill in the first half. That is no leak."""
    series = [(at, min(at, 550) * 0.1) for at in SECONDS]

    assert only("memory/gateway", series).flat
    assert len(second_half(series)) == 61


def test_a_peak_is_no_slope() -> None:
    """One sample that is far off, also the last one, tilts nothing."""
    series = [*noisy(90, 0.0, 1.0)[:-1], (1200, 400.0)]

    assert only("memory/gateway", series).flat


def test_a_step_late_in_the_run_is_no_slope_and_steps_again_and_again_are() -> None:
    """A pool that grows once has grown once. A step of 3 MiB every two minutes is a leak."""
    once = [(at, 90.0 + 3 * (at > 1000)) for at in SECONDS]
    again = [(at, 90.0 + 3 * (at // 120)) for at in SECONDS]

    assert only("memory/gateway", once).flat
    assert not only("memory/gateway", again).flat


@pytest.mark.parametrize(
    ("name", "per_minute"),
    [
        ("descriptors/gateway", 1.0),
        ("tasks/oidc", 1.0),
        ("connections/postgres", 1.0),
        ("connections/nats", 1.0),
        ("processes/all but postgres", -0.2),
        ("stream/messages", 300.0),
        ("stream/MiB", 0.2),
        ("table/user_sessions", 0.1),
        ("indexes/user_sessions", 0.2),
        ("cache entries/gateway", 100.0),
    ],
)
def test_each_group_has_a_leak_that_is_found(name: str, per_minute: float) -> None:
    """A figure of each group that rises is not flat, and one that stays is."""
    if per_minute < 0:  # processes that die show as the rise of nothing: the count falls
        assert not only(name, [(at, 8.0 - (at > 900)) for at in SECONDS]).flat
        return
    start = 2.0 if name.startswith(("stream/M", "table", "indexes")) else 1000.0
    if name.split("/")[0] in ("descriptors", "tasks", "connections"):
        start = 40.0
    assert not only(name, noisy(start, per_minute, 0.0)).flat
    assert only(name, noisy(start, 0.0, 0.01)).flat


@pytest.mark.parametrize("name", ["dead rows/user_sessions", "outbox age/audit"])
def test_the_peaks_of_a_sawtooth_may_not_grow(name: str) -> None:
    """A vacuum that comes again and again is flat. Peaks that grow are not, nor is one that never comes."""
    teeth = [(at, float(at % 90 * 100)) for at in SECONDS]
    growing = [(at, at % 90 * 100 * (1 + at / 300) ** 4) for at in SECONDS]

    assert only(name, teeth).flat
    assert not only(name, growing).flat


def test_a_queue_that_never_drains_is_found() -> None:
    """The age of its oldest entry rises by a second each second."""
    stuck = [(at, max(0.0, at - 860.0)) for at in SECONDS]

    assert not only("outbox age/mail", stuck).flat


def test_every_group_has_a_chart_or_a_row() -> None:
    assert BOUNDS.keys() == report.CHARTS.keys() | {"processes"}


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="samples in the second half"):
        judge({"memory/oidc": [(at, 1.0) for at in range(0, 100, 10)]})


def test_an_unknown_group_is_refused() -> None:
    with pytest.raises(ValueError, match="no bound"):
        judge({"temperature/cpu": noisy(1, 0, 0)})


def test_a_slope_is_per_second() -> None:
    assert slope([(0.0, 0.0), (10.0, 5.0), (20.0, 10.0)]) == pytest.approx(0.5)


def test_metrics_are_read() -> None:
    """The figures of the replicas of a service are added. `NaN` and other figures are left out."""
    text = (
        "# HELP aero2_event_loop_tasks Tasks\n"
        'aero2_event_loop_tasks{service="oidc",replica="0"} 12.0\n'
        'aero2_event_loop_tasks{service="oidc",replica="1"} 3.0\n'
        'aero2_stream_bytes{service="identity",replica="0"} 1.048576e+06\n'
        'aero2_stream_messages{service="identity",replica="0"} NaN\n'
        'aero2_healthy{service="oidc",replica="0"} 1.0\n'
    )

    assert of_metrics(text) == {"tasks/oidc": 15.0, "stream/MiB": 1.0}


def test_the_picture_is_svg_with_its_lines() -> None:
    """Names are text, whatever they contain, and no label lies on another."""
    lines = {"a<b": noisy(5, 0, 0), "c": noisy(5, 0, 0), "d": noisy(0, 0, 0)}
    root = ET.fromstring(draw([Chart("Memory & more", lines)], "A run"))
    texts = [
        (each.text, float(each.get("y") or 0)) for each in root.iter() if each.tag.endswith("text")
    ]
    labels = [y for text, y in texts if text in lines]

    assert len([each for each in root.iter() if each.tag.endswith("polyline")]) == 3
    assert "Memory & more" in [text for text, _ in texts]
    assert len(labels) == 3
    assert min(abs(a - b) for a in labels for b in labels if a is not b and a != b) >= 12


def test_the_page_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The measured part is replaced, and the rest stays. What is not flat is said."""
    document, shown = tmp_path / "soak.md", tmp_path / "soak.svg"
    document.write_text(report.DOCUMENT.read_text())
    monkeypatch.setattr(report, "DOCUMENT", document)
    monkeypatch.setattr(report, "PICTURE", shown)
    series = {"memory/oidc": noisy(90, 1, 1), "tasks/oidc": noisy(9, 0, 0)}
    report.write_docs(series, judge(series), Tally())
    once = document.read_text()
    report.write_docs(series, judge(series), Tally())

    assert document.read_text() == once
    assert once.startswith("# Soak test")
    assert "| **no** |" in once
    assert "| yes |" in once
    assert "A run of 20 minutes" in once
    ET.fromstring(shown.read_text())


def test_a_table_that_grows_by_design_is_not_judged() -> None:
    """Its dead rows are."""
    growing = noisy(5, 1.0, 0)
    verdicts = judge({"table/audit_chain": growing, "dead rows/audit_chain": noisy(9, 0, 0)})

    assert [each.name for each in verdicts] == ["dead rows/audit_chain"]


def test_the_raised_speed_fits_the_product() -> None:
    """What it replaces is there, and what the services then use is what it sets."""
    path = {"PYTHONPATH": str(RAISED_SPEED)}
    program = (
        "import asyncio, sys; sys.path.append(sys.argv[1]);"
        "import common.outbox, common.sweeps, tenancy.audit_retention as retention, sitecustomize;"
        "from inspect import signature;"
        "assert common.outbox.KEPT == common.outbox.WINDOW == sitecustomize.STREAM_KEPT;"
        "assert retention.run_periodically is sitecustomize.run_periodically;"
        "assert common.sweeps.run_periodically is sitecustomize.run_periodically;"
        "assert 'now' in signature(retention.delete_old_events).parameters"
    )
    services = Path(report.__file__).parents[2] / "services"
    done = subprocess.run(
        [sys.executable, "-c", program, str(services)],
        env=environment() | path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
