"""The services that the auth callout asks, on a real database, and applications for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.kit.callout import act_in, application
from tests.kit.postgres import Postgres
from tests.kit.world import World

from callout import connecting


@pytest_asyncio.fixture(scope="module")
async def stage(postgres: Postgres) -> AsyncIterator[World]:
    name = postgres.clone()
    world = await World.start(
        postgres.dsns(name),
        "oidc",
        "rbac",
        "tenancy",
        stand_ins=("identity",),
        request_facts={"ip": "192.0.2.1", "within": 15},
    )
    yield world
    await world.close()
    postgres.drop(name)


@pytest_asyncio.fixture
async def world(stage: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Two applications of the test's own. A busy machine has time to answer."""
    monkeypatch.setattr(connecting, "IN_TIME", 30.0)
    monkeypatch.setattr(connecting, "KNOWN_FOR", 600.0)
    stage.other_app_id = await application(stage)
    act_in(stage, await application(stage))
    return stage
