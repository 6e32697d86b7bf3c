"""The history checker finds each kind of violation in made-up histories, and nothing in true ones."""

from __future__ import annotations

from collections import Counter
from itertools import count

import pytest
from tests.kit.history import (
    ABSENT,
    PRESENT,
    Act,
    History,
    Operation,
    Outcome,
    ViolationKind,
    outcome_of,
)


@pytest.fixture
def history() -> History:
    """A history whose clock goes one second further with each look."""
    ticks = count()
    return History(clock=lambda: float(next(ticks)))


def faults(history: History) -> list[ViolationKind]:
    return [violation.rule for violation in history.violations()]


def write(history: History, value: str = PRESENT) -> Operation:
    return history.invoke("writes", Act.WRITE, "key", value)


def read(history: History, value: str | None) -> None:
    history.invoke("reads", Act.READ, "key").ok(value)


def end(history: History) -> Operation:
    return history.invoke("ends", Act.END, "key")


def take(history: History) -> Operation:
    return history.invoke("takes", Act.TAKE, "key")


def test_a_write_that_was_acknowledged_is_there(history: History) -> None:
    write(history).ok()
    read(history, PRESENT)
    end(history).ok()
    read(history, ABSENT)

    assert faults(history) == []


def test_an_acknowledged_write_is_missing(history: History) -> None:
    write(history).ok()
    read(history, ABSENT)

    assert faults(history) == [ViolationKind.LOST]


def test_a_read_is_older_than_the_last_acknowledged_write(history: History) -> None:
    write(history, "old").ok()
    write(history, "new").ok()
    read(history, "old")

    assert faults(history) == [ViolationKind.LOST]


def test_a_read_goes_back_behind_an_earlier_read(history: History) -> None:
    """A read has shown that an unknown write took effect. A later read must see it, too."""
    write(history, "old").ok()
    write(history, "new").info()
    read(history, "new")
    read(history, "old")

    assert faults(history) == [ViolationKind.LOST]


@pytest.mark.parametrize("seen", [ABSENT, PRESENT])
def test_an_unknown_write_may_be_there_or_not(history: History, seen: str | None) -> None:
    write(history).info()
    read(history, seen)

    assert faults(history) == []


def test_an_unknown_write_may_take_effect_later(history: History) -> None:
    write(history).info()
    read(history, ABSENT)
    read(history, PRESENT)

    assert faults(history) == []


@pytest.mark.parametrize("seen", ["old", "new"])
def test_a_read_beside_a_write_sees_either(history: History, seen: str) -> None:
    write(history, "old").ok()
    under_way = write(history, "new")
    read(history, seen)
    under_way.ok()

    assert faults(history) == []


def test_a_write_that_failed_is_there(history: History) -> None:
    write(history).fail()
    read(history, PRESENT)

    assert faults(history) == [ViolationKind.EFFECT_OF_FAILURE]


def test_a_revocation_that_failed_has_revoked(history: History) -> None:
    write(history).ok()
    end(history).fail()
    read(history, ABSENT)

    assert faults(history) == [ViolationKind.EFFECT_OF_FAILURE]


def test_a_value_that_nobody_wrote(history: History) -> None:
    write(history, "1").ok()
    read(history, "2")

    assert faults(history) == [ViolationKind.NEVER_WRITTEN]


def test_a_value_is_read_before_it_is_written(history: History) -> None:
    read(history, PRESENT)
    write(history).ok()

    assert faults(history) == [ViolationKind.NEVER_WRITTEN]


def test_what_was_revoked_is_alive(history: History) -> None:
    write(history).ok()
    end(history).ok()
    read(history, PRESENT)

    assert faults(history) == [ViolationKind.REVIVED]


def test_what_may_have_been_revoked_is_alive(history: History) -> None:
    write(history).ok()
    end(history).info()
    read(history, PRESENT)

    assert faults(history) == []


def test_what_was_revoked_is_taken(history: History) -> None:
    write(history).ok()
    end(history).ok()
    take(history).ok("child")

    assert faults(history) == [ViolationKind.REVIVED]


def test_what_is_revoked_while_it_is_taken(history: History) -> None:
    write(history).ok()
    under_way = end(history)
    take(history).ok("child")
    under_way.ok()

    assert faults(history) == []


@pytest.mark.parametrize("results", [("a", "b"), (None, None)])
def test_two_take_what_may_be_used_once(
    history: History, results: tuple[str | None, str | None]
) -> None:
    for result in results:
        take(history).ok(result)

    assert faults(history) == [ViolationKind.TWO_WINNERS]


def test_the_same_success_is_told_twice(history: History) -> None:
    """A refresh token that is sent again within the grace has the same successor."""
    take(history).ok("child")
    take(history).ok("child")
    take(history).fail()

    assert faults(history) == []


def test_what_was_taken_is_there_again(history: History) -> None:
    write(history).ok()
    take(history).ok("child")
    read(history, PRESENT)

    assert faults(history) == [ViolationKind.REVIVED]


def test_events_come_once(history: History) -> None:
    for key in ("once", "twice", "never"):
        history.invoke("users", Act.WRITE, key, PRESENT).ok()
    history.invoke("users", Act.WRITE, "unknown", PRESENT).info()
    history.compare_events("users", Counter({"once": 1, "twice": 2, "unknown": 1}))

    assert faults(history) == [ViolationKind.EVENT_LOST, ViolationKind.EVENT_DOUBLED]


def test_what_was_sent_is_counted(history: History) -> None:
    write(history).ok()
    write(history).fail()
    write(history).info()
    write(history)
    read(history, PRESENT)

    totals = history.totals("writes")
    assert (totals.sent, totals.ok, totals.failed, totals.unknown) == (4, 1, 1, 2)
    assert history.totals().sent == 5


def test_it_works_again_when_each_kind_does(history: History) -> None:
    write(history).ok()
    read(history, PRESENT)
    fault = history.clock()
    write(history).info()
    kinds = ["writes", "reads"]
    assert not history.works_since(fault, kinds)
    write(history).ok()
    assert not history.works_since(fault, kinds)
    read(history, PRESENT)

    assert history.works_since(fault, kinds)
    assert history.seconds_until_it_worked(fault, kinds) == 6.0
    write(history).info()
    assert not history.works_since(fault, kinds)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (409, b"{}", Outcome.FAIL),
        (429, b"{}", Outcome.FAIL),
        (503, b'{"code": "busy"}', Outcome.FAIL),
        (503, b'{"code":"outdated"}', Outcome.FAIL),
        (503, b'{"code":"unavailable"}', Outcome.INFO),
        (504, b'{"code":"deadline_exceeded"}', Outcome.INFO),
        (500, b"{}", Outcome.INFO),
    ],
)
def test_what_an_answer_says_about_the_effect(status: int, body: bytes, outcome: Outcome) -> None:
    assert outcome_of(status, body) is outcome


def test_a_failed_check_names_what_is_wrong(history: History) -> None:
    write(history).ok()
    read(history, ABSENT)

    with pytest.raises(AssertionError, match="1 violations: acknowledged and lost: key is None"):
        history.check()
