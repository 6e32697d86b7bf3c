"""The Dashboard's OpenAPI document is true for tenancy.

Hundreds of generated calls get no 5xx, and no status or body that the document does not name.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.kit.dns_server import Zone
from tests.kit.nats_server import free_port
from tests.kit.world import World
from tests.service.tenancy.test_on_demand_tls import serving
from tests.service.tenancy.test_routes import Dropping

from common.contracts.applications import NewApplication
from gateway.build import build
from gateway.settings import GatewaySettings
from gateway.state import Gateway
from tenancy import provisioning
from tenancy.dns_lookup import Dns
from tenancy.handlers import HANDLERS

OURS = (
    "/api/applications",
    "/api/applications/{slug}",
    "/api/applications/{slug}/transfer",
    "/api/applications/{slug}/settings",
)
UNDER = ("/api/applications/{slug}/api-keys", "/api/applications/{slug}/domains")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@dataclass
class Served:
    """A gateway on a port, and an operator's key."""

    port: int
    key: str
    app: NewApplication

    @property
    def headers(self) -> dict[str, str]:
        return {
            "host": f"dashboard.localhost:{self.port}",
            "authorization": f"Bearer {self.key}",
        }


@pytest_asyncio.fixture
async def served(world: World, tmp_path: Path) -> AsyncIterator[Served]:
    zone, port = await Zone.start(), free_port()
    master = "k1:" + base64.b64encode(os.urandom(32)).decode()
    gateway = Gateway(
        GatewaySettings(master_key=master, public_url=f"http://localhost:{port}"), world.bus
    )
    file = tmp_path / "keys.json"
    deps = replace(
        world.tenancy,
        dns=Dns([zone.address]),
        hosts=replace(world.tenancy.hosts, domain=f"localhost:{port}"),
        invalidation=Dropping(gateway),
        bootstrap_keys_file=str(file),
    )
    world.bus.serve(deps, HANDLERS)
    await provisioning.repair(deps)
    key = orjson.loads(file.read_bytes())["secret_key"]
    async with serving(build(gateway), port):
        yield Served(port, key, await world.create_application())
    zone.stop()


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_the_document_is_true(served: Served) -> None:
    """Each operation gets valid and invalid input, on real and invented applications."""
    tried = await asyncio.to_thread(_try_all, served)

    assert len(tried) >= 14, tried


def _try_all(served: Served) -> list[str]:
    base = f"http://127.0.0.1:{served.port}"
    schema = schemathesis.openapi.from_url(
        f"{base}/openapi.json", headers=served.headers, timeout=120
    )
    tried = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.path in OURS or operation.path.startswith(UNDER):
            tried.append(f"{operation.method} {operation.path}")
            _try(operation, base, served)
    return tried


def _try(operation: Any, base: str, served: Served) -> None:
    turn = itertools.count()

    @settings(
        max_examples=15,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        parameters = case.path_parameters or {}
        if "slug" in parameters and next(turn) % 3:
            parameters["slug"] = served.app.slug
            if "id" in parameters:
                parameters["id"] = served.app.api_keys[0].id
        if case.method == "DELETE" and case.path == "/api/applications/{slug}":
            case.query = {"confirm": "not the slug"}
        answer = case.call(base_url=base, headers=served.headers, timeout=60)
        case.validate_response(answer, checks=CHECKS)

    check()
