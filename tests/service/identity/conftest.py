"""The identity service on Postgres with its own database role. Stand-ins answer for other services."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.kit.callers import FIREFOX
from tests.kit.identity_provider import ProviderServer, local_internet, running_server
from tests.kit.postgres import Postgres
from tests.kit.world import World

from common.circuit_breaker import CircuitBreaker
from common.contracts.sign_in import Flow
from common.ids import DASHBOARD
from common.outgoing_http import OutgoingHttp
from identity.challenge import leading_zero_bits
from identity.mailer import Mailer
from identity.smtp import Smtp

from .provider_stand_in import ProviderStandIn


def wrong(flow: Flow, right: str) -> str:
    """Returns a code that is not the mailed one."""
    digits = right.replace(" ", "")
    return f"{(int(digits) + 1) % 1_000_000:06}"


def proof_of_work(challenge: str, bits: int) -> str:
    """Returns a challenge with an answer that has these leading zero bits."""
    for number in range(1 << (bits + 8)):
        if leading_zero_bits(f"{challenge}:{number}") >= bits:
            return f"{challenge}:{number}"
    raise AssertionError


async def start_world(dsns: dict[str, str], **options: object) -> World:
    """Starts the identity service on a database of its own."""
    return await World.start(
        dsns,
        "identity",
        stand_ins=("tenancy", "rbac"),
        size=20,
        request_facts={"ip": "203.0.113.7", "agent": FIREFOX, "origin": "https://evil"},
        options={"identity": {"operator_email": "boss@example.com", **options}},
    )


def mailers_of(world: World, port: int, http: OutgoingHttp | None = None) -> list[Mailer]:
    """Returns the mailers of the service, which send by the server at this port: one for each cluster,
    that of the world's application first."""
    deps = world.identity
    made = [
        Mailer(
            deps.db,
            each.mail_db,
            deps.sealer,
            deps.tenants,
            Smtp.parse(f"smtp://127.0.0.1:{port}?tls=none"),
            "Aero2 <no-reply@id.example.org>",
            http=http or OutgoingHttp(),
        )
        for each in deps.everywhere()
    ]
    return sorted(made, key=lambda mailer: mailer.mail_db.home != world.home)


@pytest.fixture(scope="session")
async def stage(postgres: Postgres) -> AsyncIterator[World]:
    """One database for all tests of the service. Each test gets applications of its own."""
    name = postgres.clone()
    world = await start_world(postgres.dsns(name))
    yield world
    await world.close()
    postgres.drop(name)


@pytest.fixture
async def world(stage: World) -> World:
    stage.app_id, stage.other_app_id = await stage.application(), await stage.application()
    stage.configure(DASHBOARD)
    stage.stand_ins.reset()
    stage.invalidation.published.clear()
    stage.bus.calls.clear()
    return stage


@pytest.fixture
async def providers(world: World, monkeypatch: pytest.MonkeyPatch) -> ProviderStandIn:
    """A provider `acme` of the world's application, and the stand-in that answers for it."""
    stand_in = ProviderStandIn(world)
    stand_in.install(monkeypatch)
    await stand_in.add()
    return stand_in


@pytest.fixture
async def server(world: World) -> AsyncIterator[ProviderServer]:
    """A local server that stands for all hosts of the Internet."""
    before = world.identity.http
    async with running_server() as made:
        breaker = CircuitBreaker()
        world.replace_deps("identity", http=local_internet(made), provider_breaker=breaker)
        yield made
        world.replace_deps("identity", http=before)
