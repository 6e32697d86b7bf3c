"""Worlds for the folder: one whose tests are refused, so they do not disturb each other, and one that
tests change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.isolation.world import World, built, populate
from tests.kit.postgres import Postgres


@asynccontextmanager
async def _populated(postgres: Postgres) -> AsyncIterator[World]:
    name = postgres.clone()
    async with built(postgres.dsns(name)) as world:
        await populate(world)
        yield world
    postgres.drop(name)


@pytest.fixture(scope="session")
async def world(postgres: Postgres) -> AsyncIterator[World]:
    async with _populated(postgres) as world:
        yield world


@pytest.fixture(scope="session")
async def changing_world(postgres: Postgres) -> AsyncIterator[World]:
    """`away` is for test_repeats, `home` for test_odd_requests: neither is as it was afterwards."""
    async with _populated(postgres) as world:
        yield world
