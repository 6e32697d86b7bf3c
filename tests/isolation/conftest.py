"""One world for the folder: its tests are refused, so they do not disturb each other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.isolation.world import World, built, populate
from tests.postgres import Postgres


@pytest.fixture(scope="session")
async def world(postgres: Postgres) -> AsyncIterator[World]:
    name = postgres.clone()
    async with built(postgres.dsns(name)) as made:
        await populate(made)
        yield made
    postgres.drop(name)
