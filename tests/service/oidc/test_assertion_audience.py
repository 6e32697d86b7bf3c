"""The audience of a client's assertion (RFC 7523 section 3, FAPI 2.0 section 5.3.2.1, CVE-2025-27370)."""

from __future__ import annotations

import secrets
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.kit.oauth import ORIGIN
from tests.kit.world import World

from common.contracts.clients import NewClient
from common.contracts.oauth_errors import InvalidClient, OAuthError
from common.contracts.tokens import Tokens

KEY = ec.generate_private_key(ec.SECP256R1())
JWKS = {
    "keys": [
        {
            **jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True),
            "alg": "ES256",
            "use": "sig",
            "kid": "a",
        }
    ]
}
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ENDPOINT = f"{ORIGIN}/oauth2/token"


async def machine(world: World, profile: str | None) -> NewClient:
    client = await world.client(
        type="service",
        redirect_uris=[],
        grant_types=["client_credentials"],
        token_endpoint_auth_method="private_key_jwt",
        jwks=JWKS,
    )
    await world.owner.execute(
        "UPDATE oauth_clients SET security_profile = $2 WHERE client_id = $1",
        client.client_id,
        profile,
    )
    return client


async def token(world: World, client: NewClient, audience: Any) -> Tokens:
    now = int(time.time())
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": audience,
        "exp": now + 60,
        "iat": now,
        "jti": secrets.token_hex(8),
    }
    assertion = jwt.encode(claims, KEY, algorithm="ES256", headers={"kid": "a"})
    return await world.token(
        grant_type="client_credentials", client_assertion_type=TYPE, client_assertion=assertion
    )


async def test_a_fapi_client_names_the_issuer_alone(shared: World) -> None:
    """Trap: neither an endpoint nor a list, also of one."""
    client = await machine(shared, "fapi2")
    bad: list[Any] = [ENDPOINT, [ORIGIN], [ORIGIN, ENDPOINT], ORIGIN + "/", None, [], {}]
    for audience in bad:
        with pytest.raises(InvalidClient):
            await token(shared, client, audience)

    with pytest.raises(OAuthError, match="DPoP"):  # authenticated, and the profile wants more
        await token(shared, client, ORIGIN)


async def test_other_clients_may_name_the_token_endpoint(shared: World) -> None:
    """One value, the issuer or the address of the token endpoint; never several."""
    client = await machine(shared, None)
    bad: list[Any] = [[ORIGIN, ENDPOINT], f"{ORIGIN}/oauth2/introspect", [], {}, None]
    for audience in bad:
        with pytest.raises(InvalidClient):
            await token(shared, client, audience)

    for good in (ORIGIN, [ORIGIN], ENDPOINT):
        assert (await token(shared, client, good)).access_token
