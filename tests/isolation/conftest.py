"""Two worlds for this folder: tests change one of them, and only send refused calls to the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.isolation.ground import Ground
from tests.isolation.sides import Sides, built, populate
from tests.kit.deployments import Shape
from tests.kit.in_process import bus_of
from tests.kit.postgres import Postgres


@asynccontextmanager
async def _populated(postgres: Postgres, shape: Shape) -> AsyncIterator[Sides]:
    name = postgres.clone()
    async with built(postgres.dsns(name), bus_of(shape)()) as sides:
        await populate(sides)
        yield sides
    postgres.drop(name)


@pytest.fixture(scope="session")
async def sides(postgres: Postgres, shape: Shape) -> AsyncIterator[Sides]:
    async with _populated(postgres, shape) as sides:
        yield sides


@pytest.fixture(scope="session")
async def changing_sides(postgres: Postgres, shape: Shape) -> AsyncIterator[Sides]:
    """A world that tests change: test_repeats changes `away`, and test_odd_requests changes `home`."""
    async with _populated(postgres, shape) as sides:
        yield sides


@pytest.fixture(scope="session")
async def ground(postgres: Postgres, shape: Shape) -> AsyncIterator[Ground]:
    """A world whose application `home` gets its rows back after each change."""
    async with _populated(postgres, shape) as sides:
        yield await Ground.prepare(sides)
