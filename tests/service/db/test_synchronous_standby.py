"""What the platform acknowledges is on the synchronous standby, whatever is cancelled or crashes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import asyncpg
import pytest
from tests.kit.callers import ADMIN
from tests.kit.nats_server import until
from tests.kit.oauth import ORIGIN
from tests.kit.standby import PostgresPair
from tests.kit.world import World
from tests.service.db.test_pipelined_connection import ADD, SEEN, A, create_applications

from aero2.cluster_report import clusters_of
from aero2.deployment import Deployment
from common.context import SYSTEM_CALLER
from common.contracts.email_codes import SignInWithCode, StartEmailCode
from common.contracts.keys import EnsureKeys
from common.contracts.organizations import CreateOrganization, OrganizationExists
from common.contracts.sessions import SignedInSession
from common.contracts.tokens import Tokens
from common.db import Database
from common.ids import new_id
from common.problems import Conflict, TooLate
from tenancy.queries import database_servers
from tenancy.queries.database_servers import ServersRow

DEADLINE = 0.3
"""Seconds for a write whose COMMIT waits for the standby."""


@pytest.fixture
async def dsns(postgres_pair: PostgresPair) -> AsyncIterator[dict[str, str]]:
    name = await asyncio.to_thread(postgres_pair.primary.clone)
    dsns = postgres_pair.primary.dsns(name)
    await create_applications(dsns["owner"])
    yield dsns
    postgres_pair.primary.drop(name)


@pytest.fixture
async def db(dsns: dict[str, str]) -> AsyncIterator[Database]:
    """One connection, so that a cancelled statement must give its place back."""
    made = await Database.connect(dsns["identity"], name="test", size=1)
    yield made
    await made.close()


async def add(db: Database, how: str) -> None:
    """Adds a user."""
    id = str(uuid.uuid4())
    values = (A.app_id, id, f"{id}@example.com")
    begin = db.transaction if how == "transaction" else db.autocommit
    async with begin(A) as link:
        await link.execute(ADD, *values)


async def users(dsn: str) -> Any:
    """Returns how many users another connection sees."""
    owner = await asyncpg.connect(dsn)
    try:
        return await owner.fetchval(SEEN, A.app_id)
    finally:
        await owner.close()


@pytest.mark.parametrize("how", ["transaction", "autocommit"])
async def test_a_cancelled_commit_stays_invisible_until_the_standby_has_it(
    postgres_pair: PostgresPair, db: Database, dsns: dict[str, str], how: str
) -> None:
    """The caller gets no acknowledgement, and nobody sees the row while a failover could lose it. A
    request to cancel would end the wait, and the row would be visible at once."""
    with postgres_pair.frozen_standby():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(DEADLINE):
                await add(db, how)
        await asyncio.sleep(0.5)
        assert await users(dsns["owner"]) == 1
        async with db.reader(A) as reader:
            assert await reader.fetchval(SEEN, A.app_id) == 1, "the pool has its place again"

    await until_users(dsns["owner"], 2)


async def test_a_time_limit_of_the_server_does_not_end_the_wait(
    postgres_pair: PostgresPair, db: Database, dsns: dict[str, str]
) -> None:
    """`statement_timeout` and the look for a closed connection are for what runs before the commit. To
    end its wait would acknowledge it."""
    name = dsns["owner"].rpartition("/")[2]
    postgres_pair.primary.query(
        f"ALTER ROLE aero2_identity IN DATABASE {name} SET statement_timeout = '100ms'"
    )
    db.pool.drop_idle()
    with postgres_pair.frozen_standby():
        for how in ("transaction", "autocommit"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.5):
                    await add(db, how)
        await asyncio.sleep(1.5)
        assert await users(dsns["owner"]) == 1

    await until_users(dsns["owner"], 3)


@pytest.mark.parametrize("how", ["transaction", "autocommit", "reader"])
async def test_a_conflict_waits_for_what_it_tells_of(
    postgres_pair: PostgresPair, db: Database, how: str
) -> None:
    """The caller learns that something exists only when the standby has it, too."""

    async def refused() -> None:
        async with getattr(db, how)(A) as link:
            await link.fetchval(SEEN, A.app_id)
            raise Conflict

    with postgres_pair.frozen_standby():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(DEADLINE):
                await refused()

    with pytest.raises(Conflict):
        await refused()


async def until_users(dsn: str, count: int) -> None:
    async with asyncio.timeout(20):
        while await users(dsn) != count:
            await asyncio.sleep(0.05)


@pytest.fixture
async def world(postgres_pair: PostgresPair) -> AsyncIterator[World]:
    name = await asyncio.to_thread(postgres_pair.primary.clone)
    world = await World.start(
        postgres_pair.primary.dsns(name),
        "identity",
        "tenancy",
        "oidc",
        stand_ins=("rbac",),
        size=4,
        request_facts={"origin": ORIGIN, "ip": "192.0.2.1"},
    )
    world.app_id = await world.application()
    await world.call(EnsureKeys(), SYSTEM_CALLER)
    yield world
    await world.close()
    postgres_pair.primary.drop(name)


@pytest.mark.parametrize("crash", [False, True], ids=["retry", "crash"])
async def test_a_retry_is_not_told_that_it_was_done_before_the_standby_has_it(
    postgres_pair: PostgresPair, world: World, crash: bool
) -> None:
    """The first attempt has committed on the primary alone. Its row is invisible, or visible after a
    crash. Either way nothing is acknowledged until the standby is back, and it was done once."""
    request = CreateOrganization(name="Acme", request_id=new_id())
    with postgres_pair.frozen_standby():
        for attempt in range(3):
            refusal = await world.refused(request, ADMIN, within=1.0)
            assert isinstance(refusal, TooLate), refusal
            if crash and attempt == 0:
                await asyncio.to_thread(postgres_pair.crash_primary)

    told = await world.refused(request, ADMIN)
    assert isinstance(told, OrganizationExists)


Again = Callable[[], Awaitable[Any]]


async def signed_in_by_code(world: World) -> Again:
    user = await world.user()
    flow = await world.call(StartEmailCode(email=user.email or "", browser="b" * 32))
    (mail,) = await world.mails()
    form = {"browser": "b" * 32, "idempotency_key": "ar_request"}
    return partial(world.call, SignInWithCode(flow=flow.flow, code=mail.code, **form))


async def signed_in_by_password(world: World) -> Again:
    user = await world.user()
    return partial(world.sign_in, user, browser="b" * 32, idempotency_key="ar_request")


async def consented(world: World) -> Again:
    client, ann = await world.client(first_party=False), await world.person()
    waiting = await world.authorize(client, ann)
    return partial(world.resume, waiting.request, ann, consent="allow")


async def denied(world: World) -> Again:
    client, ann = await world.client(first_party=False), await world.person()
    waiting = await world.authorize(client, ann)
    return partial(world.resume, waiting.request, ann, consent="deny")


async def refreshed(world: World) -> Again:
    client, ann = await world.client(scopes=["openid", "offline_access"]), await world.person()
    tokens = await world.tokens(client, ann, scope="openid offline_access")
    return partial(world.refresh, client, tokens.refresh_token)


def told(answer: Any) -> Any:
    """Returns the part of an answer that must be the same."""
    if isinstance(answer, SignedInSession):
        return answer.token
    return answer.refresh_token if isinstance(answer, Tokens) else answer


@pytest.mark.parametrize(
    "prepare", [signed_in_by_code, signed_in_by_password, consented, denied, refreshed]
)
async def test_a_request_that_is_repeated_is_answered_by_a_write(
    postgres_pair: PostgresPair, world: World, prepare: Callable[[World], Awaitable[Again]]
) -> None:
    """The first one may have been committed without an acknowledgement. So the same answer waits for
    the standby, too."""
    post = await prepare(world)
    first = await post()
    with postgres_pair.frozen_standby(), pytest.raises(TimeoutError):
        async with asyncio.timeout(1.5):
            await post()

    assert told(await post()) == told(first)


async def test_status_shows_the_standby(
    dsns: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A role without pg_monitor sees that there is one, and no more."""
    monkeypatch.setenv("AERO2_OWNER_DATABASE_URL", dsns["owner"])
    (cluster,) = await asyncio.to_thread(clusters_of, Deployment(api=None))  # type: ignore[arg-type]
    monkeypatch.setenv("AERO2_OWNER_DATABASE_URL", dsns["identity"])
    (unprivileged,) = await asyncio.to_thread(clusters_of, Deployment(api=None))  # type: ignore[arg-type]

    assert cluster.wants_synchronous
    (standby,) = cluster.standbys
    assert (standby.state, standby.sync) == ("streaming", "sync")
    assert standby.lag_bytes is not None
    assert cluster.warnings() == []
    assert [(each.state, each.lag_bytes) for each in unprivileged.standbys] == [("unknown", None)]
    assert unprivileged.warnings() == []


async def test_the_metrics_see_a_standby_that_stands_still(
    dsns: dict[str, str], postgres_pair: PostgresPair
) -> None:
    """The role of upkeep sees how far it is behind. A frozen standby lags, although its own figure stays."""
    upkeep = await Database.connect(dsns["upkeep"], name="test", size=1)

    async def servers() -> ServersRow:
        async with upkeep.unbound_transaction() as db:
            return await database_servers.get(db)

    before = await servers()
    with postgres_pair.frozen_standby():
        at_first = (await servers()).standby_lag
        await until(partial(_lags_more, servers, 1.0 + (at_first or 0.0)))
    await upkeep.close()

    assert (before.synchronous_wanted, before.synchronous_standbys) == (True, 1)
    assert before.standby_lag is not None
    assert not before.archive_failing


async def _lags_more(servers: Callable[[], Awaitable[ServersRow]], seconds: float) -> bool:
    return ((await servers()).standby_lag or 0.0) > seconds
