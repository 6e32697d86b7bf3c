"""Real NATS clients of a real nats-server that asks Aero2 who they are (auth callout)."""

from __future__ import annotations

import asyncio
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nats.errors
import pytest
from tests.kit.callers import ADMIN
from tests.kit.callout import (
    PATIENT,
    access_token,
    act_in,
    callout_system,
    client_token,
    secret_key,
)
from tests.kit.nats_server import until
from tests.kit.oauth import basic_of
from tests.kit.world import World

from callout import connecting
from common.context import SYSTEM_CALLER
from common.contracts.api_keys import RevokeApiKey, VerifyApiKey
from common.contracts.assignments import AssignRole, UnassignRole
from common.contracts.clients import UpdateClient
from common.contracts.keys import EnsureKeys
from common.contracts.nats_subjects import GetNatsRights, NatsSubjects
from common.contracts.roles import CreateRole, RoleChanges, UpdateRole
from common.contracts.tokens import CheckAccessToken, RevokeToken

SUBJECTS = {
    "publish": {"allow": ["orders.{user_id}.>"], "deny": ["orders.*.refund"]},
    "subscribe": {"allow": ["orders.{user_id}.>", "_INBOX.{user_id}.>"]},
}


async def trader(world: World, **subjects: Any) -> str:
    """Returns a user with a role that gives subjects on NATS."""
    nats = NatsSubjects.model_validate(subjects or SUBJECTS)
    await world.call(CreateRole(name="Trader", nats=nats), ADMIN)
    user = await world.insert_user(world.app_id)
    await world.call(AssignRole(user_id=user, role_id="trader"), ADMIN)
    return user


async def test_a_client_does_only_what_its_role_allows(world: World, tmp_path: Path) -> None:
    """It publishes and subscribes under its own id. Anything else is a violation, also what a deny
    rule takes out. A secret key of the application sees the messages, and no other account does."""
    user = await trader(world)
    token = await access_token(world, await world.client(), user)
    async with callout_system(world, tmp_path) as system:
        backend = await system.connect((await secret_key(world)).key)
        await backend.hear(">")
        ann = await system.connect(token)
        await ann.hear(f"orders.{user}.>")
        await ann.say(f"orders.{user}.new")
        await until(lambda: backend.messages)
        assert (backend.messages[0][0], ann.errors) == (f"orders.{user}.new", [])

        for subject in (f"orders.{user}.refund", "orders.somebody.new", "admin"):
            await ann.say(subject)
        await ann.hear("orders.>")
        await ann.hear("_INBOX.somebody.>")
        await until(lambda: len(ann.errors) == 5)
        assert all("permissions violation" in error.lower() for error in ann.errors)

        act_in(world, world.other_app_id)
        elsewhere = await system.connect((await secret_key(world)).key)
        await elsewhere.hear(">")
        await ann.say(f"orders.{user}.later")
        await until(lambda: len(backend.messages) == 2)
        await elsewhere.nc.flush(PATIENT)
        assert elsewhere.messages == []


async def test_a_client_that_acts_for_itself(world: World, tmp_path: Path) -> None:
    """A role names it. Another client of the application may not connect, and neither may a user
    without a role that gives subjects."""
    robot, other = [
        await world.client(type="service", redirect_uris=[], scopes=[], name=name)
        for name in ("Robot", "Other")
    ]
    nats = NatsSubjects.model_validate(
        {"publish": {"allow": ["jobs.{client_id}"]}, "clients": [robot.client_id]}
    )
    await world.call(CreateRole(name="Robots", nats=nats), ADMIN)
    nobody = await world.insert_user(world.app_id)
    async with callout_system(world, tmp_path) as system:
        connected = await system.connect(await client_token(world, robot))
        await connected.say(f"jobs.{robot.client_id}")
        await connected.say("jobs.other")
        await connected.hear(">")
        await until(lambda: len(connected.errors) == 2)

        assert await system.is_refused(await client_token(world, other))
        assert await system.is_refused(await access_token(world, await world.client(), nobody))


async def test_the_password_may_be_the_token(world: World, tmp_path: Path) -> None:
    """Clients without a field for tokens send it as a password, and opaque tokens with the id of the
    application as user, if there are several."""
    user = await trader(world)
    client = await world.client(access_token_format="opaque")
    opaque = await access_token(world, client, user)
    jwt = await access_token(world, await world.client(), user)
    async with callout_system(world, tmp_path) as system:
        await system.connect(user="anything", password=jwt)
        await system.connect(user=world.app_id, password=opaque)
        assert await system.is_refused(user=world.other_app_id, password=opaque)
        assert await system.is_refused(opaque)


async def test_what_is_no_credential_is_refused(world: World, tmp_path: Path) -> None:
    """Nothing, nonsense, a forged token, a publishable key. The callout's own user needs its password."""
    user = await trader(world)
    token = await access_token(world, await world.client(), user)
    head, body, signature = token.split(".")
    publishable = await secret_key(world, key_type="publishable")
    async with callout_system(world, tmp_path) as system:
        for each in (None, "x", f"{head}.{body}.{signature[::-1]}", publishable.key, "sk_live_x"):
            assert await system.is_refused(each)
        assert await system.is_refused(user="aero2", password="wrong")


async def test_a_token_of_a_foreign_application_is_refused(world: World, tmp_path: Path) -> None:
    """It is valid there, and has no account here. No service is asked about a token."""
    home, strangers = world.app_id, await world.application()
    async with callout_system(world, tmp_path) as system:
        act_in(world, strangers)
        await world.call(EnsureKeys(), SYSTEM_CALLER)
        token = await access_token(world, await world.client(), await trader(world))
        key = (await secret_key(world)).key
        world.bus.calls.clear()
        assert await system.is_refused(token)
        assert await system.is_refused(token, user=home)
        assert not any(isinstance(call, CheckAccessToken) for call in world.bus.calls)
        assert await system.is_refused(key)


@pytest.mark.parametrize("kind", ["token", "client", "role", "key", "user"])
async def test_what_was_revoked_is_refused_at_once(world: World, tmp_path: Path, kind: str) -> None:
    """On each of two replicas that knew it: a revoked token, a disabled client, a role that was taken,
    a revoked key, a user whose role lost its subjects."""
    user, client, key = await trader(world), await world.client(), await secret_key(world)
    token = await access_token(world, client, user)
    credential = key.key if kind == "key" else token
    revoke: Any = {
        "token": RevokeToken(
            params=[("token", token), ("client_id", client.client_id)],
            basic=basic_of(client.client_id, client.client_secret or ""),
        ),
        "client": UpdateClient(client=client.id, changes={"enabled": False}),
        "role": UnassignRole(user_id=user, role_id="trader"),
        "key": RevokeApiKey(id=key.id),
        "user": UpdateRole(role_id="trader", changes=RoleChanges(nats=None)),
    }[kind]
    async with callout_system(world, tmp_path, replicas=2) as system:
        for replica in system.replicas:
            await replica.identities.find(credential, None)
        await system.connect(credential)
        await world.call(revoke, ADMIN)
        assert await system.is_refused(credential)
        for replica in system.replicas:
            with pytest.raises(connecting.Refused):
                connecting.check_rights(await replica.identities.find(credential, None))


async def test_a_storm_of_reconnects_asks_nothing(world: World, tmp_path: Path) -> None:
    """Trap 67: after a restart of the server, everybody comes back at once. What is known of their
    tokens is in memory: no call of a service, for as many connections as there are."""
    user = await trader(world)
    token, key = await access_token(world, await world.client(), user), await secret_key(world)
    # Somebody who comes back before the callout does is refused after this time, and tries again.
    async with callout_system(
        world, tmp_path, timeout=2, callout_connects_per_minute=10_000
    ) as system:
        connections = [0] * 20

        async def stay(number: int) -> None:
            """Connects again whenever the connection has ended, as docs/nats.md says."""
            while True:
                closed = asyncio.Event()

                async def end(closed: asyncio.Event = closed) -> None:
                    closed.set()

                try:
                    await system.connect(token if number % 2 else key.key, closed_cb=end)
                except (nats.errors.Error, OSError, TimeoutError):
                    await asyncio.sleep(0.1)
                    continue
                connections[number] += 1
                await closed.wait()

        staying = [asyncio.create_task(stay(number)) for number in range(len(connections))]
        await until(lambda: all(connections))
        world.bus.calls.clear()
        system.server.stop(signal.SIGKILL)
        system.server.launch()
        await until(lambda: min(connections) > 1)
        asked = {type(call) for call in world.bus.calls}
        for task in staying:
            task.cancel()
        assert not asked & {CheckAccessToken, GetNatsRights, VerifyApiKey}


async def test_one_user_connects_only_so_often(world: World, tmp_path: Path) -> None:
    """The limit is of one user: another one is let in."""
    user, client = await trader(world), await world.client()
    token, key = await access_token(world, client, user), await secret_key(world)
    async with callout_system(world, tmp_path, callout_connects_per_minute=1) as system:
        await system.connect(token)
        assert await system.is_refused(token)
        await system.connect(key.key)


async def test_a_plain_request_is_refused(world: World, tmp_path: Path) -> None:
    """A server without xkey sends tokens in the clear. Nobody gets in."""
    key = await secret_key(world)
    async with callout_system(world, tmp_path, encrypted=False) as system:
        world.bus.calls.clear()
        assert await system.is_refused(key.key)
        assert world.bus.calls == []


async def test_a_connection_ends_with_its_token(world: World, tmp_path: Path) -> None:
    """Trap 66: the server ends it, and nats-py does not come back by itself: the application connects
    again, with a new token."""
    user = await trader(world)
    key = await secret_key(world, expires_at=datetime.now(UTC) + timedelta(seconds=6))
    token = await access_token(world, await world.client(), user)
    async with callout_system(world, tmp_path) as system:
        closed = asyncio.Event()

        async def close() -> None:
            closed.set()

        short = await system.connect(
            key.key, closed_cb=close, allow_reconnect=True, max_reconnect_attempts=-1
        )
        longer = await system.connect(token)
        await asyncio.wait_for(closed.wait(), PATIENT)
        assert short.nc.is_closed
        assert longer.nc.is_connected
        assert await system.is_refused(key.key)


async def test_an_answer_outlives_no_token(world: World, tmp_path: Path) -> None:
    """`callout_lifetime` ends what would last longer."""
    key = await secret_key(world)
    async with callout_system(world, tmp_path, callout_lifetime=60) as system:
        [replica] = system.replicas
        identity = await replica.identities.find(key.key, None)
        assert identity.expires_at <= time.time() + 60


async def test_replicas_share_the_questions(world: World, tmp_path: Path) -> None:
    """Each question is answered once, and a replica that leaves is missed by nobody."""
    key = await secret_key(world)
    async with callout_system(world, tmp_path, replicas=2) as system:
        answered: list[int] = []
        for number, replica in enumerate(system.replicas):
            decide = replica.responder._decide

            async def noted(*args: Any, n: int = number, real: Any = decide, **more: Any) -> Any:
                answered.append(n)
                return await real(*args, **more)

            replica.responder._decide = noted  # type: ignore[method-assign]
        for _ in range(30):
            await system.connect(key.key)
        assert len(answered) == 30
        await system.replicas[0].stop()
        for _ in range(5):
            await system.connect(key.key)
        assert answered[30:] == [1] * 5


async def test_without_our_services_nobody_gets_in(world: World, tmp_path: Path) -> None:
    """The server is told at once. When they are back, the same token works."""
    key = await secret_key(world)
    async with callout_system(world, tmp_path) as system:
        handler = world.bus.handlers.pop(VerifyApiKey)
        assert await system.is_refused(key.key)
        world.bus.handlers[VerifyApiKey] = handler
        await system.connect(key.key)
