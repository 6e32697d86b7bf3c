"""An authenticator app, and users with two-step verification."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pyotp
from tests.kit.callers import as_user
from tests.kit.world import World

from common.contracts.profiles import User
from common.contracts.second_factors import CompleteSignIn, ConfirmTotp, SetUpTotp
from common.contracts.sessions import SignedInSession


@dataclass(frozen=True)
class AuthenticatorApp:
    """What a phone has after it has scanned the QR code."""

    secret: str

    def code(self, steps: int = 0) -> str:
        """Returns the code of now, or of `steps` time steps later."""
        return pyotp.TOTP(self.secret).at(time.time(), counter_offset=steps)

    def wrong_code(self) -> str:
        """Returns six digits that are no code of a step near now."""
        near = {self.code(steps) for steps in range(-3, 4)}
        return next(code for number in range(10) if (code := f"{number:06}") not in near)


@dataclass(frozen=True)
class TwoStepUser:
    """A user with an authenticator app. `signed` is the session that turned it on."""

    user: User
    app: AuthenticatorApp
    codes: list[str]
    signed: SignedInSession


async def forget_steps(world: World) -> None:
    """Lets every code of now work again, as if time had passed."""
    await world.owner.execute("UPDATE totp_factors SET last_step = 0")


async def turn_on_totp(world: World, user: User, app_id: str | None = None) -> TwoStepUser:
    """Turns on an authenticator app for a user who has none."""
    signed = await world.sign_in(user, app_id)
    setup = await world.call(SetUpTotp(), as_user(signed), app_id)
    app = AuthenticatorApp(setup.secret)
    enrolled = await world.call(ConfirmTotp(code=app.code()), as_user(signed), app_id)
    assert enrolled.signed_in is not None
    assert enrolled.recovery_codes is not None
    await forget_steps(world)
    return TwoStepUser(user, app, enrolled.recovery_codes, enrolled.signed_in)


async def two_step_user(world: World) -> TwoStepUser:
    """Creates a user with an authenticator app. The policy is `optional` unless it is set."""
    if (await world.tenants.get(world.ctx())).settings.mfa_policy == "off":
        world.configure(world.app_id, mfa_policy="optional")
    return await turn_on_totp(world, await world.user())


async def complete(world: World, half: SignedInSession, code: str) -> SignedInSession:
    """Completes a sign-in by a code of the authenticator app."""
    assert half.session is None
    done = await world.call(CompleteSignIn(token=half.token, code=code))
    await forget_steps(world)
    return done.signed_in
