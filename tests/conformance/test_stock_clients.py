"""Stock libraries against a client created with a name and redirect URIs alone.

Authlib runs as it is. The others are driven by the requests that they send in their default
configuration, which is what a provider sees of them: docs/oidc.md lists them.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

import jwt
import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client
from tests.conformance.conftest import CALLBACK, Client, Suite, challenge
from tests.system import Loopback

SHAPES: dict[str, tuple[str, bool, str]] = {
    "mozilla-django-oidc": ("client_secret_post", False, "openid email"),
    "flask-oidc": ("client_secret_post", False, "openid email"),
    "passport-openidconnect": ("client_secret_post", False, "openid profile email groups"),
    "omniauth-openid-connect": ("client_secret_basic", False, "openid"),
    "mod_auth_openidc": ("client_secret_basic", False, "openid"),
    "social-auth": ("client_secret_basic", False, "openid profile email"),
    "Auth.js": ("client_secret_basic", True, "openid profile email"),
}
"""How each sends its secret, whether it uses PKCE, and the scopes it requests."""
VERIFIER = "v" * 43


async def stock(suite: Suite, method: str, **fields: Any) -> Client:
    """A client registered with nothing but a name and redirect URIs, unless `fields` say more."""
    new = {"name": "Stock", "redirect_uris": [CALLBACK]} | fields
    async with suite.system.backend() as api:
        answer = await api.post("/api/clients", json=new)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return Client(made["client_id"], made.get("client_secret", ""), method)


async def test_authlib(fresh: Suite) -> None:
    """Its client as the documentation begins, without a word about PKCE or methods."""
    client = await stock(fresh, "client_secret_basic")
    async with AsyncOAuth2Client(
        client.client_id,
        client.client_secret,
        scope="openid profile email",
        redirect_uri=CALLBACK,
        transport=Loopback(),
    ) as oauth:
        nonce = secrets.token_urlsafe(16)
        url, state = oauth.create_authorization_url(
            fresh.provider["authorization_endpoint"], nonce=nonce
        )
        result = await fresh.authorize(client, nonce=nonce, state=state, scope=oauth.scope)
        assert f"client_id={client.client_id}" in url
        token = await oauth.fetch_token(
            fresh.provider["token_endpoint"], authorization_response=result.location
        )
        told = (await oauth.get(fresh.provider["userinfo_endpoint"])).json()

    assert token["id_token"]
    assert told["email"] == fresh.email


@pytest.mark.parametrize("library", SHAPES)
async def test_a_library_signs_in_with_its_defaults(fresh: Suite, library: str) -> None:
    """At the first try, and nobody is asked for consent; an unknown scope is left out."""
    method, pkce, scope = SHAPES[library]
    client = await stock(fresh, method)
    proof = {"code_challenge": challenge(VERIFIER), "code_challenge_method": "S256"} if pkce else {}
    result = await fresh.authorize(client, scope=scope, **proof)
    answer = await fresh.redeem(
        result.code, client, **({"code_verifier": VERIFIER} if pkce else {})
    )

    assert answer.status_code == 200, answer.text
    known = [name for name in scope.split() if name != "groups"]
    assert sorted(answer.json()["scope"].split()) == sorted(known)
    other = {
        "client_secret_basic": "client_secret_post",
        "client_secret_post": "client_secret_basic",
    }
    again = await fresh.authorize(client, scope=scope, **proof)
    answer = await fresh.redeem(
        again.code,
        replace(client, method=other[method]),
        **({"code_verifier": VERIFIER} if pkce else {}),
    )
    assert answer.status_code == 200, answer.text


async def test_a_client_of_the_model_context_protocol(fresh: Suite) -> None:
    """It knows the API alone: it reads who gives tokens for which scopes, and requests exactly
    these for exactly this resource, as a public client with PKCE."""
    metadata = (await fresh.http.get("/.well-known/oauth-protected-resource")).json()
    client = await stock(fresh, "none", type="native", redirect_uris=[CALLBACK])
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
