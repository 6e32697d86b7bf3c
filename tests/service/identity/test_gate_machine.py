"""A state machine over all steps of signing in, in any order and in several tabs.

Whatever happens in between, no sign-in becomes a session without each factor that the application asks
this user for.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import pyotp
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tests.kit.callers import ADMIN, PASSWORD, as_user
from tests.kit.postgres import Postgres
from tests.kit.world import World
from tests.service.identity.conftest import start_world

from common.contracts.email_codes import SignInWithCode, StartEmailCode
from common.contracts.passwords import (
    ChangePassword,
    Reauthenticate,
    ResetPassword,
    SignInWithPassword,
    StartReset,
)
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
from common.contracts.users import DisableUser, EnableUser
from common.problems import Problem

BROWSER = "b" * 43
POLICIES = ["off", "optional", "required"]


@dataclass
class Model:
    """The user as they should be. `totp` is the secret of the authenticator app."""

    policy: str = "optional"
    disabled: bool = False
    password: str = PASSWORD
    totp: str | None = None
    recovery: list[str] = field(default_factory=list)
    epoch: int = 0
    halves: list[tuple[str, int]] = field(default_factory=list)
    """The tokens of half sessions, each with the epoch in which it started."""
    devices: list[tuple[str, int]] = field(default_factory=list)
    sessions: list[SignedInSession] = field(default_factory=list)


class GateMachine(RuleBasedStateMachine):
    """One user of one application in each example."""

    world: World
    run: Callable[[Awaitable[Any]], Any]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.app_id = self.run(self.world.application())
        self.set_policy("optional")
        self.user = self.run(self.world.user(app_id=self.app_id))

    @rule(policy=st.sampled_from(POLICIES))
    def set_policy(self, policy: str) -> None:
        self.world.configure(self.app_id, mfa_policy=policy)
        self.model.policy = policy

    @rule()
    def disable(self) -> None:
        if self.attempt(DisableUser(user_id=self.user.id), ADMIN) is not None:
            self.model.disabled = True

    @rule()
    def enable(self) -> None:
        if self.attempt(EnableUser(user_id=self.user.id), ADMIN) is not None:
            self.model.disabled = False

    @rule()
    def time_passes(self) -> None:
        """The authenticator app shows a code that was not used yet."""
        self.sql("UPDATE totp_factors SET last_step = 0 WHERE user_id = $1", self.user.id)

    @rule(right=st.booleans(), remembered=st.booleans())
    def sign_in_by_password(self, right: bool, remembered: bool) -> None:
        devices = [value for value, _ in self.model.devices][-5:] if remembered else []
        signed = self.attempt(
            SignInWithPassword(
                email=self.email,
                password=self.model.password if right else "not the password 7",
                browser=BROWSER,
                devices=devices,
            )
        )
        assert signed is None or right
        self.judge(signed, remembered=remembered)

    @rule()
    def sign_in_by_code(self) -> None:
        flow = self.attempt(StartEmailCode(email=self.email, browser=BROWSER))
        code = self.mailed_code() if flow else None
        if code:
            self.judge(self.attempt(SignInWithCode(flow=flow.flow, code=code, browser=BROWSER)))

    @rule()
    def reset_password(self) -> None:
        flow = self.attempt(StartReset(email=self.email, browser=BROWSER))
        code = self.mailed_code() if flow else None
        if not code:
            return
        password = f"{PASSWORD} {len(self.model.sessions)}{self.model.epoch}"
        request = ResetPassword(flow=flow.flow, code=code, password=password, browser=BROWSER)
        signed = self.attempt(request)
        if signed is not None:
            self.model.password = password
            self.model.epoch += 1
        self.judge(signed)

    @rule(data=st.data())
    def change_password(self, data: Any) -> None:
        session = self.live_session(data)
        if session is None:
            return
        password = f"{PASSWORD} changed {self.model.epoch}"
        request = ChangePassword(current=self.model.password, password=password)
        signed = self.attempt(request, as_user(session))
        if signed is not None:
            self.model.password = password
            self.model.epoch += 1
            self.model.sessions.append(signed)

    @rule(data=st.data(), how=st.sampled_from(["app", "recovery", "wrong", "empty", "spent"]))
    def complete(self, data: Any, how: str) -> None:
        """Any tab finishes its sign-in, with any code."""
        if not self.model.halves:
            return
        token, epoch = data.draw(st.sampled_from(self.model.halves))
        proof = self.proof(how)
        done: CompletedSignIn | None = self.attempt(
            CompleteSignIn(token=token, browser=BROWSER, remember_device=how == "app", **proof)
        )
        if done is None:
            return
        assert how in ("app", "recovery")
        assert epoch == self.model.epoch, "the factors have changed since"
        if done.device:
            self.model.devices.append((done.device, self.model.epoch))
        self.judge(done.signed_in, second=True)

    @rule(data=st.data(), right=st.booleans())
    def enrol_at_sign_in(self, data: Any, right: bool) -> None:
        if not self.model.halves:
            return
        token, epoch = data.draw(st.sampled_from(self.model.halves))
        setup = self.attempt(SetUpTotpAtSignIn(token=token))
        if setup is None:
            return
        assert self.model.totp is None, "a half session replaced the user's factor"
        code = pyotp.TOTP(setup.secret).now() if right else "000000"
        request = ConfirmTotpAtSignIn(token=token, code=code, browser=BROWSER)
        enrolled: EnrolledTotp | None = self.attempt(request)
        if enrolled is None:
            return
        assert epoch == self.model.epoch
        self.enrolled(setup.secret, enrolled)
        self.judge(enrolled.signed_in, second=True)

    @rule(data=st.data())
    def enrol(self, data: Any) -> None:
        session = self.live_session(data)
        setup = session and self.attempt(SetUpTotp(), as_user(session))
        if not session or not setup:
            return
        request = ConfirmTotp(code=pyotp.TOTP(setup.secret).now())
        enrolled: EnrolledTotp | None = self.attempt(request, as_user(session))
        if enrolled is not None:
            self.enrolled(setup.secret, enrolled)
            if enrolled.signed_in is not None:
                self.model.sessions.append(enrolled.signed_in)

    @rule(data=st.data())
    def turn_off(self, data: Any) -> None:
        session = self.live_session(data)
        if session and self.attempt(RemoveTotp(), as_user(session)) is not None:
            self.model.totp, self.model.epoch = None, self.model.epoch + 1

    @rule()
    def administrator_resets(self) -> None:
        if self.attempt(ResetSecondFactors(user_id=self.user.id), ADMIN) is not None:
            self.model.totp, self.model.recovery = None, []
            self.model.epoch += 1

    @rule(data=st.data())
    def new_recovery_codes(self, data: Any) -> None:
        session = self.live_session(data)
        codes = session and self.attempt(RegenerateRecoveryCodes(), as_user(session))
        if codes:
            self.model.recovery = list(codes.recovery_codes)

    @rule(data=st.data(), how=st.sampled_from(["password", "app", "recovery", "empty"]))
    def confirm(self, data: Any, how: str) -> None:
        """A session shows one more factor. It keeps what it showed before."""
        session = self.live_session(data)
        if session is None:
            return
        request: Any = (
            Reauthenticate(password=self.model.password)
            if how == "password"
            else ConfirmFactor(**self.proof(how))
        )
        signed: SignedInSession | None = self.attempt(request, as_user(session))
        if signed is None:
            return
        two = how != "password" or "mfa" in session.full().amr
        assert ("mfa" in signed.full().amr) == two
        self.model.sessions.append(signed)

    @rule(data=st.data())
    def half_session_as_cookie(self, data: Any) -> None:
        """The token of a half session is no session."""
        if self.model.halves:
            token, _ = data.draw(st.sampled_from(self.model.halves))
            with pytest.raises(NoSession):
                self.run(self.world.call(CheckSession(token=token), app_id=self.app_id))

    @invariant()
    def disabled_users_have_no_session(self) -> None:
        if self.model.disabled:
            for signed in self.model.sessions[-3:]:
                live = self.run(self.world.live_session(signed.token, self.app_id))
                assert live is None

    def judge(
        self, signed: SignedInSession | None, *, second: bool = False, remembered: bool = False
    ) -> None:
        """Checks the outcome of a sign-in against the model. `second`: a second factor was shown."""
        if signed is None:
            return
        assert not self.model.disabled
        asked = self.model.policy == "required" or (
            self.model.policy == "optional" and self.model.totp is not None
        )
        if signed.session is None:
            assert asked
            assert not second
            assert signed.challenge is not None
            enrolled = self.model.totp is not None
            kind = "mfa_required" if enrolled else "mfa_setup_required"
            assert signed.challenge.kind == kind
            self.model.halves.append((signed.token, self.model.epoch))
            return
        assert ("mfa" in signed.session.amr) == second
        skips = remembered and any(epoch == self.model.epoch for _, epoch in self.model.devices)
        assert second or not asked or (skips and self.model.totp is not None)
        self.model.sessions.append(signed)

    def enrolled(self, secret: str, enrolled: EnrolledTotp) -> None:
        self.model.totp = secret
        self.model.epoch += 1
        if enrolled.recovery_codes:
            self.model.recovery = list(enrolled.recovery_codes)

    def proof(self, how: str) -> dict[str, str]:
        """Returns the fields of a proof: a right one for `app` and `recovery`, else a wrong one."""
        if how == "app":
            return {"code": pyotp.TOTP(self.model.totp).now() if self.model.totp else "123456"}
        if how == "recovery" and self.model.recovery:
            return {"recovery_code": self.model.recovery.pop()}
        if how == "spent":
            return {"recovery_code": "0" * 26}
        return {} if how == "empty" else {"code": "000000"}

    def live_session(self, data: Any) -> SignedInSession | None:
        """Returns any session that has not ended."""
        if not self.model.sessions:
            return None
        signed: SignedInSession = data.draw(st.sampled_from(self.model.sessions[-3:]))
        live = self.run(self.world.live_session(signed.token, self.app_id))
        return signed if live is not None else None

    def mailed_code(self) -> str | None:
        """Returns the code of the latest mail, if it has one."""
        mail = self.run(self.world.mail(self.app_id))
        found = re.search(r"\b(\d{3}) ?(\d{3})\b", str(mail.data.get("code") or ""))
        return found[1] + found[2] if found else None

    @property
    def email(self) -> str:
        assert self.user.email
        return str(self.user.email)

    def attempt(self, request: Any, caller: Any = None) -> Any:
        """Returns the reply, or None if the call is refused."""
        try:
            return self.run(self.world.call(request, caller, self.app_id))
        except Problem as problem:
            if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            return None

    def sql(self, statement: str, *args: Any) -> None:
        self.run(self.world.owner.execute(statement, *args))


@pytest.fixture
def running(postgres: Postgres) -> Iterator[None]:
    """Drives the machine synchronously, with its own event loop and world."""
    name = postgres.clone()
    with asyncio.Runner() as runner:
        world = runner.run(start_world(postgres.dsns(name)))
        GateMachine.world = world
        GateMachine.run = staticmethod(runner.run)  # type: ignore[assignment]
        yield
        runner.run(world.close())
    postgres.drop(name)


def _explore(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        GateMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(300)
def test_no_order_of_steps_avoids_the_gate(running: None) -> None:
    """Random orders of all steps. A few examples, for every day."""
    _explore(8, 25)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_no_order_of_many_steps_avoids_the_gate(running: None) -> None:
    """The same with many examples."""
    _explore(60, 50)
