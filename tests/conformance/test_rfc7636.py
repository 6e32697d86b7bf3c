"""RFC 7636, PKCE: S256 or nothing."""

from __future__ import annotations

from typing import Any

from tests.conformance.conftest import CALLBACK, Suite, challenge


async def test_pkce_is_demanded_of_public_clients(fresh: Suite) -> None:
    """A missing challenge, `plain`, and a removed challenge are refused."""
    async with fresh.system.backend() as api:
        made = await api.post(
            "/api/clients", json={"name": "SPA", "type": "spa", "redirect_uris": [CALLBACK]}
        )
    spa = made.json()["client_id"]
    assert "client_secret" not in made.json()
    plain: dict[str, Any] = {"code_challenge": "v" * 43, "code_challenge_method": "plain"}
    for params in ({}, plain):
        result = await fresh.authorize(client_id=spa, **params)
        assert result.fields["error"] == "invalid_request"
    result = await fresh.authorize(
        client_id=spa, code_challenge=challenge("v" * 43), code_challenge_method="S256"
    )

    given = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "client_id": spa}
    answer = await fresh.http.post(
        fresh.provider["token_endpoint"],
        data=given | {"code": result.code, "code_verifier": "v" * 43},
    )
    assert answer.status_code == 200, answer.text
