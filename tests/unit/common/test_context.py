"""Who may do what kind of thing, and that a context crosses the bus whole."""

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
    """Nobody more: not a stranger, not a client that was not let near the account."""
    with pytest.raises(error):
        context(new_id(), caller).allow(needs)


@pytest.mark.parametrize("caller", [Caller(), USER, DELEGATED, KEY])
def test_it_crosses_the_bus_whole(caller: Caller) -> None:
    """What is encoded is decoded again, member for member."""
    sent = context(new_id(), caller, origin="https://a.example", ip="203.0.113.7", agent="x")

    assert sent == Context.decode(sent.encode())
