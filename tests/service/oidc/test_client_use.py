"""When a client was last used, and what happens to clients that nobody uses."""

from __future__ import annotations

import pytest_asyncio
from tests.kit.registrations import HTTPS, as_client, clients_of, register, stored
from tests.kit.world import World

from common.contracts.client_registration import ClientInformation
from oidc.client_expiry import ClientSweep


@pytest_asyncio.fixture
async def open_app(shared: World) -> World:
    """An application of the test's own, with open registration."""
    shared.app_id = await shared.application(client_registration="open")
    return shared


async def use(world: World, told: ClientInformation, *, until: str = "tokens") -> None:
    """Signs a user in at a client, up to their consent or to its tokens."""
    ann, client = await world.person(), as_client(told)
    page = await world.authorize(client, ann, redirect_uri=HTTPS, scope="openid")
    allowed = await world.resume(page.request, ann, consent="allow")
    code = (allowed.location or "").partition("code=")[2].partition("&")[0]
    if until == "tokens":
        await world.redeem(client, code, redirect_uri=HTTPS)


async def age(world: World, told: ClientInformation, **intervals: str) -> None:
    """Sets times of a client to so long ago."""
    for column, interval in intervals.items():
        await world.owner.execute(
            f"UPDATE oauth_clients SET {column} = now() - $2::text::interval WHERE client_id = $1",
            told.client_id,
            interval,
        )


async def test_the_first_tokens_are_a_use(open_app: World) -> None:
    """A registration is none, nor is a page that was shown."""
    told = await register(open_app, scope="openid")
    await open_app.authorize(as_client(told), None, redirect_uri=HTTPS, scope="openid")
    assert (await stored(open_app, told)).last_used_at is None
    await use(open_app, told)

    assert (await stored(open_app, told)).last_used_at is not None


async def test_a_use_is_written_once_a_day(open_app: World) -> None:
    """Further tokens change nothing, at the same replica or another, until a day is over."""
    told = await register(open_app, scope="openid")
    await use(open_app, told)
    first = (await stored(open_app, told)).last_used_at
    version = "SELECT xmin FROM oauth_clients WHERE client_id = $1"
    before = await open_app.owner.fetchval(version, told.client_id)
    await use(open_app, told)
    open_app.oidc.caches.client_uses.clear()
    open_app.oidc.caches.clients.clear()
    await use(open_app, told)
    assert await open_app.owner.fetchval(version, told.client_id) == before
    await age(open_app, told, last_used_at="25 hours")
    open_app.oidc.caches.client_uses.clear()
    open_app.oidc.caches.clients.clear()
    await use(open_app, told)

    last = (await stored(open_app, told)).last_used_at
    assert first is not None
    assert last is not None
    assert last > first


async def test_clients_that_nobody_uses_are_deleted(open_app: World) -> None:
    """After a day without any use, and 90 days after the last one. The others stay, and a developer's always."""
    unused, fresh, idle, used, consented = [
        await register(open_app, scope="openid") for _ in range(5)
    ]
    own = await open_app.client()
    await use(open_app, idle)
    await use(open_app, used)
    await use(open_app, consented, until="consent")
    await age(open_app, unused, created_at="25 hours")
    await age(open_app, fresh, created_at="23 hours")
    await age(open_app, idle, created_at="100 days", last_used_at="91 days")
    await age(open_app, used, created_at="100 days", last_used_at="89 days")
    await age(open_app, consented, created_at="25 hours")
    await open_app.owner.execute(
        "UPDATE oauth_clients SET created_at = now() - interval '1 year' WHERE client_id = $1",
        own.client_id,
    )
    sweep = ClientSweep(open_app.oidc)
    assert await sweep.run_once() == 2
    assert await sweep.run_once() == 0

    left = {client.client_id for client in await clients_of(open_app)}
    assert left == {fresh.client_id, used.client_id, consented.client_id, own.client_id}
    events = await open_app.owner.fetch(
        "SELECT event_data->>'client_id' AS id FROM audit_logs"
        " WHERE app_id = $1 AND event_type = 'client_expired'",
        open_app.app_id,
    )
    assert {row["id"] for row in events} == {unused.client_id, idle.client_id}
