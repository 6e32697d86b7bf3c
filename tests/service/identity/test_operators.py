"""Operators need a second factor to sign in to the Dashboard. Nobody passes for somebody else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.kit.callers import PASSWORD, as_user
from tests.kit.second_factors import AuthenticatorApp, turn_on_totp
from tests.kit.world import World

from common import acr
from common.context import SYSTEM_CALLER
from common.contracts.owner import ClaimOwner, CreateOwnerLink
from common.contracts.profiles import User
from common.contracts.second_factors import (
    CompleteSignIn,
    ConfirmTotpAtSignIn,
    SetUpTotp,
    SetUpTotpAtSignIn,
)
from common.contracts.sessions import SignedInSession
from common.ids import DASHBOARD
from common.problems import Unavailable


@pytest.fixture
async def strict(world: World) -> AsyncIterator[World]:
    """A deployment whose operators must have a second factor, as it is by default."""
    world.replace_deps("identity", operator_mfa="required")
    yield world
    world.replace_deps("identity", operator_mfa="optional")


async def operator(world: World) -> User:
    """Returns a new operator with PASSWORD and without a second factor."""
    user = await world.user(app_id=DASHBOARD)
    world.stand_ins.rbac.make_operator(user.id)
    return user


async def sessions_of(world: World, user: User) -> int:
    """Returns the number of the user's whole sessions."""
    number: int = await world.owner.fetchval(
        "SELECT count(*) FROM user_sessions WHERE user_id = $1 AND kind = 'full'", user.id
    )
    return number


async def test_an_operator_without_factor_enrols_one_first(strict: World) -> None:
    """The password of an operator starts no session. Enrolling an authenticator app does, although the
    Dashboard asks nobody else for a second factor."""
    boss = await operator(strict)
    half = await strict.sign_in(boss, DASHBOARD)
    assert half.session is None
    assert half.challenge is not None
    assert (half.challenge.kind, await sessions_of(strict, boss)) == ("mfa_setup_required", 0)

    setup = await strict.call(SetUpTotpAtSignIn(token=half.token), app_id=DASHBOARD)
    call = ConfirmTotpAtSignIn(token=half.token, code=AuthenticatorApp(setup.secret).code())
    enrolled = await strict.call(call, app_id=DASHBOARD)
    assert enrolled.signed_in is not None
    assert enrolled.signed_in.full().acr == acr.TWO_FACTORS


async def test_an_operator_is_asked_each_time(strict: World) -> None:
    """No remembered device spares an operator the second factor."""
    boss = await operator(strict)
    strict.replace_deps("identity", operator_mfa="optional")
    person = await turn_on_totp(strict, boss, DASHBOARD)
    strict.replace_deps("identity", operator_mfa="required")
    half = await strict.sign_in(boss, DASHBOARD)
    complete = CompleteSignIn(token=half.token, code=person.app.code(), remember_device=True)
    done = await strict.call(complete, app_id=DASHBOARD)
    devices = [done.device] if done.device else []

    again = await strict.sign_in(boss, DASHBOARD, devices=devices)
    assert again.challenge is not None
    assert again.challenge.kind == "mfa_required"


async def test_developers_and_other_applications_are_not_asked(strict: World) -> None:
    """Only operators of the Dashboard need a second factor."""
    developer = await strict.user(app_id=DASHBOARD)
    user = await strict.user()
    strict.stand_ins.rbac.make_operator(
        user.id
    )  # a permission of the same name means nothing there

    assert (await strict.sign_in(developer, DASHBOARD)).session is not None
    assert (await strict.sign_in(user)).session is not None


async def test_the_deployment_may_do_without(world: World) -> None:
    """With `optional` an operator signs in as everybody does."""
    assert (await world.sign_in(await operator(world), DASHBOARD)).session is not None


async def test_nobody_signs_in_while_operators_cannot_be_told_apart(strict: World) -> None:
    """If rbac does not answer, the sign-in is refused and no session starts."""
    boss, developer = await operator(strict), await strict.user(app_id=DASHBOARD)
    strict.stand_ins.rbac.running = False
    for user in (boss, developer):
        with pytest.raises(Unavailable):
            await strict.sign_in(user, DASHBOARD)
        assert await sessions_of(strict, user) == 0


async def claim(world: World) -> SignedInSession:
    """Signs the holder of the owner link in."""
    link = await world.call(CreateOwnerLink(), SYSTEM_CALLER, DASHBOARD)
    email = "owner@example.com"
    await world.owner.execute("DELETE FROM users WHERE email_normalized = $1", email)
    call = ClaimOwner(token=link.token, email=email, name="Olga", password=PASSWORD)
    return await world.call(call, app_id=DASHBOARD)


async def test_the_owner_link_comes_before_any_factor(strict: World) -> None:
    """The holder of the owner link gets a session with one factor, in which they can enrol a second
    one, although the Dashboard asks nobody else for it."""
    signed = await claim(strict)
    assert signed.full().acr == acr.PASSWORD

    setup = await strict.call(SetUpTotp(), as_user(signed), DASHBOARD)
    assert setup.secret
