"""The oidc service on a real database, with stand-ins for rbac and tenancy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest_asyncio
from tests.kit.oauth import ORIGIN
from tests.kit.postgres import Postgres
from tests.kit.world import KEYS, World

from common.context import SYSTEM_CALLER
from common.contracts.keys import EnsureKeys
from common.crypto import Keys


async def start_world(
    dsns: dict[str, str], keys: Keys = KEYS, replica_keys: Keys | None = None, **settings: Any
) -> World:
    """Starts two replicas of oidc and inserts an application with keys. The caller closes it."""
    world = await World.start(
        dsns,
        "oidc",
        stand_ins=("rbac", "tenancy"),
        host=ORIGIN.removeprefix("https://"),
        size=10,
        request_facts={"origin": ORIGIN, "ip": "192.0.2.1", "within": 10},
        oidc_settings=settings,
        keys=keys,
    )
    world.add_oidc_replica(replica_keys, **settings)
    world.app_id = await world.application()
    await world.call(EnsureKeys(), SYSTEM_CALLER)
    return world


@asynccontextmanager
async def fresh_world(postgres: Postgres, **settings: Any) -> AsyncIterator[World]:
    """A world on a database of its own."""
    name = postgres.clone()
    world = await start_world(postgres.dsns(name), **settings)
    yield world
    await world.close()
    postgres.drop(name)


@pytest_asyncio.fixture
async def world(postgres: Postgres) -> AsyncIterator[World]:
    """A world of the test's own."""
    async with fresh_world(postgres) as world:
        yield world


@pytest_asyncio.fixture(scope="module")
async def shared(postgres: Postgres) -> AsyncIterator[World]:
    """A world shared by a module's tests, each with clients and users of its own."""
    async with fresh_world(postgres) as world:
        yield world
