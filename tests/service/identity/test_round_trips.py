"""How many round trips to the database a sign-in makes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.kit.callers import PASSWORD
from tests.kit.round_trips import recorded_round_trips
from tests.kit.world import World

from common.attempt_limits import AttemptLimit
from common.contracts.passwords import SignInWithPassword
from common.contracts.sign_in import Locked, WrongCredentials
from common.problems import RateLimited
from identity import passwords


def _request(user: Any, password: str = PASSWORD) -> SignInWithPassword:
    return SignInWithPassword(email=user.email, password=password, browser="b" * 43)


async def test_a_sign_in_with_a_password(world: World) -> None:
    """One before the hash. After it: the facts, the session, COMMIT. BEGIN and the count of wrong passwords go
    with the facts, the time of the sign-in with the session, its record and a mail with COMMIT."""
    user = await world.user()
    await world.call(_request(user))
    with recorded_round_trips() as made:
        await world.call(_request(user))
    assert len(made) == 4, "\n".join(made)
    assert (made[0].split()[0], made[-1]) == ("WITH", "COMMIT")


async def test_a_try_over_a_limit_reserves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One round trip refuses it, and the address is not counted: a flood from one network locks nobody
    out."""
    user = await world.user()
    monkeypatch.setattr(passwords, "SIGN_IN_BY_APP", AttemptLimit("one_sign_in", 1, 300))
    assert isinstance(await world.refused(_request(user, "wrong")), WrongCredentials)
    guards = "SELECT * FROM sign_in_guards WHERE app_id = $1"
    before = await world.owner.fetch(guards, world.app_id)
    with recorded_round_trips() as made:
        assert isinstance(await world.refused(_request(user, "wrong")), RateLimited)
    assert len(made) == 1
    assert await world.owner.fetch(guards, world.app_id) == before


async def test_a_locked_address_gets_no_hash(world: World) -> None:
    """Two round trips: the try, and how long the address is locked."""
    user = await world.user()
    for _ in range(5):
        await world.refused(_request(user, "wrong"))
    with recorded_round_trips() as made:
        assert isinstance(await world.refused(_request(user)), Locked)
    assert len(made) == 2
