"""A gateway in this process. Fake services answer from dictionaries."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.kit.fake_providers import FakeProviders
from tests.kit.fake_services import FakeServices, serve, settings
from tests.kit.people import People

from common.contracts.tenants import Tenant
from gateway.app import GatewayApp
from gateway.build import build
from gateway.state import Gateway


@pytest.fixture
def world() -> FakeServices:
    return serve(FakeServices())


@pytest.fixture
def app(world: FakeServices) -> Tenant:
    """The application of the host that `http` calls."""
    return world.add("demo")


@pytest.fixture
def people(world: FakeServices, app: Tenant) -> People:
    return People(world)


@pytest.fixture
def providers(world: FakeServices, app: Tenant, people: People) -> FakeProviders:
    return FakeProviders(world, app)


@pytest.fixture
def gateway_app(world: FakeServices) -> GatewayApp:
    return build(Gateway(settings(), world.bus))


@pytest.fixture
async def http(gateway_app: GatewayApp) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=gateway_app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(
        transport=transport, base_url="http://demo.localhost:8080"
    ) as client:
        yield client
