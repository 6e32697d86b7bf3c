"""Steps with passkeys: as a way in, as a second factor, and as the first factor to enrol."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.kit.authenticator import Authenticator
from tests.kit.callers import as_user

from common.contracts.passkey_sign_in import (
    AddFirstPasskey,
    ConfirmWithPasskey,
    ShowPasskeySecondFactor,
    SignInWithPasskey,
    StartFirstPasskey,
    StartPasskeyConfirmation,
    StartPasskeySecondFactor,
    StartPasskeySignIn,
)
from common.contracts.passkeys import AddedPasskey, AddPasskey, RemovePasskey, StartPasskey

from .factors import FactorSteps
from .model import Account
from .steps import BROWSER, SITE


class PasskeySteps(FactorSteps):
    """Passkeys of users. Each also stays on the device after it was removed from the account."""

    def __init__(self) -> None:
        super().__init__()
        self.devices_with_passkeys: list[tuple[Account, Authenticator]] = []

    def any_passkey(self, data: Any) -> tuple[Account, Authenticator] | None:
        have = self.devices_with_passkeys
        return data.draw(st.sampled_from(have[-4:])) if have else None

    def added(self, account: Account, authenticator: Authenticator, done: AddedPasskey) -> None:
        account.passkeys[done.passkey.id] = authenticator
        account.epoch += 1
        if done.recovery_codes:
            account.recovery = list(done.recovery_codes)
        self.devices_with_passkeys.append((account, authenticator))

    @rule(data=st.data())
    def add_passkey(self, data: Any) -> None:
        live = self.live(data)
        offer = live and self.attempt(StartPasskey(), as_user(live[1]), origin=SITE)
        if not live or not offer:
            return
        authenticator = Authenticator(SITE)
        request = AddPasskey(credential=authenticator.create(offer.options))
        done = self.attempt(request, as_user(live[1]), origin=SITE)
        if done:
            self.added(live[0], authenticator, done)

    @rule(data=st.data(), verified=st.booleans(), again=st.booleans())
    def sign_in_by_passkey(self, data: Any, verified: bool, again: bool) -> None:
        """A passkey alone is a session, once for each challenge, and only with user verification."""
        passkey = self.any_passkey(data)
        offer = passkey and self.attempt(StartPasskeySignIn(browser=BROWSER), origin=SITE)
        if not passkey or not offer:
            return
        account, authenticator = passkey
        credential = authenticator.get(offer.options, user_verified=verified)
        request = SignInWithPasskey(credential=credential, browser=BROWSER)
        signed = self.attempt(request, self.beside(data), origin=SITE)
        known = authenticator in account.passkeys.values()
        assert signed is None or (known and verified)
        self.judge("passkey", account, signed, {"passkey"})
        if again:
            assert self.attempt(request, origin=SITE) is None, "a challenge was used twice"

    @rule(data=st.data(), own=st.booleans())
    def complete_by_passkey(self, data: Any, own: bool) -> None:
        """A sign-in that waits is completed by a passkey of its own user, and by no other."""
        half, passkey = self.half(data), self.any_passkey(data)
        if half is None or passkey is None or own != (passkey[0] is half.account):
            return
        start = StartPasskeySecondFactor(token=half.token, browser=BROWSER)
        offer = self.attempt(start, origin=SITE)
        if not offer:
            return
        credential = passkey[1].get(offer.options)
        request = ShowPasskeySecondFactor(token=half.token, credential=credential, browser=BROWSER)
        signed = self.attempt(request, origin=SITE)
        assert signed is None or passkey[1] in half.account.passkeys.values()
        self.completed("second factor, passkey", half, signed, "passkey")

    @rule(data=st.data())
    def enrol_passkey_at_sign_in(self, data: Any) -> None:
        half = self.half(data)
        start = half and StartFirstPasskey(token=half.token, browser=BROWSER)
        offer = start and self.attempt(start, origin=SITE)
        if not half or not offer:
            return
        assert half.kind == "mfa_setup_required"
        authenticator = Authenticator(SITE)
        request = AddFirstPasskey(
            token=half.token, credential=authenticator.create(offer.options), browser=BROWSER
        )
        done = self.attempt(request, origin=SITE)
        self.completed("enrolment of a passkey", half, done.session if done else None, "passkey")
        if done:
            self.added(half.account, authenticator, done)

    @rule(data=st.data())
    def confirm_by_passkey(self, data: Any) -> None:
        """A session shows a passkey. That of another user confirms nothing."""
        live, passkey = self.live(data), self.any_passkey(data)
        if live is None or passkey is None:
            return
        caller = as_user(live[1])
        offer = self.attempt(StartPasskeyConfirmation(), caller, origin=SITE)
        if not offer:
            return
        request = ConfirmWithPasskey(credential=passkey[1].get(offer.options))
        signed = self.attempt(request, caller, origin=SITE)
        if signed is not None:
            assert passkey[1] in live[0].passkeys.values()
            assert "mfa" in signed.full().amr
            self.replaced(live[0], live[1], signed)

    @rule(data=st.data())
    def remove_passkey(self, data: Any) -> None:
        live = self.live(data)
        if live is None or not live[0].passkeys:
            return
        account, session = live
        id = data.draw(st.sampled_from(sorted(account.passkeys)))
        if self.attempt(RemovePasskey(passkey_id=id), as_user(session)) is not None:
            left = {key: one for key, one in account.passkeys.items() if key != id}
            self.without_factor(account, passkeys=left)
