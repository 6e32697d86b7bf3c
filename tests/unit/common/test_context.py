"""Which kind of caller may make which calls, and how a context is encoded."""

from __future__ import annotations

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
    """Decoding an encoded context gives every member back."""
    sent = context(new_id(), caller, origin="https://a.example", ip="203.0.113.7", agent="x")

    assert sent == Context.decode(sent.encode())
