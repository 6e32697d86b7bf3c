"""The tenancy service on Postgres, with stand-ins for the services that it calls."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio
from tests.kit.postgres import Postgres
from tests.kit.world import World


@pytest_asyncio.fixture(scope="session")
async def tenancy_database(postgres: Postgres) -> AsyncIterator[dict[str, str]]:
    """One database for all tests of this service. It is cleared between tests, because a clone is
    slower."""
    name = postgres.clone()
    yield postgres.dsns(name)
    postgres.drop(name)


@pytest_asyncio.fixture
async def world(tenancy_database: dict[str, str]) -> AsyncIterator[World]:
    world = await World.start(tenancy_database, "tenancy", stand_ins=("provisioning",))
    for owner in world.owners:
        await _clear(owner)
    yield world
    await world.close()


async def _clear(owner: asyncpg.Connection[asyncpg.Record]) -> None:
    """Leaves only the Dashboard, in state `creating`, as after the migration."""
    async with owner.transaction():
        await owner.execute("DELETE FROM clusters WHERE NOT is_this")
        await owner.execute("DELETE FROM applications WHERE NOT is_dashboard")
        await owner.execute("SET LOCAL session_replication_role = replica")  # without the triggers
        for table in (
            "deleted_slugs",
            "platform_settings",
            "application_api_keys",
            "custom_domains",
            "organization_members",
            "organizations",
            "users",
            "audit_logs",
            "audit_chain",
            "audit_checkpoints",
            "audit_outbox",
            "audit_transfers",
            "data_keys",
        ):
            await owner.execute(f"DELETE FROM {table}")
        await owner.execute(
            """
            UPDATE applications SET state = 'creating', provisioned = '{}', settings = '{}',
                custom_domain = NULL, custom_domain_verified = false, name = 'Dashboard'
            """
        )
