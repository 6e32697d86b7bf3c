"""RFC 7523, assertions: a client signs instead of sending a secret, at each endpoint that
authenticates clients."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from tests.conformance.conftest import CALLBACK, Suite

BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class Signing:
    suite: Suite
    client_id: str
    key: ec.EllipticCurvePrivateKey

    def assertion(self, **changes: Any) -> str:
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.suite.issuer,
            "exp": int(time.time()) + 60,
            "jti": secrets.token_hex(),
        }
        kept = {name: value for name, value in (claims | changes).items() if value is not None}
        return jwt.encode(kept, self.key, "ES256", headers={"kid": "k1"})

    async def post(self, endpoint: str, assertion: str, **data: str) -> httpx.Response:
        shown = {"client_assertion": assertion, "client_assertion_type": BEARER}
        return await self.suite.http.post(self.suite.provider[endpoint], data=data | shown)

    async def code(self) -> str:
        result = await self.suite.authorize(client_id=self.client_id)
        return result.code


@pytest_asyncio.fixture
async def signing(fresh: Suite) -> AsyncIterator[Signing]:
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = json.loads(ECAlgorithm.to_jwk(key.public_key())) | {"kid": "k1", "alg": "ES256"}
    async with fresh.system.backend() as api:
        made = await api.post(
            "/api/clients",
            json={
                "name": "Signs",
                "redirect_uris": [CALLBACK],
                "require_pkce": False,
                "first_party": True,
                "token_endpoint_auth_method": "private_key_jwt",
                "jwks": {"keys": [jwk]},
            },
        )
        assert made.status_code == 201, made.text
        assert "client_secret" not in made.json()
        yield Signing(fresh, made.json()["client_id"], key)
        await api.delete(f"/api/clients/{made.json()['id']}")


@pytest.mark.parametrize("as_array", [False, True])
@pytest.mark.parametrize("to", ["issuer", "token_endpoint"])
async def test_a_signature_in_place_of_a_secret(signing: Signing, to: str, as_array: bool) -> None:
    """It works at token endpoint, introspection and revocation, with the issuer or the token endpoint as its one
    audience. A second use is refused."""
    audience = signing.suite.provider[to]
    assertion = signing.assertion(aud=[audience] if as_array else audience)
    exchange = {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
    answer = await signing.post("token_endpoint", assertion, code=await signing.code(), **exchange)
    assert answer.status_code == 200, answer.text
    token = answer.json()["access_token"]

    told = await signing.post("introspection_endpoint", signing.assertion(), token=token)
    assert told.json()["active"] is True
    again = await signing.post("introspection_endpoint", assertion, token=token)
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
    ended = await signing.post("revocation_endpoint", signing.assertion(), token=token)
    assert (ended.status_code, ended.json()) == (200, {})
    told = await signing.post("introspection_endpoint", signing.assertion(), token=token)
    assert told.json() == {"active": False}


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://somebody.example"},
        {"aud": []},
        {"aud": None},
        {"aud": 7},
        {"aud": ["{issuer}", "{issuer}/oauth2/token"]},
        {"aud": ["{issuer}", "{issuer}"]},
        {"aud": "{issuer}/"},
        {"aud": "{issuer}/oauth2/revoke"},
        {"exp": 1},
        {"exp": 2**33},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": 2**33},
        {"iat": 2**33},
        {"jti": None},
        {"jti": 7},
        {"iss": "somebody"},
        {"sub": ["x"]},
    ],
    ids=str,
)
async def test_a_wrong_assertion_is_invalid_client(
    signing: Signing, changes: dict[str, Any]
) -> None:
    """Each claim of section 3 is checked. The audience is this server alone: an assertion for several servers
    could be used by one of them at another."""
    changes = json.loads(json.dumps(changes).replace("{issuer}", signing.suite.issuer))
    answer = await signing.post(
        "token_endpoint",
        signing.assertion(**changes),
        grant_type="refresh_token",
        refresh_token="x",
    )

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_a_signature_and_a_secret_are_one_too_many(signing: Signing) -> None:
    """A client that signs may not leave the assertion out."""
    answer = await signing.post(
        "token_endpoint", signing.assertion(), grant_type="refresh_token", client_secret="x"
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")

    answer = await signing.suite.http.post(
        signing.suite.provider["token_endpoint"],
        data={"grant_type": "refresh_token", "refresh_token": "x", "client_id": signing.client_id},
    )
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
