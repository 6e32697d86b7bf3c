"""A service goes on with the applications that it knows while tenancy does not answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from common.context import Context
from common.contracts.applications import ApplicationNotFound
from common.contracts.tenants import Tenant
from common.problems import Problem, Unavailable
from common.stale_cache import StaleCache
from common.tenants import STALE, TTL, Tenants
from common.testing import context

APP = "01900000-0000-7000-8000-00000000000a"
OTHER = "01900000-0000-7000-8000-00000000000b"


@dataclass
class Tenancy:
    """Answers, or raises a Problem. Also tells the time."""

    problem: Problem | None = None
    now: float = 0.0
    calls: int = 0

    async def call(self, ctx: Context, request: Any) -> Tenant:
        self.calls += 1
        if self.problem is not None:
            raise self.problem
        host = "shop.example.com"
        return Tenant(
            app_id=ctx.app_id,
            slug="shop",
            name="Shop",
            state="active",
            host=host,
            hosts=[host],
            origin=f"https://{host}",
        )


@pytest.fixture
def tenancy() -> Tenancy:
    return Tenancy()


@pytest.fixture
async def tenants(tenancy: Tenancy) -> Tenants:
    """They know one application."""
    cache = StaleCache[Tenant]("tenant", 10, TTL, stale=STALE, clock=lambda: tenancy.now)
    made = Tenants(tenancy, cache)  # type: ignore[arg-type]
    await made.get(context(APP))
    return made


async def test_a_known_application_stays_known(tenants: Tenants, tenancy: Tenancy) -> None:
    """It stays known for a minute after its time, and no longer. Others are not known."""
    tenancy.problem = Unavailable()
    tenancy.now = TTL + STALE - 1
    assert (await tenants.get(context(APP))).app_id == APP
    with pytest.raises(Unavailable):
        await tenants.get(context(OTHER))

    tenancy.now = TTL + STALE + 1
    with pytest.raises(Unavailable):
        await tenants.get(context(APP))


async def test_an_application_that_changed_does_not(tenants: Tenants, tenancy: Tenancy) -> None:
    """What an invalidation message names is asked for again, or refused."""
    tenancy.problem = Unavailable()
    tenants.on_invalidation(APP, "application", APP)

    with pytest.raises(Unavailable):
        await tenants.get(context(APP))


async def test_a_deleted_application_does_not(tenants: Tenants, tenancy: Tenancy) -> None:
    """A refusal is an answer: nobody goes on with what was known."""
    tenancy.problem, tenancy.now = ApplicationNotFound(), TTL + 1

    with pytest.raises(ApplicationNotFound):
        await tenants.get(context(APP))


async def test_it_is_asked_once_a_minute(tenants: Tenants, tenancy: Tenancy) -> None:
    for _ in range(5):
        await tenants.get(context(APP))
    assert tenancy.calls == 1
    tenancy.now = TTL + 1
    for _ in range(5):
        await tenants.get(context(APP))
    assert tenancy.calls == 2
