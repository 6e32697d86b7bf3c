"""RFC 9068, access tokens as JWTs, as a resource server verifies them."""

from __future__ import annotations

from typing import Any

import jwt
from tests.conformance.conftest import Suite


async def verified(suite: Suite, token: str, **more: Any) -> dict[str, Any]:
    """Verifies a token with the published keys (section 4)."""
    jwks = (await suite.http.get(suite.provider["jwks_uri"])).json()
    header = jwt.get_unverified_header(token)
    assert header["typ"] == "at+jwt"
    (key,) = [key for key in jwks["keys"] if key["kid"] == header["kid"]]
    assert header["alg"] == key["alg"]
    claims: dict[str, Any] = jwt.decode(
        token,
        jwt.PyJWK(key),
        algorithms=[key["alg"]],
        audience=suite.issuer,
        issuer=suite.issuer,
        options={"require": ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"]},
        **more,
    )
    return claims


async def test_what_it_holds(fresh: Suite) -> None:
    """The claims of section 2.2 are there, for a user and for a client. No two tokens have the same
    jti."""
    mine = await fresh.tokens()
    told = await verified(fresh, mine["access_token"])
    assert told["client_id"] == fresh.client.client_id
    assert told["sub"] == mine["claims"]["sub"]
    assert (told["scope"], told["auth_time"]) == ("openid", mine["claims"]["auth_time"])
    assert told["app_id"] == fresh.system.demo["app_id"]
    other = await verified(fresh, (await fresh.tokens())["access_token"])
    assert other["jti"] != told["jti"]

    async with fresh.system.backend() as api:
        made = await api.post("/api/clients", json={"name": "Robot", "type": "service"})
    robot = made.json()
    answer = await fresh.http.post(
        fresh.provider["token_endpoint"],
        data={"grant_type": "client_credentials"},
        auth=(robot["client_id"], robot["client_secret"]),
    )
    assert answer.json().keys() <= {"access_token", "token_type", "expires_in", "scope"}
    told = await verified(fresh, answer.json()["access_token"])
    assert told["sub"] == told["client_id"] == robot["client_id"]


async def test_an_id_token_is_none(fresh: Suite) -> None:
    """An ID token is refused as an access token, and so is a refresh token (section 2.1)."""
    tokens = await fresh.tokens()
    for token in (tokens["id_token"], tokens["refresh_token"]):
        assert (await fresh.userinfo(token)).status_code == 401
        answer = await fresh.http.get("/api/users/me", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 401
