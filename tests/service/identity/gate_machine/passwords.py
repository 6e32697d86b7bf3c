"""Steps with passwords and mailed codes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.kit.callers import ADMIN, as_user

from common.contracts.email_codes import SignInWithCode, StartEmailCode
from common.contracts.passwords import (
    ChangePassword,
    Reauthenticate,
    ResetPassword,
    SignInWithPassword,
    StartReset,
)
from common.contracts.sign_in import Locked
from common.contracts.users import DeleteUser, DisableUser

from .circumstances import Circumstances
from .model import Account
from .steps import BROWSER


class PasswordSteps(Circumstances):
    """Passwords, codes, resets and lockouts."""

    @rule(data=st.data(), right=st.booleans())
    def sign_in_by_password(self, data: Any, right: bool) -> None:
        account, devices = self.account(data), self.devices(data)
        signed = self.attempt(
            SignInWithPassword(
                email=account.email,
                password=(right and account.password) or "not the password 7",
                browser=BROWSER,
                devices=devices,
            ),
            self.beside(data),
        )
        assert signed is None or (right and not account.locked)
        self.judge("password", account, signed, {"password"}, devices=devices)

    @rule(
        data=st.data(), change=st.sampled_from(["disable", "delete", "sso", "required", "password"])
    )
    def sign_in_while_something_changes(self, data: Any, change: str) -> None:
        """The password is verified, and then something changes before the sign-in ends."""
        account = self.account(data)
        if account.closed or account.locked or not account.password:
            return
        password = account.password

        async def midway() -> None:
            await self._change(account, change)

        self.hashing.midway.append(midway)
        request = SignInWithPassword(email=account.email, password=password, browser=BROWSER)
        signed = self.attempt(request)
        self.hashing.midway.clear()
        assert signed is None or account.password == password
        if change == "required":
            return  # the policy is read at the start, so a sign-in may end under the old one
        self.judge(f"{change} midway", account, signed, {"password"})

    async def _change(self, account: Account, change: str) -> None:
        call = self.world.call
        if change == "disable":
            await call(DisableUser(user_id=account.user_id), ADMIN, self.app_id)
            account.disabled = True
        elif change == "delete" and len(self.model.accounts) > 2:
            await call(DeleteUser(user_id=account.user_id), ADMIN, self.app_id)
            account.deleted = True
        elif change == "sso":
            await self.require_sso(True)
        elif change == "password":
            await self.world.owner.execute(
                "UPDATE passwords SET phc = $3 WHERE app_id = $1 AND user_id = $2",
                self.app_id,
                account.user_id,
                self.hashing.hasher.hash("another password 9"),
            )
            account.password = "another password 9"

    @rule(data=st.data())
    def lock(self, data: Any) -> None:
        """Wrong passwords, until the address is locked: then the right one is refused too."""
        account = self.account(data)
        for _ in range(12):
            self.attempt(SignInWithPassword(email=account.email, password="wrong password 1"))
            if isinstance(self.problem, Locked):
                account.locked = True
                return

    @rule(data=st.data())
    def sign_in_by_code(self, data: Any) -> None:
        account, devices = self.account(data), self.devices(data)
        flow = self.attempt(StartEmailCode(email=account.email, browser=BROWSER))
        if flow is None:
            return
        request = SignInWithCode(
            flow=flow.flow, code=self.mailed_code(), browser=BROWSER, devices=devices
        )
        signed = self.attempt(request, self.beside(data))
        if signed is not None and account.deleted:
            account = self.reborn(account)
        self.judge("code", account, signed, {"mail"}, devices=devices)

    @rule(data=st.data())
    def reset_password(self, data: Any) -> None:
        account = self.account(data)
        flow = self.attempt(StartReset(email=account.email, browser=BROWSER))
        if flow is None:
            return
        password = self.new_password()
        signed = self.attempt(
            ResetPassword(
                flow=flow.flow, code=self.mailed_code(), password=password, browser=BROWSER
            )
        )
        if signed is not None:
            account.password, account.locked = password, False
            account.epoch += 1
        self.judge("reset", account, signed, {"mail"})

    @rule(data=st.data())
    def change_password(self, data: Any) -> None:
        live = self.live(data)
        if live is None or not live[0].password:
            return
        account, session = live
        password = self.new_password()
        request = ChangePassword(current=account.password, password=password)
        signed = self.attempt(request, as_user(session))
        if signed is not None:
            account.password = password
            account.epoch += 1
            self.replaced(account, session, signed)

    @rule(data=st.data(), other=st.booleans())
    def confirm_by_password(self, data: Any, other: bool) -> None:
        """A session shows the password again, and keeps what it showed before. The session of another
        user is none to keep."""
        live = self.live(data)
        if live is None or not live[0].password:
            return
        account, session = live
        caller = as_user(session)
        if other:
            strange = next(one for one in self.model.accounts if one is not account)
            self.first_step(strange)
            if not strange.sessions:
                return
            caller = replace(caller, session_id=strange.sessions[-1].full().id)
        signed = self.attempt(Reauthenticate(password=account.password), caller)
        if signed is None:
            return
        assert not other, "the session of another user was replaced"
        assert ("mfa" in signed.full().amr) == ("mfa" in session.full().amr)
        self.replaced(account, session, signed)
