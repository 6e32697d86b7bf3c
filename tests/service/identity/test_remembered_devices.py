"""Remembered devices: browsers that skip the second factor for some days."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from tests.kit.callers import ADMIN, PASSWORD, as_user
from tests.kit.second_factors import (
    AuthenticatorApp,
    TwoStepUser,
    forget_steps,
    two_step_user,
)
from tests.kit.world import World

from common import acr
from common.contracts.email_codes import SignInWithCode, StartEmailCode
from common.contracts.me import ChangeEmail, ConfirmEmail
from common.contracts.passwords import ChangePassword, ResetPassword, StartReset
from common.contracts.profiles import UserChanges
from common.contracts.second_factors import (
    CompleteSignIn,
    ConfirmTotp,
    DeviceNotFound,
    GetSecondFactors,
    RegenerateRecoveryCodes,
    RememberedDevice,
    RemoveTotp,
    RevokeDevice,
    SetUpTotp,
)
from common.contracts.sessions import SignedInSession
from common.contracts.users import UpdateUser


async def remembered(world: World, person: TwoStepUser) -> tuple[SignedInSession, str]:
    """Signs in and chooses to remember the device. Returns the session and the device's token."""
    half = await world.sign_in(person.user)
    done = await world.call(
        CompleteSignIn(token=half.token, code=person.app.code(), remember_device=True)
    )
    await forget_steps(world)
    assert done.device is not None
    return done.signed_in, done.device


async def is_asked(
    world: World, person: TwoStepUser, device: str, password: str = PASSWORD
) -> bool:
    """Returns whether a sign-in from this device is asked for the second factor."""
    signed = await world.sign_in(person.user, devices=[device], password=password)
    return signed.session is None


async def listed(world: World, signed: SignedInSession) -> list[RememberedDevice]:
    return (await world.call(GetSecondFactors(), as_user(signed))).devices


async def test_a_remembered_device_skips_the_factor(world: World) -> None:
    """The session has one factor, and says so. The device is listed by its name, and the log has the
    event. By mail it skips the factor too."""
    person = await two_step_user(world)
    signed, device = await remembered(world, person)
    assert len(device) >= 43
    skipped = await world.sign_in(person.user, devices=["x" * 43, device])

    assert (skipped.full().acr, skipped.full().amr) == (acr.PASSWORD, ["pwd"])
    (entry,) = await listed(world, signed)
    assert entry.name == "Firefox on Linux"
    assert entry.last_used_at is not None
    assert 29 < (entry.expires_at - entry.created_at).days + 1 <= 31
    assert "device_remembered" in await world.event_types()
    flow = await world.call(StartEmailCode(email=person.user.email or ""))
    by_mail = SignInWithCode(flow=flow.flow, code=(await world.mail()).code, devices=[device])
    assert (await world.call(by_mail)).full().acr == acr.MAIL


async def test_only_those_who_choose_are_remembered(world: World) -> None:
    """Without the choice, and with the setting at 0 days, no device is remembered."""
    person = await two_step_user(world)
    half = await world.sign_in(person.user)
    done = await world.call(CompleteSignIn(token=half.token, code=person.app.code()))
    assert done.device is None
    await forget_steps(world)
    world.configure(world.app_id, mfa_policy="optional", mfa_remember_device_days=0)
    half = await world.sign_in(person.user)
    request = CompleteSignIn(token=half.token, code=person.app.code(), remember_device=True)
    assert (await world.call(request)).device is None
    assert await world.owner.fetchval(
        "SELECT count(*) FROM trusted_devices WHERE app_id = $1", world.app_id
    ) == 0  # fmt: skip


async def test_a_device_helps_its_own_user_only(world: World) -> None:
    """The device of one user does not help another user of the same browser, and stays."""
    person, other = await two_step_user(world), await two_step_user(world)
    _, device = await remembered(world, person)

    assert await is_asked(world, other, device)
    assert not await is_asked(world, person, device)


async def test_a_revoked_device_is_asked(world: World) -> None:
    """The user ends a device of theirs. Another user cannot, and gets the answer of a missing one."""
    person, other = await two_step_user(world), await two_step_user(world)
    signed, device = await remembered(world, person)
    (entry,) = await listed(world, signed)
    revoke = RevokeDevice(device_id=entry.id)

    assert isinstance(await world.refused(revoke, as_user(other.signed)), DeviceNotFound)
    assert not await is_asked(world, person, device)
    await world.call(revoke, as_user(signed))
    assert await is_asked(world, person, device)
    assert await listed(world, signed) == []
    assert "device_forgotten" in await world.event_types()
    assert isinstance(await world.refused(revoke, as_user(signed)), DeviceNotFound)


async def test_a_device_expires(world: World) -> None:
    """A device is asked again after its days, also if the setting was lowered since."""
    person = await two_step_user(world)
    _, device = await remembered(world, person)
    await world.owner.execute(
        "UPDATE trusted_devices SET created_at = now() - interval '2 days' WHERE app_id = $1",
        world.app_id,
    )
    assert not await is_asked(world, person, device)
    world.configure(world.app_id, mfa_policy="optional", mfa_remember_device_days=1)
    assert await is_asked(world, person, device)
    world.configure(world.app_id, mfa_policy="optional", mfa_remember_device_days=0)
    assert await is_asked(world, person, device)
    world.configure(world.app_id, mfa_policy="optional")
    await world.owner.execute(
        "UPDATE trusted_devices SET expires_at = now() WHERE app_id = $1", world.app_id
    )
    assert await is_asked(world, person, device)


NEW = "a new and better phrase"
Change = Callable[[World, TwoStepUser, SignedInSession], Awaitable[str]]


async def change_password(world: World, person: TwoStepUser, signed: SignedInSession) -> str:
    await world.call(ChangePassword(current=PASSWORD, password=NEW), as_user(signed))
    return NEW


async def reset_password(world: World, person: TwoStepUser, signed: SignedInSession) -> str:
    flow = await world.call(StartReset(email=person.user.email or ""))
    token = (await world.mail()).token
    await world.call(ResetPassword(token=token, browser=flow.browser, password=NEW))
    return NEW


async def replace_app(world: World, person: TwoStepUser, signed: SignedInSession) -> str:
    app = AuthenticatorApp((await world.call(SetUpTotp(), as_user(signed))).secret)
    await world.call(ConfirmTotp(code=app.code()), as_user(signed))
    return PASSWORD


async def remove_and_add_app(world: World, person: TwoStepUser, signed: SignedInSession) -> str:
    await world.call(RemoveTotp(), as_user(signed))
    return await replace_app(world, person, signed)


async def renew_codes(world: World, person: TwoStepUser, signed: SignedInSession) -> str:
    await world.call(RegenerateRecoveryCodes(), as_user(signed))
    return PASSWORD


async def change_address(world: World, person: TwoStepUser, signed: SignedInSession) -> str:
    flow = await world.call(ChangeEmail(email=f"new-{person.user.email}"), as_user(signed))
    code = (await world.mail()).code
    await world.call(ConfirmEmail(flow=flow.flow, code=code), as_user(signed))
    return PASSWORD


async def get_address_changed(world: World, person: TwoStepUser, signed: SignedInSession) -> str:
    changes = UserChanges(email=f"new-{person.user.email}", email_verified=True)
    await world.call(UpdateUser(user_id=person.user.id, changes=changes), ADMIN)
    return PASSWORD


@pytest.mark.parametrize(
    "change",
    [
        change_password,
        reset_password,
        replace_app,
        remove_and_add_app,
        renew_codes,
        change_address,
        get_address_changed,
    ],
)
async def test_a_change_ends_every_device(world: World, change: Change) -> None:
    """A new password, factor or address ends the devices that were remembered before, and open
    sign-ins."""
    person = await two_step_user(world)
    signed, device = await remembered(world, person)
    half = await world.sign_in(person.user)
    password = await change(world, person, signed)

    email = await world.owner.fetchval("SELECT email FROM users WHERE id = $1", person.user.id)
    moved = TwoStepUser(person.user.model_copy(update={"email": email}), *_rest(person))
    assert await is_asked(world, moved, device, password)
    problem = await world.refused(CompleteSignIn(token=half.token, code=person.app.code()))
    assert problem.code == "no_session"


def _rest(person: TwoStepUser) -> tuple[AuthenticatorApp, list[str], SignedInSession]:
    return person.app, person.codes, person.signed
