"""A state machine over codes and refresh tokens, presented in parallel to two replicas.

In any order, an authorization never has two valid refresh tokens. Nobody is signed out without a
reason, and revoked tokens stay revoked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)
from tests.kit.factories import Person
from tests.kit.postgres import Postgres
from tests.kit.world import World
from tests.service.oidc.driven_machine import driven, explore

from common.contracts.clients import NewClient
from common.contracts.oauth_errors import InvalidGrant, InvalidToken
from common.contracts.tokens import CheckAccessToken, RevokeToken, Tokens
from common.problems import Problem
from common.testing import LocalBus


@dataclass
class Family:
    """The model of one authorization."""

    client: NewClient
    person: Person
    refresh: list[str] = field(default_factory=list)
    """By generation."""
    access: list[str] = field(default_factory=list)
    live: bool = True
    within_grace: bool = False


class Machine(RuleBasedStateMachine):
    """A machine that runs against one world. Each example has its own clients and users."""

    world: World
    run: Callable[[Awaitable[Any]], Any]

    families = Bundle("families")
    many = st.integers(1, 8)

    def __init__(self) -> None:
        super().__init__()
        self.known: list[Family] = []
        self.client = self.run(self.world.client())
        self.other = self.run(self.world.client())

    @initialize(target=families)
    def begin(self) -> Any:
        return self.redeem()

    @rule(target=families)
    def redeem(self) -> Family:
        """A user signs in."""
        person = self.run(self.world.person())
        code = self.run(self.world.code(self.client, person))
        tokens = self.run(self.world.redeem(self.client, code))
        family = Family(self.client, person, [tokens.refresh_token], [tokens.access_token])
        self.known.append(family)
        return family

    @rule(times=st.integers(2, 8))
    def redeem_at_once(self, times: int) -> None:
        """Of parallel redemptions one gets tokens. The repeated code then revokes them."""
        person = self.run(self.world.person())
        code = self.run(self.world.code(self.client, person))
        outcomes = self.all(lambda bus: self.world.redeem(self.client, code, bus=bus), times)
        (won,) = [one for one in outcomes if isinstance(one, Tokens)]
        family = Family(self.client, person, [won.refresh_token or ""], [won.access_token])
        family.live = False
        self.known.append(family)

    @rule(family=families, times=many)
    def refresh_the_newest(self, family: Family, times: int) -> None:
        """All requests at once get the same successor, or all are refused."""
        outcomes = self.present(family, family.refresh[-1], times)
        if not family.live:
            assert all(isinstance(one, InvalidGrant) for one in outcomes), outcomes
            return
        assert all(isinstance(one, Tokens) for one in outcomes), outcomes
        assert len({one.refresh_token for one in outcomes}) == 1
        family.refresh.append(outcomes[0].refresh_token)
        family.access.append(outcomes[0].access_token)
        family.within_grace = True

    @rule(family=families, times=many)
    def refresh_the_parent(self, family: Family, times: int) -> None:
        """Within the grace it gives the same successor. Later it is reuse."""
        if len(family.refresh) < 2:
            return
        outcomes = self.present(family, family.refresh[-2], times)
        if family.live and family.within_grace:
            assert {one.refresh_token for one in outcomes} == {family.refresh[-1]}
        else:
            assert all(isinstance(one, InvalidGrant) for one in outcomes), outcomes
            family.live = False

    @rule(family=consumes(families), times=many)
    def refresh_an_ancestor(self, family: Family, times: int) -> None:
        """It is always reuse."""
        if len(family.refresh) < 3:
            return
        outcomes = self.present(family, family.refresh[0], times)
        assert all(isinstance(one, InvalidGrant) for one in outcomes), outcomes
        family.live = False

    @rule(family=families)
    def another_client_presents(self, family: Family) -> None:
        """It is refused and does not affect the family."""
        for token in family.refresh:

            def refresh(bus: LocalBus, token: str = token) -> Awaitable[Any]:
                return self.world.refresh(self.other, token, bus=bus)

            outcome = self.all(refresh, 1)
            assert isinstance(outcome[0], InvalidGrant)

    @rule(family=families)
    def time_passes(self, family: Family) -> None:
        """The grace is over."""
        self.sql(
            """UPDATE refresh_tokens SET rotated_at = rotated_at - interval '11 seconds'
               WHERE family_id IN (SELECT id FROM token_families WHERE user_id = $1)""",
            family.person.user_id,
        )
        family.within_grace = False

    @rule(family=consumes(families))
    def revoke(self, family: Family) -> None:
        from tests.service.oidc.test_revocation import told

        self.run(self.world.call(RevokeToken(**told(family.client, family.refresh[-1]))))
        family.live = False

    @rule(family=consumes(families))
    def revoke_while_refreshing(self, family: Family) -> None:
        """After the answer to the revocation no token is accepted, in any order."""
        from tests.service.oidc.test_revocation import told

        async def race() -> None:
            await asyncio.gather(
                self.world.call(RevokeToken(**told(family.client, family.refresh[-1]))),
                self.world.refresh(family.client, family.refresh[-1], bus=self.world.replica.bus),
                return_exceptions=True,
            )

        self.run(race())
        family.live = False

    @rule(family=consumes(families))
    def log_out(self, family: Family) -> None:
        self.sql(
            "UPDATE user_sessions SET revoked_at = now() WHERE user_id = $1",
            family.person.user_id,
        )
        for deps in (self.world.oidc, self.world.replica.oidc):
            deps.caches.drop(self.world.app_id, "session", family.person.session.session_id)
        family.live = False

    @invariant()
    def at_most_one_living_descendant(self) -> None:
        """The database has at most one valid refresh token of each authorization."""
        worst = self.value(
            """SELECT coalesce(max(n), 0) FROM (
                   SELECT count(*) AS n FROM refresh_tokens r
                   JOIN token_families f ON f.app_id = r.app_id AND f.id = r.family_id
                   WHERE r.used_at IS NULL AND f.revoked_at IS NULL GROUP BY r.family_id) one"""
        )
        assert worst <= 1

    @invariant()
    def access_follows(self) -> None:
        """An access token is valid exactly as long as its authorization, on both replicas."""
        for family in self.known[-2:]:
            for bus in (self.world.bus, self.world.replica.bus):
                held = self.run(self._access_ends_as(bus, family.access[-1]))
                assert isinstance(held, InvalidToken) != family.live, held

    def present(self, family: Family, token: str, times: int) -> list[Any]:
        return self.all(lambda bus: self.world.refresh(family.client, token, bus=bus), times)

    async def _access_ends_as(self, bus: LocalBus, token: str) -> Any:
        """Returns what the token leads to, or the refusal."""
        try:
            return await bus.call(self.world.ctx(), CheckAccessToken(token=token))
        except Problem as problem:
            return problem

    def all(self, call: Callable[[Any], Awaitable[Any]], times: int) -> list[Any]:
        async def together() -> list[Any]:
            buses = (self.world.bus, self.world.replica.bus)
            calls = (call(buses[n % 2]) for n in range(times))
            return await asyncio.gather(*calls, return_exceptions=True)

        found: list[Any] = self.run(together())
        return found

    def sql(self, statement: str, *args: Any) -> None:
        self.run(self.world.owner.execute(statement, *args))

    def value(self, statement: str) -> Any:
        return self.run(self.world.owner.fetchval(statement))


@pytest.fixture
def running(postgres: Postgres) -> Iterator[None]:
    """Drives the machine synchronously, with its own event loop and world."""
    with driven(Machine, postgres):
        yield


@pytest.mark.long
@pytest.mark.timeout(400)
def test_tokens_under_concurrency(running: None) -> None:
    """Random orders of everything that can happen to codes and refresh tokens."""
    explore(Machine, examples=12, steps=20)
