"""The time of day is the database's, and a process whose clock is far from it refuses requests."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from common import clock
from common.clock_guard import MOST, check_clock


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_started", None)


def server() -> Any:
    return SimpleNamespace(name="oidc", refusal=None)


def test_before_the_database_has_answered_the_machine_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1000.0)

    assert clock.now() == 1000.0


@pytest.mark.parametrize("ahead", [-90.0, 90.0])
def test_the_database_counts_then(monkeypatch: pytest.MonkeyPatch, ahead: float) -> None:
    """The time is that of the database, also after the machine's time was set."""
    right = time.time()
    monkeypatch.setattr(time, "time", lambda: right + ahead)
    clock.correct(ahead)

    assert clock.now() == pytest.approx(right, abs=5)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert clock.now() == pytest.approx(right, abs=5)
    assert clock.utc_now().timestamp() == pytest.approx(right, abs=5)


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_clock_that_is_far_off_refuses_until_it_is_right(sign: int) -> None:
    """Up to the bound nothing is refused. A repeated look changes nothing."""
    made = server()
    check_clock(made, sign * MOST)
    assert made.refusal is None
    for _ in range(2):
        check_clock(made, sign * (MOST + 1))
        refusal: Any = made.refusal
        assert (refusal.status, refusal.extra["retry_after"]) == (503, 5)
    check_clock(made, 0.5)
    assert made.refusal is None


def test_a_process_that_serves_nothing_is_corrected() -> None:
    check_clock(None, 600.0)

    assert clock.now() == pytest.approx(time.time() - 600, abs=5)
