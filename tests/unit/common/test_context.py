"""Which kind of caller may make which calls, and how a context is encoded."""

from __future__ import annotations

import time
from dataclasses import replace

import orjson
import pytest

from common.context import Caller, Context
from common.contracts.base import KNOWN, SIGNED_IN, SYSTEM
from common.ids import new_id
from common.problems import Forbidden, Unauthenticated
from common.testing import context

USER = Caller(kind="user", id=new_id(), permissions=frozenset({"users:read"}))
DELEGATED = Caller(kind="user", id=new_id(), permissions=frozenset({"users:read"}), delegated=True)
KEY = Caller(kind="secret_key", id=new_id(), permissions=frozenset({"*"}))


@pytest.mark.parametrize(
    ("caller", "needs"),
    [
        (USER, SIGNED_IN),
        (USER, KNOWN),
        (USER, "users:read"),
        (DELEGATED, "users:read"),
        (KEY, "users:delete"),
        (KEY, KNOWN),
        (Caller(), None),
    ],
)
def test_allowed(caller: Caller, needs: str | None) -> None:
    """Each kind of caller may make its own kinds of calls."""
    context(new_id(), caller).allow(needs)


@pytest.mark.parametrize(
    ("caller", "needs", "error"),
    [
        (Caller(), SIGNED_IN, Unauthenticated),
        (Caller(), KNOWN, Unauthenticated),
        (USER, "users:write", Forbidden),
        (USER, SYSTEM, Forbidden),
        (KEY, SYSTEM, Forbidden),
        (KEY, SIGNED_IN, Forbidden),
        (DELEGATED, SIGNED_IN, Forbidden),
        (DELEGATED, KNOWN, Forbidden),
        (DELEGATED, "users:write", Forbidden),
    ],
)
def test_refused(caller: Caller, needs: str, error: type[Exception]) -> None:
    """Other calls are refused, for example of an anonymous caller, or of a client without
    `account`."""
    with pytest.raises(error):
        context(new_id(), caller).allow(needs)


FRESH = Caller(kind="user", id=new_id(), proven_at=7, two_factors=True, by_token=True)


@pytest.mark.parametrize("caller", [Caller(), USER, DELEGATED, KEY, FRESH])
def test_it_crosses_the_bus_whole(caller: Caller) -> None:
    """Decoding an encoded context gives every member back. The time on the way is not known, so the deadline
    is later by that."""
    sent = context(new_id(), caller, origin="https://a.example", ip="203.0.113.7", agent="x")
    received = Context.decode(sent.encode())

    assert replace(received, deadline=sent.deadline) == sent
    assert 0 <= received.deadline - sent.deadline < 1


@pytest.mark.parametrize("skew", [-600, -90, 90, 600])
def test_clocks_that_differ_change_no_deadline(
    monkeypatch: pytest.MonkeyPatch, skew: float
) -> None:
    """The callee has the time that the caller has left, whatever time of day it is at the callee."""
    header = context(new_id(), within=5.0).encode()
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + skew)

    assert Context.decode(header).remaining() == pytest.approx(5.0, abs=1.0)


def test_a_clock_that_jumps_changes_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A correction of the clock during a request ends no request, and prolongs none."""
    ctx = context(new_id(), within=5.0)
    monkeypatch.setattr(time, "time", lambda: 0.0)

    assert ctx.remaining() == pytest.approx(5.0, abs=1.0)
    assert ctx.with_time_limit(2.0).remaining() == pytest.approx(2.0, abs=1.0)


def test_time_in_the_queue_counts() -> None:
    """A request that has waited in the callee has less time."""
    header = context(new_id(), within=5.0).encode()

    assert Context.decode(header, waited=4.0).remaining() == pytest.approx(1.0, abs=1.0)
    assert Context.decode(header, waited=6.0).remaining() < 0


def test_a_sender_of_an_earlier_version_names_a_time() -> None:
    """Version 0.1.0 says until when, and reads the same."""
    wire = orjson.loads(context(new_id(), within=5.0).encode())

    assert wire["d"] - time.time() == pytest.approx(5.0, abs=1.0)
    del wire["l"]
    assert Context.decode(orjson.dumps(wire).decode()).remaining() == pytest.approx(5.0, abs=1.0)
