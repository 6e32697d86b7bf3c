"""Services of the last release and of this version on one real bus, both ways.

A replica of the release is played by its record: it takes what the shapes of the release take, and answers
what the release answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import jsonschema_rs
import orjson
import pytest
from nats.aio.msg import Msg
from tests.architecture.source import contracts
from tests.isolation.cases import askers, case
from tests.isolation.sides import Sides, built, populate
from tests.isolation.test_every_contract import in_dashboard
from tests.kit.nats_server import NatsServer, start
from tests.kit.postgres import Postgres
from tests.releases.described import described_messages
from tests.releases.new_features import SENT_WITH_NEW_FEATURES, settings_of, without_new_settings
from tests.releases.record import recorded, versions

from common.bus import NatsBus, encode_request, subject_of
from common.bus_server import BusServer
from common.context import HEADER, Context
from common.contracts.base import Request
from common.ids import DASHBOARD
from common.nats_client import NatsClient
from common.problems import Problem
from common.testing import LocalBus, context

pytestmark = pytest.mark.long

OLD: Final[dict[str, Any]] = recorded("contracts")
CALLS: Final[dict[str, Any]] = recorded("messages")["calls"]
OF_OLD_CONTEXTS: Final = {"a", "d", "t"}
"""Members of the context header that the release reads without a default."""
LAST: Final = ("delete", "remove", "revoke", "end", "leave", "sign_out", "transfer", "disable")
"""Words of subjects whose calls take away what others need."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    running = start(tmp_path_factory.mktemp("nats"))
    yield running
    running.stop()


@pytest.fixture
async def near(server: NatsServer) -> AsyncIterator[NatsClient]:
    nc = await server.connect()
    yield nc
    await nc.close()


@pytest.fixture
async def far(server: NatsServer) -> AsyncIterator[NatsClient]:
    nc = await server.connect()
    yield nc
    await nc.close()


def accepts(schema: dict[str, Any], message: Any, *, besides: frozenset[str] = frozenset()) -> str:
    """Returns why the release would refuse a message, or an empty text. The words `besides` do not count."""
    return "; ".join(
        f"{'.'.join(map(str, error.instance_path))}: {error.message}"
        for error in jsonschema_rs.validator_for(schema).iter_errors(message)
        if _value_at(message, error.instance_path) not in besides
    )


def _value_at(message: Any, path: Sequence[str | int]) -> str | None:
    for name in path:
        message = message[name]
    return message if isinstance(message, str) else None


@pytest.mark.fault("F23")
async def test_this_version_asks_services_of_the_release(near: NatsClient, far: NatsClient) -> None:
    """Each request is one that the release takes, and each of its replies is understood."""
    refused: dict[str, str] = {}

    async def answer(msg: Msg) -> None:
        subject = msg.subject.removeprefix("system.")
        message = orjson.loads(msg.data)
        headers = msg.headers or {}
        wire = orjson.loads(headers[HEADER])
        if not wire.keys() >= OF_OLD_CONTEXTS:
            refused[subject] = f"a context without {OF_OLD_CONTEXTS - wire.keys()}"
        if why := accepts(OLD["contracts"][subject]["request"], message):
            refused[subject] = why
        await msg.respond(orjson.dumps(CALLS[subject]["reply"]))

    for subject in OLD["contracts"]:
        await far.subscribe(subject, cb=answer)
    await far.flush()
    bus, messages = NatsBus(near), described_messages()["calls"]
    for subject in OLD["contracts"]:
        contract = contracts()[subject]
        request = contract.model_validate(
            without_new_settings(messages[subject]["request"], settings_of(OLD))
        )
        assert isinstance(await bus.call(context(DASHBOARD, within=20), request), contract.reply)

    assert refused == {}


@pytest.fixture
async def sides(postgres: Postgres) -> AsyncIterator[Sides]:
    name = postgres.clone()
    async with built(postgres.dsns(name), LocalBus()) as sides:
        await populate(sides)
        yield sides
    postgres.drop(name)


@pytest.mark.fault("F23")
async def test_callers_of_the_release_ask_this_version(
    sides: Sides, near: NatsClient, far: NatsClient
) -> None:
    """All services of this version answer what the release asks, and in a form that it reads."""
    serving = await BusServer.start(far, "all", versions()[-1], None)
    for contract, (handler, deps) in sides.bus.handlers.items():
        serving.deps = deps
        await serving.add(contract, _with(handler, deps))
    await far.flush()
    outcomes: Counter[str] = Counter()
    refused: dict[str, str] = {}
    for subject in sorted(OLD["contracts"], key=_order):
        contract = contracts()[subject]
        message = _as_the_release_writes(contract, sides)
        msg = await near.request(
            subject_of(_context(contract, sides), contract),
            orjson.dumps(message),
            timeout=20,
            headers={HEADER: _context(contract, sides).encode()},
        )
        reply = orjson.loads(msg.data)
        if msg.headers and "Nats-Service-Error-Code" in msg.headers:
            outcomes[Problem.from_wire(reply).code] += 1
            continue
        outcomes["answered"] += 1
        reads = OLD["contracts"][subject]["reply_read"]
        if why := accepts(reads, reply, besides=SENT_WITH_NEW_FEATURES):
            refused[subject] = why
    await serving.drain(within=2)

    assert refused == {}
    assert outcomes["answered"] > 150, outcomes
    assert outcomes["internal"] == 0, outcomes


def _with(handler: Any, deps: Any) -> Any:
    async def handle(_: Any, ctx: Context, request: Any) -> Any:
        return await handler(deps, ctx, request)

    return handle


def _order(subject: str) -> tuple[bool, bool, str]:
    takes_away = any(word in subject.rpartition(".")[2] for word in LAST)
    return takes_away, not contracts()[subject].safe, subject


def _context(contract: type[Request[Any]], sides: Sides) -> Context:
    home = sides.home
    if in_dashboard(contract):
        return context(DASHBOARD, home.developer, within=20)
    return sides.ctx(home, askers(contract, home)[0])


def _as_the_release_writes(contract: type[Request[Any]], sides: Sides) -> dict[str, Any]:
    """Returns a request about what is there, without what the release does not know."""
    request = case(contract, sides.home).request
    message: dict[str, Any] = orjson.loads(encode_request(request))
    known = OLD["contracts"][contract.subject]["request"].get("properties", {})
    return {name: value for name, value in message.items() if name in known}
