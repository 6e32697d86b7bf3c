"""RFC 7009, revocation: effective before its answer, and the same answer for unknown tokens."""

from __future__ import annotations

from tests.conformance.conftest import Suite, basic, introspected


async def test_a_revoked_access_token_is_dead_at_once(fresh: Suite) -> None:
    """UserInfo, the API and introspection refuse it, although they have just accepted it."""
    tokens = await fresh.tokens()
    token = tokens["access_token"]
    assert (await fresh.userinfo(token)).status_code == 200
    assert (await introspected(fresh, token))["active"] is True
    answer = await fresh.http.post(
        fresh.provider["revocation_endpoint"], data={"token": token}, **basic(fresh.client)
    )
    assert (answer.status_code, answer.json()) == (200, {})

    assert (await fresh.userinfo(token)).status_code == 401
    assert await introspected(fresh, token) == {"active": False}


async def test_revoking_the_refresh_token_ends_the_grant(fresh: Suite) -> None:
    """Its access tokens are revoked too."""
    tokens = await fresh.tokens()
    assert (await introspected(fresh, tokens["access_token"]))["active"] is True
    await fresh.http.post(
        fresh.provider["revocation_endpoint"],
        data={"token": tokens["refresh_token"]},
        **basic(fresh.client),
    )

    assert (await introspected(fresh, tokens["access_token"])) == {"active": False}
    answer = await fresh.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert answer.json()["error"] == "invalid_grant"


async def test_an_unknown_token_is_200(fresh: Suite) -> None:
    """Nobody learns which tokens exist."""
    answer = await fresh.http.post(
        fresh.provider["revocation_endpoint"], data={"token": "nonsense"}, **basic(fresh.client)
    )

    assert (answer.status_code, answer.json()) == (200, {})
