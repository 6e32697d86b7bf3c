"""A state machine over device codes, polled in parallel over two replicas (RFC 8628).

In any order, a device code gives at most one token set, and only to its client, after its user allowed it, in
time, and while nothing has ended the user, the session or the grant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)
from tests.kit import device_sign_in
from tests.kit.factories import Person
from tests.kit.postgres import Postgres
from tests.kit.world import World
from tests.service.oidc.driven_machine import driven, explore

from common.context import Caller
from common.contracts.device_authorization import (
    AuthorizationPending,
    DeviceAuthorization,
    ExpiredToken,
    RevokeMyDeviceSignIn,
    SlowDown,
    UserCodeUnknown,
)
from common.contracts.oauth_errors import AccessDenied, InvalidGrant
from common.contracts.tokens import Tokens
from common.problems import Problem


@dataclass
class Waiting:
    """The model of one device. `person` has decided. `ended`: what the user had approved is over."""

    device: DeviceAuthorization
    state: str = "pending"
    person: Person | None = None
    expired: bool = False
    ended: bool = False
    token_sets: int = 0


class Machine(RuleBasedStateMachine):
    """A machine that runs against one world. Each example has its own clients and users."""

    world: World
    run: Callable[[Awaitable[Any]], Any]

    devices = Bundle("devices")

    def __init__(self) -> None:
        super().__init__()
        self.client = self.run(device_sign_in.device_client(self.world))
        self.other = self.run(device_sign_in.device_client(self.world))
        self.known: list[Waiting] = []

    @initialize(target=devices)
    def begin(self) -> Waiting:
        return self._start()

    @rule(target=devices)
    def start(self) -> Waiting:
        """A device asks to be signed in."""
        return self._start()

    def _start(self) -> Waiting:
        waiting = Waiting(self.run(device_sign_in.start(self.world, self.client)))
        self.known.append(waiting)
        return waiting

    @rule(one=devices, consent=st.sampled_from(["allow", "deny"]))
    def decide(self, one: Waiting, consent: str) -> None:
        """A user types the code and decides. Only the first one does."""
        person = self.run(self.world.person())
        try:
            page = self.run(
                device_sign_in.decide(self.world, person, one.device.user_code, consent)
            )
        except UserCodeUnknown:
            assert one.state != "pending" or one.expired
            return
        assert (one.state, one.expired) == ("pending", False)
        one.state = "approved" if consent == "allow" else "denied"
        assert page.kind == f"device_{one.state}"
        one.person = person

    @rule(one=devices)
    def two_users_decide_at_once(self, one: Waiting) -> None:
        """One of them does."""
        people = [self.run(self.world.person()) for _ in range(2)]
        outcomes = self.at_once(
            [device_sign_in.decide(self.world, each, one.device.user_code) for each in people]
        )
        won = [
            person
            for person, outcome in zip(people, outcomes, strict=True)
            if not isinstance(outcome, Exception) and outcome.kind == "device_approved"
        ]
        assert len(won) == (one.state == "pending" and not one.expired), outcomes
        if won:
            one.state, one.person = "approved", won[0]

    @rule(one=devices, times=st.integers(1, 6))
    def poll(self, one: Waiting, times: int) -> None:
        """The client polls, several times at once."""
        buses = (self.world.bus, self.world.replica.bus)
        outcomes = self.at_once(
            [
                device_sign_in.poll(
                    self.world, self.client, one.device.device_code, bus=buses[n % 2]
                )
                for n in range(times)
            ]
        )
        got = [outcome for outcome in outcomes if isinstance(outcome, Tokens)]
        others = {type(outcome) for outcome in outcomes} - {Tokens}
        expected: set[type[Exception]]
        if one.token_sets:
            expected = {InvalidGrant}
        elif one.state == "denied":
            expected = {AccessDenied}
        elif one.expired:
            expected = {InvalidGrant} if one.ended and one.state == "used" else {ExpiredToken}
        elif one.state == "pending":
            expected = {AuthorizationPending, SlowDown}
        else:
            expected = {InvalidGrant}
            may = one.state == "approved" and not one.ended
            assert len(got) == may, (one, outcomes)
            one.token_sets += len(got)
            one.state = "used"
            assert others <= expected, (one, outcomes)
            return
        assert not got, (one, outcomes)
        assert others <= expected, (one, outcomes)

    @rule(one=devices)
    def another_client_polls(self, one: Waiting) -> None:
        (outcome,) = self.at_once(
            [device_sign_in.poll(self.world, self.other, one.device.device_code)]
        )
        assert isinstance(outcome, InvalidGrant)

    @rule(one=devices)
    def expire(self, one: Waiting) -> None:
        """Ten minutes pass for this device."""
        self.sql(
            "UPDATE device_codes SET expires_at = now() - interval '1 second'"
            " WHERE device_code_hash = $1",
            self.world.keys.hash("device-code", one.device.device_code),
        )
        one.expired = True

    @rule(
        one=devices,
        end=st.sampled_from(
            [
                "UPDATE users SET disabled = true WHERE id = $1",
                "UPDATE users SET epoch = epoch + 1 WHERE id = $1",
                "UPDATE user_sessions SET revoked_at = now() WHERE user_id = $1",
            ]
        ),
    )
    def end_the_user(self, one: Waiting, end: str) -> None:
        """The user who decided is locked, changes their password or signs out."""
        if one.person is None:
            return
        self.sql(end, one.person.user_id)
        one.ended = True

    @rule(one=devices)
    def sign_the_device_out(self, one: Waiting) -> None:
        """The user takes it back. A device that has fetched no tokens gets none."""
        if one.person is None:
            return
        id = self.run(
            self.world.owner.fetchval(
                "SELECT family_id::text FROM device_codes WHERE device_code_hash = $1",
                self.world.keys.hash("device-code", one.device.device_code),
            )
        )
        caller = Caller("user", one.person.user_id, session_id=one.person.session.session_id)
        self.run(self.world.call(RevokeMyDeviceSignIn(device_id=id), caller))
        if one.state == "approved" and not one.expired:
            one.state = "denied"

    @invariant()
    def one_token_set_each(self) -> None:
        """The database has one token family for each device that got tokens, and no other."""
        count = self.run(
            self.world.owner.fetchval(
                "SELECT count(*) FROM token_families WHERE client_id = $1", self.client.client_id
            )
        )
        assert count == sum(one.token_sets for one in self.known)
        assert all(one.token_sets <= 1 for one in self.known)

    def at_once(self, calls: list[Awaitable[Any]]) -> list[Any]:
        async def together() -> list[Any]:
            return await asyncio.gather(*calls, return_exceptions=True)

        found: list[Any] = self.run(together())
        assert all(isinstance(one, Problem) or not isinstance(one, Exception) for one in found), (
            found
        )
        return found

    def sql(self, statement: str, *args: Any) -> None:
        self.run(self.world.owner.execute(statement, *args))


@pytest.fixture
def running(postgres: Postgres) -> Iterator[None]:
    """Drives the machine synchronously, with its own event loop and world."""
    with driven(Machine, postgres) as world:
        for deps in (world.oidc, world.replica.oidc):
            object.__setattr__(deps.limits, "scale", 1000.0)
        yield


@pytest.mark.long
@pytest.mark.timeout(400)
def test_device_codes_under_concurrency(running: None) -> None:
    """Random orders of everything that can happen to device codes."""
    explore(Machine, examples=15, steps=25)
