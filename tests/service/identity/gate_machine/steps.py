"""What all steps of the machine share: calls, the judgement of a sign-in, and the choice of a user."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import pyotp
from argon2.exceptions import VerificationError
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from tests.kit.callers import PASSWORD, as_user
from tests.kit.world import World
from tests.service.identity.provider_stand_in import ProviderStandIn

from common.context import Caller
from common.contracts.passwords import SignInWithPassword
from common.contracts.second_factors import WrongFactorCode
from common.contracts.sessions import SignedInSession
from common.problems import Problem
from identity.hashing import Hashing, PasswordVerdict

from .model import Account, Half, Model, Outcome

BROWSER = "b" * 43
SITE = "https://shop.id.example.org"


class QuickHasher:
    """Hashes at no cost, in the form of our own hashes."""

    def hash(self, password: str) -> str:
        digest = base64.b64encode(hashlib.sha256(password.encode()).digest()).decode()[:43]
        return f"$argon2id$v=19$m=19456,t=2,p=1${'A' * 22}${digest}"

    def verify(self, phc: str, password: str) -> bool:
        if self.hash(password) != phc:
            raise VerificationError
        return True


@dataclass(frozen=True)
class PausingHashing(Hashing):
    """Lets the machine do something after a password was verified, before the sign-in ends."""

    midway: list[Callable[[], Awaitable[Any]]] = field(default_factory=list)

    async def verify(self, app_id: str, password: str, phc: str | None) -> PasswordVerdict:
        verdict = await super().verify(app_id, password, phc)
        while self.midway:
            await self.midway.pop()()
        return verdict


class GateSteps(RuleBasedStateMachine):
    """Users of one application in each example."""

    world: World
    provider: ProviderStandIn
    hashing: PausingHashing
    run: Callable[[Awaitable[Any]], Any]
    reached: Counter[str] = Counter()
    """How often each way has led to each outcome, over all examples."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.problem: Problem | None = None
        self.app_id = self.world.app_id = self.run(self.world.application())
        self.count = 0
        self.configure()

    def configure(self) -> None:
        self.world.configure(
            self.app_id,
            mfa_policy=self.model.policy,
            guests=True,
            impersonation=self.model.impersonation,
        )

    def attempt(self, request: Any, caller: Any = None, **facts: Any) -> Any:
        """Returns the reply, or None if the call is refused; `problem` is why."""
        self.problem = None
        try:
            return self.run(self.world.call(request, caller, self.app_id, **facts))
        except Problem as problem:
            if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            self.problem = problem
            return None

    def sql(self, statement: str, *args: Any) -> None:
        self.run(self.world.owner.execute(statement, *args))

    def account(self, data: Any) -> Account:
        """Returns any user who has an address."""
        users = [one for one in self.model.accounts if one.email]
        account: Account = data.draw(st.sampled_from(users))
        return account

    def first_step(self, account: Account) -> None:
        """Signs in with the right password, for a step that needs a sign-in to go on from."""
        if account.closed or account.locked or not account.password or not account.email:
            return
        request = SignInWithPassword(
            email=account.email, password=account.password, browser=BROWSER
        )
        self.judge("password", account, self.attempt(request), {"password"})

    def half(self, data: Any) -> Half | None:
        """Returns any of the latest sign-ins that wait, in whatever tab."""
        if data.draw(st.booleans()):
            self.first_step(self.account(data))
        return data.draw(st.sampled_from(self.model.halves[-4:])) if self.model.halves else None

    def live(self, data: Any) -> tuple[Account, SignedInSession] | None:
        """Returns a session that has not ended, of any user who is no guest."""
        users = [one for one in self.model.accounts if not one.guest]
        account = data.draw(st.sampled_from(users))
        if not account.sessions:
            self.first_step(account)
        if not account.sessions:
            return None
        signed = data.draw(st.sampled_from(account.sessions[-3:]))
        return (account, signed) if self.is_live(signed) else None

    def is_live(self, signed: SignedInSession) -> bool:
        return self.run(self.world.live_session(signed.token, self.app_id)) is not None

    def beside(self, data: Any) -> Caller | None:
        """Returns the caller of a browser in which somebody may be signed in already."""
        other = self.live(data) if data.draw(st.booleans()) else None
        return as_user(other[1]) if other else None

    def devices(self, data: Any) -> list[str]:
        """Returns the cookies of a browser for remembered devices, those of several users together."""
        if not data.draw(st.booleans()):
            return []
        return [value for one in self.model.accounts for value, _ in one.devices[-2:]][-5:]

    def mailed_code(self) -> str:
        """Returns the code of the latest mail, if it has one."""
        mail = self.run(self.world.mail(self.app_id))
        match = re.search(r"\b(\d{3}) ?(\d{3})\b", str(mail.data.get("code") or ""))
        return match[1] + match[2] if match else "000000"

    def reborn(self, account: Account) -> Account:
        """The address of a deleted user signs up again: that is another user, with nothing of the first.
        Returns them."""
        user_id = self.run(
            self.world.owner.fetchval(
                "SELECT id FROM users WHERE app_id = $1 AND email = $2", self.app_id, account.email
            )
        )
        assert user_id != account.user_id
        self.model.accounts.append(Account(user_id, account.email))
        account.email = None
        return self.model.accounts[-1]

    def new_password(self) -> str:
        self.count += 1
        return f"{PASSWORD} {self.count}"

    def proof(self, account: Account, how: str) -> dict[str, str]:
        """Returns the fields of a proof: right ones for `app` and `recovery`, else wrong ones. The app
        shows a code that was not used yet, so that no step depends on the clock."""
        if how == "app":
            self.sql("UPDATE totp_factors SET last_step = 0 WHERE app_id = $1", self.app_id)
            return {"code": pyotp.TOTP(account.totp).now() if account.totp else "123456"}
        if how == "recovery" and account.recovery:
            return {"recovery_code": account.recovery.pop()}
        if how == "spent":
            return {"recovery_code": "0" * 26}
        return {} if how == "empty" else {"code": "000000"}

    def note_codes(self, account: Account) -> None:
        """Notes a wrong code, if the last call was one."""
        if isinstance(self.problem, WrongFactorCode):
            account.note_wrong_code()

    def judge(
        self,
        way: str,
        account: Account,
        signed: SignedInSession | None,
        shown: set[str],
        *,
        devices: list[str] | None = None,
        through_organization: bool = False,
    ) -> Outcome:
        """Checks what a sign-in became against the rules of the model."""
        if signed is None:
            self.reached[f"{way}: refused"] += 1
            return "refused"
        outcome: Outcome = "full" if signed.challenge is None else signed.challenge.kind
        self.reached[f"{way}: {outcome}"] += 1
        expected = self.model.expected(
            account, shown, devices=devices or [], through_organization=through_organization
        )
        assert outcome == expected, f"{way} led to {outcome} instead of {expected}"
        if outcome == "full":
            assert signed.full().user_id == account.user_id
            two = bool(shown & {"totp", "recovery_code", "passkey", "mfa"})
            assert ("mfa" in signed.full().amr) == two
            account.locked = account.locked and "password" in shown
            account.sessions.append(signed)
            if through_organization:
                self.model.through.add(signed.full().id)
        else:
            half = Half(signed.token, account, account.epoch, outcome, through_organization)
            self.model.halves.append(half)
        return outcome

    def replaced(self, account: Account, before: SignedInSession, now: SignedInSession) -> None:
        """Notes that a session of the user took the place of another one, after they showed a factor."""
        through = before.full().id in self.model.through
        assert through or not (self.model.sso and account.member), (
            "past the organization's provider"
        )
        assert not account.closed
        assert now.full().user_id == account.user_id
        account.sessions.append(now)
        if through:
            self.model.through.add(now.full().id)
