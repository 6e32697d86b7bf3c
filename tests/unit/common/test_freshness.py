"""Freshness: sensitive calls need a proof of the last 15 minutes, with a second factor if there is one."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from common import freshness
from common.context import SYSTEM_CALLER, Caller
from common.contracts.sessions import Factor, FreshSignInNeeded
from common.contracts.step_up import FreshTokenNeeded
from common.ids import new_id

NOW = int(time.time())
TODAY = datetime.fromtimestamp(NOW, UTC)


def user(ago: int | None, **more: Any) -> Caller:
    """A user who proved who they are `ago` seconds before now, or never."""
    return Caller(
        "user", new_id(), proven_at=None if ago is None else int(time.time()) - ago, **more
    )


@pytest.mark.parametrize("ago", [0, 890])
def test_a_recent_proof_is_enough(ago: int) -> None:
    """A proof counts for 15 minutes."""
    freshness.check(user(ago))


@pytest.mark.parametrize("ago", [None, 920])
def test_an_old_proof_is_not(ago: int | None) -> None:
    """The refusal names the class of sign-in that is needed, and its greatest age."""
    with pytest.raises(FreshSignInNeeded) as one:
        freshness.check(user(ago))
    with pytest.raises(FreshSignInNeeded) as two:
        freshness.check(user(ago, two_factors=True))

    assert one.value.extra == {"acr_values": "urn:aero2:loa:1fa", "max_age": 900}
    assert two.value.extra == {"acr_values": "urn:aero2:loa:2fa", "max_age": 900}


def test_a_token_is_refused_in_the_way_of_tokens() -> None:
    """A client with an access token is told to ask for a new one (RFC 9470 section 3)."""
    with pytest.raises(FreshTokenNeeded) as refused:
        freshness.check(user(None, two_factors=True, by_token=True))

    assert refused.value.status == 401
    assert refused.value.extra == {"acr_values": "urn:aero2:loa:2fa", "max_age": 900}


@pytest.mark.parametrize(
    "caller", [Caller(), Caller("secret_key", "k"), Caller("client", "c"), SYSTEM_CALLER]
)
def test_nobody_asks_a_program(caller: Caller) -> None:
    """Keys, clients and services have no sign-in that could be fresh."""
    freshness.check(caller)


def test_developers_are_asked_too() -> None:
    """A developer who acts in an application is a person like a user."""
    with pytest.raises(FreshSignInNeeded):
        freshness.check(Caller("developer", new_id()))


def test_the_latest_factor_counts() -> None:
    """Without a second step, any factor is a proof."""
    times: dict[Factor, int] = {"password": NOW - 5000, "mail": NOW - 10}

    assert freshness.proven_at(times, TODAY, two_factors=False) == NOW - 10


def test_only_a_second_factor_counts_for_who_has_one() -> None:
    """A password proves nothing about a stolen session if the user has a second factor."""
    times: dict[Factor, int] = {"password": NOW, "totp": NOW - 5000}

    assert freshness.proven_at(times, TODAY, two_factors=True) == NOW - 5000
    assert freshness.proven_at({"password": NOW}, TODAY, two_factors=True) is None


def test_a_provider_that_does_not_say_when_proves_nothing() -> None:
    """A provider may answer without asking its user: its time is then unknown."""
    assert freshness.proven_at({"provider": 0}, TODAY, two_factors=False) == 0


def test_a_session_without_factor_times_counts_from_its_sign_in() -> None:
    """Sessions from before factor times keep their `auth_time`."""
    assert freshness.proven_at({}, TODAY, two_factors=False) == NOW
