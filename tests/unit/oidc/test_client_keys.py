"""Keys at a client's jwks_uri are fetched in time, cached, and kept while the server is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
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
from oidc import client_keys
from oidc.client_keys import verification_keys
from oidc.deps import OidcCaches

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
        await reader.readuntil(b"\r\n\r\n")
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


def asking(server: Server) -> Any:
    """Returns a look-up of keys as the token endpoint of one process does it."""
    deps: Any = SimpleNamespace(caches=OidcCaches(), http=OutgoingHttp(Egress(private=True)))
    client: Any = SimpleNamespace(client_id="c", jwks=None, jwks_uri=server.uri)
    return lambda kid="k1": verification_keys(deps, context(APP), client, kid=kid, alg="ES256")


async def test_keys_are_fetched_once(server: Server) -> None:
    """The second assertion costs no request."""
    look_up = asking(server)

    assert [len(await look_up()), len(await look_up())] == [1, 1]
    assert server.requests == 1


async def test_a_server_that_hangs_delays_nobody_for_long(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is refused before its request times out. Nobody makes us wait more than three
    times a minute."""
    monkeypatch.setattr(client_keys, "DEADLINE", 0.2)
    server.hangs = True
    look_up = asking(server)
    for _ in range(5):
        with pytest.raises(InvalidClient, match="jwks_uri could not be fetched"):
            await look_up()

    assert server.requests == 3


def test_the_answer_comes_before_the_gateway_gives_up() -> None:
    """A token request has five seconds."""
    assert client_keys.DEADLINE < 5


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 X\r\n\r\n{}",
        b"HTTP/1.1 302 X\r\nlocation: /jwks\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 X\r\n\r\n<html>",
        b"HTTP/1.1 200 X\r\n\r\n[]",
    ],
)
async def test_remembered_keys_outlive_a_bad_answer(server: Server, answer: bytes) -> None:
    """A request with an unknown kid, while the server is away, does not remove the cached keys."""
    look_up = asking(server)
    await look_up()
    server.answer = answer
    with pytest.raises(InvalidClient, match="jwks_uri could not be fetched"):
        await look_up("k2")

    assert len(await look_up()) == 1
