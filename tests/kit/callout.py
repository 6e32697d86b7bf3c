"""A customer's NATS server that asks Aero2, and processes that answer it, on the services of a `World`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client
from tests.kit import nats_server
from tests.kit.callers import ADMIN
from tests.kit.factories import Person
from tests.kit.nats_server import NatsServer, until
from tests.kit.world import World

from aero2 import callout as command
from callout.connecting import ConnectingIdentities
from callout.responder import Responder
from callout.settings import CalloutSettings
from common.context import SYSTEM_CALLER, Context
from common.contracts.api_keys import CreateApiKey, NewApiKey
from common.contracts.clients import NewClient
from common.contracts.keys import EnsureKeys
from common.tenants import Tenants

PATIENT = 60
"""Seconds. A busy machine may take longer than a server waits for an answer by default."""
ORDERS, OTHERS = "ORDERS", "OTHERS"
"""The accounts of the two applications of a test."""


@dataclass
class Replica:
    """One process that answers."""

    responder: Responder
    task: asyncio.Task[None]

    @property
    def identities(self) -> ConnectingIdentities:
        return self.responder.identities

    async def stop(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


@dataclass
class Connected:
    """A client of the server, and what the server told it."""

    nc: Client
    errors: list[str]
    messages: list[tuple[str, bytes]]

    async def hear(self, subject: str) -> None:
        """Subscribes. Messages are in `messages`, and a refusal is in `errors`."""

        async def keep(msg: Any) -> None:
            self.messages.append((msg.subject, msg.data))

        await self.nc.subscribe(subject, cb=keep)
        await self.nc.flush(PATIENT)

    async def say(self, subject: str, data: bytes = b"x") -> None:
        """Publishes, and waits until the server has seen it."""
        await self.nc.publish(subject, data)
        await self.nc.flush(PATIENT)


@dataclass
class CalloutSystem:
    """The server, its configuration, and the replicas that answer it."""

    world: World
    server: NatsServer
    settings: CalloutSettings
    replicas: list[Replica] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)

    async def add_replica(self) -> Replica:
        """Starts a process that answers. It returns when the server knows its subscription."""
        settings = self.settings
        identities = ConnectingIdentities(settings, self.world.bus, Tenants(self.world.bus))
        responder = Responder.of(settings, identities)
        replica = Replica(responder, asyncio.create_task(responder.run()))
        self.replicas.append(replica)
        await until(lambda: replica.responder.questions is not None)
        await replica.responder.nc.flush(PATIENT)
        return replica

    async def connect(self, credential: str | None = None, **options: Any) -> Connected:
        """Connects with a token. Raises what nats-py raises for a refusal."""
        errors: list[str] = []

        async def failed(error: Exception) -> None:
            errors.append(str(error))

        fixed: dict[str, Any] = {
            "allow_reconnect": False,
            "connect_timeout": PATIENT,
            "error_cb": failed,
        }
        if credential is not None:
            fixed["token"] = credential
        nc = await nats.connect(self.server.url, **fixed | options)
        self.clients.append(nc)
        return Connected(nc, errors, [])

    async def is_refused(self, credential: str | None = None, **options: Any) -> bool:
        """Returns whether the server lets nobody in with this token."""
        try:
            await self.connect(credential, **options)
        except nats.errors.Error as error:
            return "authorization violation" in str(error).lower()
        return False

    async def close(self) -> None:
        for client in self.clients:
            with contextlib.suppress(Exception):
                await client.close()
        for replica in self.replicas:
            await replica.stop()
        self.server.stop(signal.SIGKILL)  # it would wait for answers until its timeout


def hear_changes(world: World, system: CalloutSystem) -> None:
    """Lets each replica and the oidc service hear what any service announces."""
    publish = world.invalidation.publish

    async def announce(ctx: Context, noun: str, id: str = "*") -> None:
        await publish(ctx, noun, id)
        world.oidc.caches.drop(ctx.app_id, noun, id)
        for replica in system.replicas:
            replica.identities.invalidate(ctx.app_id, noun, id)

    world.invalidation.publish = announce  # type: ignore[method-assign]


@asynccontextmanager
async def callout_system(
    world: World,
    folder: Path,
    *,
    replicas: int = 1,
    encrypted: bool = True,
    timeout: int = PATIENT,
    **more: Any,
) -> AsyncIterator[CalloutSystem]:
    """Two applications with accounts on a server, configured as `aero2 callout config` says."""
    pairs = [f"{world.app_id}={ORDERS}", f"{world.other_app_id}={OTHERS}"]
    conf, variables = command.prepare(folder / "keys", pairs, servers="nats://127.0.0.1:1")
    conf = conf.replace("timeout: 1\n", f"timeout: {timeout if encrypted else 1}\n")
    if not encrypted:
        conf = "\n".join(line for line in conf.splitlines() if "xkey:" not in line)
    server = nats_server.start(folder / "server", conf, jetstream=False)
    settings = settings_of(variables, server.url, **more)
    system = CalloutSystem(world, server, settings)
    publish = world.invalidation.publish
    hear_changes(world, system)
    try:
        for _ in range(replicas):
            await system.add_replica()
        yield system
    finally:
        await system.close()
        world.invalidation.publish = publish  # type: ignore[method-assign]


def settings_of(variables: str, url: str, **more: Any) -> CalloutSettings:
    """Returns the settings that the command prints, for the server at `url`."""
    pairs = (line.partition("=") for line in variables.splitlines() if line.startswith("AERO2_"))
    values: dict[str, Any] = {}
    for name, _, value in pairs:
        field = name.removeprefix("AERO2_").lower()
        if field.endswith("_file"):
            field, value = field.removesuffix("_file"), Path(value).read_text().strip()
        values[field] = value
    return CalloutSettings(**values | {"callout_servers": url} | more)


async def application(world: World) -> str:
    """Inserts an application with roles and signing keys."""
    app_id = await world.application()
    await world.call(EnsureKeys(), SYSTEM_CALLER, app_id)
    return app_id


async def access_token(world: World, client: NewClient, user_id: str, **params: Any) -> str:
    """Returns an access token of a user with a session of their own."""
    person = Person(user_id, await world.session(user_id))
    return (await world.tokens(client, person, **params)).access_token


async def client_token(world: World, client: NewClient) -> str:
    """Returns an access token of a client that acts for itself."""
    return (await world.token(client, grant_type="client_credentials")).access_token


async def secret_key(world: World, **more: Any) -> NewApiKey:
    """Creates a secret key of the application."""
    key: NewApiKey = await world.call(CreateApiKey(**more), ADMIN)
    return key


def act_in(world: World, app_id: str) -> None:
    """Makes the application that of the following calls, on its own host."""
    world.app_id = app_id
    world.request_facts["origin"] = f"http://app-{app_id}.localhost:8080"
