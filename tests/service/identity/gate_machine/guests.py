"""Steps with guests: users without credentials, who become full users or sign in elsewhere."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.kit.authenticator import Authenticator
from tests.kit.callers import as_user

from common.context import Caller
from common.contracts.email_codes import SignInWithCode
from common.contracts.guests import CreateGuest
from common.contracts.passkeys import AddPasskey, StartPasskey
from common.contracts.passwords import ChangePassword, SignInWithPassword
from common.contracts.provider_sign_in import StartProviderSignIn
from common.contracts.second_factors import SetUpTotp
from common.contracts.sign_up import SignUp

from .model import Account
from .passkeys import PasskeySteps
from .providers import ProviderSteps
from .steps import BROWSER, SITE


class GuestSteps(PasskeySteps, ProviderSteps):
    """The first credential of a guest passes the gate like a sign-in: the guest has shown nothing."""

    def guest(self, data: Any) -> tuple[Account, Caller] | None:
        """Returns a guest who is signed in, with their caller."""
        guests = [one for one in self.model.accounts if one.guest and not one.closed]
        if not guests:
            return None
        account = data.draw(st.sampled_from(guests))
        return account, as_user(account.sessions[0], guest=True)

    @rule()
    def create_guest(self) -> None:
        """A guest has a session at once, also where two factors are required: there is nothing yet to
        protect."""
        if len(self.model.accounts) > 6:
            return
        signed = self.attempt(CreateGuest(browser=BROWSER))
        if signed is not None:
            assert signed.full().amr == []
            guest = Account(signed.full().user_id, None, guest=True, sessions=[signed])
            self.model.accounts.append(guest)

    def upgraded(self, way: str, guest: Account, signed: Any, shown: set[str], **more: Any) -> None:
        """Checks the end of an upgrade."""
        if signed is not None:
            guest.guest = False
            guest.epoch += 1
            (before,) = guest.sessions
            guest.sessions.clear()
            assert not self.is_live(before), "the session without a factor goes on"
            for name, value in more.items():
                setattr(guest, name, value)
        self.judge(way, guest, signed, shown)

    @rule(data=st.data(), with_password=st.booleans())
    def upgrade_by_address(self, data: Any, with_password: bool) -> None:
        found = self.guest(data)
        if found is None:
            return
        self.count += 1
        email = f"guest-{self.count}@elsewhere.example"
        password = self.new_password() if with_password else None
        flow = self.attempt(SignUp(email=email, password=password, browser=BROWSER))
        if flow is None:
            return
        request = SignInWithCode(flow=flow.flow, code=self.mailed_code(), browser=BROWSER)
        signed = self.attempt(request, found[1])
        more = {"email": email, "password": password}
        self.upgraded("upgrade by address", found[0], signed, {"mail"}, **more)

    @rule(data=st.data())
    def upgrade_by_provider(self, data: Any) -> None:
        found = self.guest(data)
        if found is None:
            return
        self.count += 1
        email = f"guest-{self.count}@elsewhere.example"
        start = StartProviderSignIn(idp="acme", browser=BROWSER)
        outcome = self.finish(start, email, email, caller=found[1])
        signed = outcome.session if outcome and outcome.kind == "signed_in" else None
        more = {"email": email, "subjects": {("acme", email)}}
        self.upgraded("upgrade by provider", found[0], signed, {"provider"}, **more)

    @rule(data=st.data())
    def upgrade_by_passkey(self, data: Any) -> None:
        found = self.guest(data)
        offer = found and self.attempt(StartPasskey(), found[1], origin=SITE)
        if not found or not offer:
            return
        authenticator = Authenticator(SITE)
        request = AddPasskey(credential=authenticator.create(offer.options))
        done = self.attempt(request, found[1], origin=SITE)
        signed = done.session if done else None
        self.upgraded("upgrade by passkey", found[0], signed, {"passkey"})
        if done:
            self.added(found[0], authenticator, done)

    @rule(data=st.data())
    def sign_in_at_the_browser_of_a_guest(self, data: Any) -> None:
        """The account is another one: the guest's session is no reason to ask it for less."""
        found, account = self.guest(data), self.account(data)
        if found is None or account.locked or not account.password:
            return
        request = SignInWithPassword(
            email=account.email, password=account.password, browser=BROWSER
        )
        signed = self.attempt(request, found[1])
        self.judge("password beside a guest", account, signed, {"password"})
        assert self.is_live(found[0].sessions[0])

    @rule(data=st.data())
    def guest_without_credential(self, data: Any) -> None:
        """A guest has neither a password to change nor an account for an authenticator app."""
        found = self.guest(data)
        if found is None:
            return
        for request in (ChangePassword(password=self.new_password()), SetUpTotp()):
            assert self.attempt(request, found[1]) is None
