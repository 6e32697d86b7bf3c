"""A client of the Model Context Protocol: it knows an API and reads all else (RFC 9728, RFC 8414)."""

from __future__ import annotations

import jwt
from tests.conformance.conftest import CALLBACK, Client, Suite, challenge

VERIFIER = "v" * 43


async def test_a_client_of_the_model_context_protocol(fresh: Suite) -> None:
    """It reads which issuer gives tokens for which scopes. Then it requests exactly these for this
    resource, as a public client with PKCE."""
    metadata = (await fresh.http.get("/.well-known/oauth-protected-resource")).json()
    new = {"name": "Assistant", "type": "native", "redirect_uris": [CALLBACK]}
    async with fresh.system.backend() as api:
        answer = await api.post("/api/clients", json=new)
    assert answer.status_code == 201, answer.text
    client = Client(answer.json()["client_id"], "", "none")
    result = await fresh.authorize(
        client,
        scope=" ".join(metadata["scopes_supported"]),
        resource=metadata["resource"],
        code_challenge=challenge(VERIFIER),
        code_challenge_method="S256",
    )
    answer = await fresh.http.post(
        fresh.provider["token_endpoint"],
        data={
            "grant_type": "authorization_code",
            "client_id": client.client_id,
            "code": result.code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
            "resource": metadata["resource"],
        },
    )

    assert answer.status_code == 200, answer.text
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert claims["aud"] == metadata["resource"]
    assert set(answer.json()["scope"].split()) == set(metadata["scopes_supported"])
