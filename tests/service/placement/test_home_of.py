"""Tenancy knows by itself where an application lives."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.kit.world import World

from common.contracts.applications import ApplicationNotFound
from common.ids import new_id
from common.tenants import Tenants
from common.testing import LocalBus
from tenancy.audit_sealing import Outcome, seal


async def test_tenancy_seals_without_asking_itself(world: World) -> None:
    """On the bus, a service has no right to call its own contracts. Tenancy seals the log of an application
    in each cluster all the same."""
    deps = replace(world.tenancy, bus=LocalBus(), tenants=Tenants(LocalBus()))

    for app_id in (world.app_id, world.other_app_id):
        assert await seal(deps, app_id) is not Outcome.LOCKED
        assert await world.owner.fetchval(
            "SELECT count(*) FROM audit_chain WHERE app_id = $1", app_id
        )
    with pytest.raises(ApplicationNotFound):
        await deps.home_of(new_id())
