"""oidcc-client-config-certification-test-plan: our relying party reads the suite's metadata."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest_asyncio
from tests.conformance.relying_party import ISSUER, RelyingParty, running
from tests.kit.identity_provider import HttpCall, Reply, new_key
from tests.kit.postgres import Postgres


@pytest_asyncio.fixture
async def rp(postgres: Postgres) -> AsyncIterator[RelyingParty]:
    async with running(postgres) as made:
        yield made


async def test_oidcc_client_test_discovery_openid_config(rp: RelyingParty) -> None:
    """The endpoints come from the document below the issuer."""
    rp.op.metadata = {"authorization_endpoint": f"{ISSUER}somewhere/else?x=1"}
    request = await rp.request()

    assert request["x"] == "1"
    place = f"{rp.op.place}/.well-known/openid-configuration"
    assert rp.op.server.count(place) == 1


async def test_oidcc_client_test_discovery_jwks_uri_keys(rp: RelyingParty) -> None:
    """The keys come from `jwks_uri`."""
    rp.op.server.routes["/keys.example/all"] = lambda _: {"keys": [rp.op.key.jwk]}
    rp.op.metadata = {"jwks_uri": "https://keys.example/all"}

    assert (await rp.account()).subject == "user-1"
    assert rp.op.server.count("/keys.example/all") == 1


async def test_oidcc_client_test_discovery_issuer_mismatch(rp: RelyingParty) -> None:
    """A document of another issuer is refused, and nothing in it is called."""
    rp.op.metadata = {"issuer": ISSUER + "INVALID/"}

    assert await rp.refusal() == "discovery"
    assert rp.op.server.count(f"{rp.op.place}/token") == 0


async def test_oidcc_client_test_idtoken_sig_none(rp: RelyingParty) -> None:
    """An unsigned ID token is refused, even if the metadata allow it."""

    def unsigned(claims: dict[str, Any]) -> str:
        return jwt.encode(claims, None, algorithm="none")  # type: ignore[arg-type]

    rp.op.metadata = {"id_token_signing_alg_values_supported": ["none", "RS256"]}
    rp.op.encode = unsigned

    assert await rp.refusal() == "id_token"


async def test_oidcc_client_test_signing_key_rotation(rp: RelyingParty) -> None:
    """A second sign-in, right after the first, fetches the new key."""
    await rp.account()
    rp.op.key = new_key("rotated")

    assert (await rp.account()).subject == "user-1"


async def test_oidcc_client_test_signing_key_rotation_just_before_signing(
    rp: RelyingParty,
) -> None:
    """The key changes between the client's fetch and the signature."""
    await rp.account()
    answer = rp.op.token

    def rotating(call: HttpCall) -> Reply:
        rp.op.key = new_key("rotated")
        return answer(call)

    rp.op.server.routes[f"{rp.op.place}/token"] = rotating

    assert (await rp.account()).subject == "user-1"
