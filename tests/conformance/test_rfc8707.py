"""RFC 8707, resource indicators: a token for one API."""

from __future__ import annotations

from tests.conformance.conftest import Suite, introspected


async def test_a_token_for_an_api(fresh: Suite) -> None:
    """Its audience is that API, and our own API refuses it."""
    identifier = "https://api.rfc8707.test"
    async with fresh.system.backend() as api:
        await api.post("/api/resources", json={"identifier": identifier, "name": "API"})
    result = await fresh.authorize(resource="https://unknown.test")
    assert result.fields["error"] == "invalid_target"
    tokens = await fresh.tokens(resource=identifier)

    assert (await introspected(fresh, tokens["access_token"]))["aud"] == identifier
    assert (await fresh.userinfo(tokens["access_token"])).status_code == 401
