"""Steps with second factors: an authenticator app, recovery codes and remembered devices."""

from __future__ import annotations

import asyncio
from typing import Any

import pyotp
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.kit.callers import ADMIN, as_user

from common.contracts.second_factors import (
    CompletedSignIn,
    CompleteSignIn,
    ConfirmFactor,
    ConfirmTotp,
    ConfirmTotpAtSignIn,
    EnrolledTotp,
    RegenerateRecoveryCodes,
    RemoveTotp,
    ResetSecondFactors,
    SetUpTotp,
    SetUpTotpAtSignIn,
)
from common.contracts.sessions import CheckSession, NoSession, SignedInSession

from .model import Account, Half
from .steps import BROWSER, GateSteps


class FactorSteps(GateSteps):
    """Enrolment, the second step, and what undoes both."""

    def completed(self, way: str, half: Half, signed: SignedInSession | None, factor: str) -> None:
        """Checks a sign-in that a second factor has completed."""
        if signed is not None:
            assert half.epoch == half.account.epoch, "the factors have changed since"
        outcome = self.judge(
            way, half.account, signed, {factor}, through_organization=half.through_organization
        )
        if outcome != "refused":
            self.model.halves.remove(half)

    @rule(data=st.data(), how=st.sampled_from(["app", "recovery", "wrong", "empty", "spent"]))
    def complete(self, data: Any, how: str) -> None:
        """Any tab finishes its sign-in, with any code."""
        half = self.half(data)
        if half is None:
            return
        blocked = half.account.out_of_codes
        done: CompletedSignIn | None = self.attempt(
            CompleteSignIn(
                token=half.token,
                browser=BROWSER,
                remember_device=how == "app",
                **self.proof(half.account, how),
            )
        )
        self.note_codes(half.account)
        assert done is None or how in ("app", "recovery")
        assert done is None or not blocked, "too many wrong codes, and then a right one"
        epoch = half.account.epoch
        factor = "totp" if how == "app" else "recovery_code"
        self.completed("second factor", half, done.signed_in if done else None, factor)
        if done and done.device:
            half.account.devices.append((done.device, epoch))

    @rule(data=st.data())
    def complete_twice_at_once(self, data: Any) -> None:
        """Two tabs finish the same sign-in with two right codes: one session comes of it."""
        half = self.half(data)
        if half is None or not half.account.totp or not half.account.recovery:
            return
        proofs = [self.proof(half.account, how) for how in ("app", "recovery")]
        requests = [CompleteSignIn(token=half.token, browser=BROWSER, **one) for one in proofs]

        async def both() -> list[Any]:
            calls = [self.world.call(request, None, self.app_id) for request in requests]
            return await asyncio.gather(*calls, return_exceptions=True)

        done = [one for one in self.run(both()) if not isinstance(one, BaseException)]
        assert len(done) <= 1, "a sign-in was completed twice"
        if done:
            self.completed("second factor, twice", half, done[0].signed_in, "totp")

    @rule(data=st.data())
    def too_many_wrong_codes(self, data: Any) -> None:
        """Wrong codes, in all sign-ins that wait and one session, until no code is admitted."""
        half = self.half(data)
        if half is None:
            return
        for one in [other for other in self.model.halves if other.account is half.account][-3:]:
            for _ in range(5):
                self.attempt(CompleteSignIn(token=one.token, code="000000", browser=BROWSER))
                self.note_codes(half.account)

    @rule(data=st.data(), right=st.booleans())
    def enrol_at_sign_in(self, data: Any, right: bool) -> None:
        half = self.half(data)
        setup = half and self.attempt(SetUpTotpAtSignIn(token=half.token))
        if not half or not setup:
            return
        assert half.kind == "mfa_setup_required"
        assert half.account.totp is None, "a half session replaced the user's factor"
        code = pyotp.TOTP(setup.secret).now() if right else "000000"
        blocked = half.account.out_of_codes
        enrolled: EnrolledTotp | None = self.attempt(
            ConfirmTotpAtSignIn(token=half.token, code=code, browser=BROWSER)
        )
        self.note_codes(half.account)
        assert enrolled is None or (right and not blocked)
        self.completed("enrolment", half, enrolled.signed_in if enrolled else None, "totp")
        if enrolled:
            self.enrolled(half.account, setup.secret, enrolled.recovery_codes)

    @rule(data=st.data())
    def enrol(self, data: Any) -> None:
        live = self.live(data)
        if live is not None:
            self.enrol_in(*live)

    def enrol_app(self, account: Account) -> None:
        """Turns on an authenticator app for a user who has just signed in."""
        self.first_step(account)
        self.enrol_in(account, account.sessions[-1])

    def enrol_in(self, account: Account, session: SignedInSession) -> None:
        setup = self.attempt(SetUpTotp(), as_user(session))
        if not setup:
            return
        request = ConfirmTotp(code=pyotp.TOTP(setup.secret).now())
        enrolled: EnrolledTotp | None = self.attempt(request, as_user(session))
        if enrolled is not None:
            self.enrolled(account, setup.secret, enrolled.recovery_codes)
            if enrolled.signed_in is not None:
                self.replaced(account, session, enrolled.signed_in)

    def enrolled(self, account: Account, secret: str, codes: list[str] | None) -> None:
        account.totp = secret
        account.epoch += 1
        if codes:
            account.recovery = list(codes)

    @rule(data=st.data())
    def turn_off(self, data: Any) -> None:
        live = self.live(data)
        if live and self.attempt(RemoveTotp(), as_user(live[1])) is not None:
            self.without_factor(live[0], totp=None)

    def without_factor(self, account: Account, **gone: Any) -> None:
        """Notes that a factor has gone. Recovery codes go with the last one."""
        for name, value in gone.items():
            setattr(account, name, value)
        account.epoch += 1
        if not account.totp and not account.passkeys:
            account.recovery = []

    @rule(data=st.data())
    def administrator_resets(self, data: Any) -> None:
        account = self.account(data)
        if self.attempt(ResetSecondFactors(user_id=account.user_id), ADMIN) is not None:
            self.without_factor(account, totp=None, passkeys={})

    @rule(data=st.data())
    def new_recovery_codes(self, data: Any) -> None:
        live = self.live(data)
        codes = live and self.attempt(RegenerateRecoveryCodes(), as_user(live[1]))
        if live and codes:
            live[0].recovery = list(codes.recovery_codes)
            live[0].epoch += 1

    @rule(data=st.data(), how=st.sampled_from(["app", "recovery", "empty", "wrong"]))
    def confirm_by_factor(self, data: Any, how: str) -> None:
        """A session shows one more factor."""
        live = self.live(data)
        if live is None:
            return
        account, session = live
        blocked = account.out_of_codes
        request = ConfirmFactor.model_validate(self.proof(account, how))
        signed: SignedInSession | None = self.attempt(request, as_user(session))
        self.note_codes(account)
        if signed is not None:
            assert how in ("app", "recovery")
            assert not blocked
            assert "mfa" in signed.full().amr
            self.replaced(account, session, signed)

    @rule(data=st.data())
    def half_session_as_cookie(self, data: Any) -> None:
        """The token of a half session is no session."""
        half = self.half(data)
        if half is not None:
            with pytest.raises(NoSession):
                self.run(self.world.call(CheckSession(token=half.token), app_id=self.app_id))
