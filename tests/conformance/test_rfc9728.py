"""RFC 9728, protected resource metadata: a client that knows only the API finds the issuer."""

from __future__ import annotations

import re

import pytest
from tests.conformance.conftest import Suite


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/api/users/me", None),
        ("/api/users/me", "Bearer nonsense"),
        ("/oauth2/userinfo", None),
        ("/oauth2/userinfo", "Bearer nonsense"),
    ],
)
async def test_from_a_refusal_to_the_provider(fresh: Suite, path: str, shown: str | None) -> None:
    """The challenge leads to the metadata, the metadata to the issuer, and its token is accepted."""
    answer = await fresh.http.get(path, headers={"authorization": shown} if shown else {})
    assert answer.status_code == 401
    challenge = answer.headers["www-authenticate"]
    found = re.fullmatch(r'Bearer (?:[a-z_]+="[^"]*", )*resource_metadata="([^"]+)"', challenge)
    assert found is not None, challenge
    answer = await fresh.http.get(found[1])
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    told = answer.json()
    assert found[1] == told["resource"] + "/.well-known/oauth-protected-resource"
    (issuer,) = told["authorization_servers"]
    provider = (await fresh.http.get(f"{issuer}/.well-known/openid-configuration")).json()
    assert provider == fresh.provider
    assert set(told["scopes_supported"]) <= set(provider["scopes_supported"])
    assert told["bearer_methods_supported"] == ["header"]
    assert (await fresh.http.get(told["resource_documentation"])).status_code == 200

    token = (await fresh.tokens())["access_token"]
    answer = await fresh.http.get(path, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == (403 if path.startswith("/api/") else 200)  # no scope `account`


async def test_a_client_that_failed_is_challenged_as_a_client(fresh: Suite) -> None:
    """The challenge does not say where to get tokens: this is the token endpoint."""
    answer = await fresh.http.post(
        "/oauth2/token", data={"grant_type": "refresh_token"}, auth=("nobody", "x")
    )

    assert answer.headers["www-authenticate"] == 'Basic realm="token"'
