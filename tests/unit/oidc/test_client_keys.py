"""Keys at a client's jwks_uri are fetched in time, cached, and kept while the server is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from common.contracts.oauth_errors import InvalidClient
from common.egress import Egress
from common.outgoing_http import OutgoingHttp
from common.testing import context
from oidc import client_key_sets
from oidc.client_keys import verification_keys
from oidc.deps import OidcCaches
from oidc.queries import client_key_sets as queries
from oidc.queries.client_key_sets import FetchedKeySet

APP = "0198b2f0-0000-7000-8000-000000000001"


class Server:
    """A server that publishes one key, until it is told to stop."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        jwk = json.loads(ECAlgorithm.to_jwk(key)) | {"kid": "k1", "alg": "ES256"}
        self.answer = b"HTTP/1.1 200 X\r\n\r\n" + json.dumps({"keys": [jwk]}).encode()
        self.requests = 0
        self.hangs = False
        self.uri = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:  # the client gave up before it asked
            writer.close()
            return
        self.requests += 1
        if self.hangs:
            await reader.read()  # until the client gives up
        writer.write(self.answer)
        writer.close()


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as listening:
        made.uri = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/jwks"
        yield made


class Rows:
    """What the database holds of the client's keys, for all processes: without a window's end."""

    def __init__(self) -> None:
        self.claimed = False
        self.jwks: dict[str, Any] | None = None

    @asynccontextmanager
    async def autocommit(self, _: Any) -> AsyncIterator[Rows]:
        yield self


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Rows:
    """Puts rows in memory in place of the statements, which tests/service/oidc runs."""

    async def claim(db: Rows, **_: Any) -> FetchedKeySet:
        first, db.claimed = not db.claimed, True
        return FetchedKeySet(first, db.jwks)

    async def store(db: Rows, *, jwks: dict[str, Any], **_: Any) -> None:
        db.jwks = jwks

    async def store_failure(db: Rows, **_: Any) -> None:
        db.jwks = db.jwks or {}

    for statement in (claim, store, store_failure):
        monkeypatch.setattr(queries, statement.__name__, statement)
    return Rows()


def asking(server: Server, rows: Rows) -> Any:
    """Returns a look-up of keys as the token endpoint of one process does it."""
    http = OutgoingHttp(Egress(private=True))
    deps: Any = SimpleNamespace(caches=OidcCaches(), http=http, db=rows)
    client: Any = SimpleNamespace(client_id="c", jwks=None, jwks_uri=server.uri)
    return lambda kid="k1": verification_keys(deps, context(APP), client, kid=kid, alg="ES256")


async def test_keys_are_fetched_once(server: Server, rows: Rows) -> None:
    """The second assertion costs no request."""
    look_up = asking(server, rows)

    assert [len(await look_up()), len(await look_up())] == [1, 1]
    assert server.requests == 1


async def test_a_server_that_hangs_delays_nobody_for_long(
    server: Server, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is refused before its request times out. Nobody makes us wait twice in a window."""
    monkeypatch.setattr(client_key_sets, "DEADLINE", 0.2)
    server.hangs = True
    look_up = asking(server, rows)
    for _ in range(5):
        with pytest.raises(InvalidClient, match="jwks_uri could not be fetched"):
            await look_up()

    assert server.requests == 1


async def test_random_kids_make_one_request_of_all_replicas(server: Server, rows: Rows) -> None:
    """Each replica has its own cache, and all have one window."""
    replicas = [asking(server, rows) for _ in range(3)]
    for number in range(6):
        for look_up in replicas:
            assert await look_up(f"random {number}") == []

    assert server.requests == 1
    assert [len(await look_up()) for look_up in replicas] == [1, 1, 1]


async def test_a_replica_waits_for_the_first_answer_of_another(server: Server, rows: Rows) -> None:
    """Two first assertions at once are both accepted."""
    found = await asyncio.gather(asking(server, rows)(), asking(server, rows)())

    assert [len(keys) for keys in found] == [1, 1]
    assert server.requests == 1


def test_the_answer_comes_before_the_gateway_gives_up() -> None:
    """A token request has five seconds."""
    assert client_key_sets.DEADLINE < 5


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 X\r\n\r\n{}",
        b"HTTP/1.1 302 X\r\nlocation: /jwks\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 X\r\n\r\n<html>",
        b"HTTP/1.1 200 X\r\n\r\n[]",
    ],
)
async def test_remembered_keys_outlive_a_bad_answer(
    server: Server, rows: Rows, answer: bytes
) -> None:
    """A request with an unknown kid, while the server is away, does not remove the cached keys."""
    look_up = asking(server, rows)
    await look_up()
    server.answer, rows.claimed = answer, False  # the window is over
    with pytest.raises(InvalidClient, match="jwks_uri could not be fetched"):
        await look_up("k2")

    assert len(await look_up()) == 1
