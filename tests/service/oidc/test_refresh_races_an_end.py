"""A refresh is under way while its grant ends: after the answer to the end, no token of the grant is alive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from tests.kit.callers import ADMIN, PASSWORD, as_user
from tests.kit.factories import Person
from tests.kit.fault_report import FaultReport
from tests.kit.history import Act, History
from tests.kit.oauth import ORIGIN, basic_of
from tests.kit.postgres import Postgres
from tests.kit.world import World

from common.context import SYSTEM_CALLER
from common.contracts.authorization import SignedIn
from common.contracts.clients import NewClient
from common.contracts.consents import RevokeUserGrant
from common.contracts.keys import EnsureKeys
from common.contracts.oauth_errors import InvalidGrant, InvalidToken
from common.contracts.passwords import ChangePassword
from common.contracts.profiles import User
from common.contracts.sessions import RevokeUserSessions, SignedInSession, SignOut
from common.contracts.tokens import CheckAccessToken, RevokeToken, Tokens
from common.contracts.users import DeleteUser, DisableUser, ForceReset
from common.problems import Problem
from common.testing import LocalBus
from oidc import token_response
from oidc.queries import refresh_tokens

pytestmark = pytest.mark.fault("F28")
OTHER_PASSWORD = "forty calm herons paint"


@dataclass
class Grant:
    """A user with two sessions, a client, and tokens that belong to the first session."""

    world: World
    user: User
    session: SignedInSession
    other: SignedInSession
    client: NewClient
    tokens: Tokens

    async def refresh(self, token: str | None, bus: LocalBus | None = None) -> Tokens:
        return await self.world.refresh(self.client, token, bus=bus)


async def revoked(grant: Grant) -> None:
    """The client revokes its refresh token (RFC 7009)."""
    basic = basic_of(grant.client.client_id, grant.client.client_secret or "")
    params = [("token", grant.tokens.refresh_token or "")]
    await grant.world.call(RevokeToken(params=params, basic=basic))


async def signed_out(grant: Grant) -> None:
    await grant.world.call(SignOut(token=grant.session.token))


async def sessions_ended(grant: Grant) -> None:
    await grant.world.call(RevokeUserSessions(user_id=grant.user.id), ADMIN)


async def disabled(grant: Grant) -> None:
    await grant.world.call(DisableUser(user_id=grant.user.id), ADMIN)


async def deleted(grant: Grant) -> None:
    await grant.world.call(DeleteUser(user_id=grant.user.id), ADMIN)


async def reset_forced(grant: Grant) -> None:
    await grant.world.call(ForceReset(user_id=grant.user.id), ADMIN)


async def password_changed(grant: Grant) -> None:
    """The user changes the password in another browser."""
    change = ChangePassword(current=PASSWORD, password=OTHER_PASSWORD)
    await grant.world.call(change, as_user(grant.other))


async def grant_revoked(grant: Grant) -> None:
    """An administrator ends what the user has given the client."""
    request = RevokeUserGrant(user_id=grant.user.id, client_id=grant.client.client_id)
    await grant.world.call(request, ADMIN)


End = Callable[[Grant], Awaitable[None]]
ENDS: list[End] = [
    revoked,
    signed_out,
    sessions_ended,
    disabled,
    deleted,
    reset_forced,
    password_changed,
    grant_revoked,
]
SOME_EVERY_DAY = [
    end if end in (revoked, password_changed) else pytest.param(end, marks=pytest.mark.long)
    for end in ENDS
]


@dataclass
class Failpoint:
    """Holds the first call of a function, and lets it go on when the test says so."""

    reached: asyncio.Event
    released: asyncio.Event

    @classmethod
    def before(cls, patch: pytest.MonkeyPatch, module: Any, name: str) -> Failpoint:
        """Puts it before a function of a module."""
        point, function, calls = cls(asyncio.Event(), asyncio.Event()), getattr(module, name), [0]

        async def held(*args: Any, **options: Any) -> Any:
            calls[0] += 1
            if calls[0] == 1:
                point.reached.set()
                await point.released.wait()
            return await function(*args, **options)

        patch.setattr(module, name, held)
        return point


@pytest_asyncio.fixture(scope="module")
async def world(postgres: Postgres) -> AsyncIterator[World]:
    """Two replicas of oidc beside identity."""
    name = postgres.clone()
    world = await World.start(
        postgres.dsns(name),
        "oidc",
        "identity",
        stand_ins=("rbac", "tenancy"),
        host=ORIGIN.removeprefix("https://"),
        size=10,
        limit_scale=0,
        request_facts={"origin": ORIGIN, "ip": "192.0.2.1", "within": 30},
    )
    world.add_oidc_replica()
    world.app_id = await world.application()
    await world.call(EnsureKeys(), SYSTEM_CALLER)
    yield world
    await world.close()
    postgres.drop(name)


async def granted(world: World) -> Grant:
    user = await world.user()
    session, other = await world.sign_in(user), await world.sign_in(user)
    full = session.full()
    shown = SignedIn(
        session_id=full.id, user_id=user.id, auth_time=full.auth_time, acr=full.acr, amr=full.amr
    )
    client = await world.client()
    tokens = await world.tokens(client, Person(user.id, shown))
    return Grant(world, user, session, other, client, tokens)


async def check_all_dead(grant: Grant, answers: list[Tokens], history: History) -> None:
    """Uses every token of the grant at both replicas, after its end."""
    world = grant.world
    for tokens in (grant.tokens, *answers):
        for bus in (world.bus, world.replica.bus):
            use = history.invoke("uses afterwards", Act.TAKE, grant.tokens.refresh_token or "")
            try:
                await bus.call(world.ctx(), CheckAccessToken(token=tokens.access_token))
                use.ok()
            except InvalidToken:
                use.fail()
            use = history.invoke("uses afterwards", Act.TAKE, grant.tokens.refresh_token or "")
            try:
                await grant.refresh(tokens.refresh_token, bus)
                use.ok()
            except InvalidGrant:
                use.fail()
    history.check()


@pytest.mark.parametrize("end", SOME_EVERY_DAY, ids=lambda end: end.__name__)
@pytest.mark.parametrize("point", ["before it is rotated", "before its answer"])
async def test_a_refresh_under_way_outlives_no_end(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: FaultReport, point: str, end: End
) -> None:
    """A refresh is held before its statement, or between its commit and its answer. Meanwhile the grant
    ends. What the refresh returns is dead, at every replica, and so is what was there before."""
    grant = await granted(world)
    history = fault.history
    module, name = (
        (refresh_tokens, "rotate") if "rotated" in point else (token_response, "for_grant")
    )
    held = Failpoint.before(monkeypatch, module, name)
    under_way = asyncio.create_task(grant.refresh(grant.tokens.refresh_token))
    await held.reached.wait()
    ending = history.invoke("ends", Act.END, grant.tokens.refresh_token or "")
    await end(grant)
    ending.ok()
    held.released.set()
    (answer,) = await asyncio.gather(under_way, return_exceptions=True)

    assert isinstance(answer, Tokens | Problem), answer
    await check_all_dead(grant, [answer] if isinstance(answer, Tokens) else [], history)
    await fault.settle()


@pytest.mark.long
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_many_refreshes_race_an_end(world: World, fault: FaultReport, end: End) -> None:
    """Six refreshes at two replicas and an end begin at once, in twenty rounds. After all answers no token
    of the grant is alive."""
    history = fault.history
    for delay in range(20):
        grant = await granted(world)

        async def refreshed(number: int, grant: Grant = grant) -> Tokens:
            bus = (world.bus, world.replica.bus)[number % 2]
            return await grant.refresh(grant.tokens.refresh_token, bus)

        async def ended(grant: Grant = grant, delay: int = delay) -> None:
            await asyncio.sleep(delay / 1000)
            ending = history.invoke("ends", Act.END, grant.tokens.refresh_token or "")
            await end(grant)
            ending.ok()

        *answers, done = await asyncio.gather(
            *(refreshed(number) for number in range(6)), ended(), return_exceptions=True
        )
        assert done is None, done
        assert all(isinstance(each, Tokens | InvalidGrant) for each in answers), answers
        await check_all_dead(grant, [each for each in answers if isinstance(each, Tokens)], history)
    await fault.settle()
