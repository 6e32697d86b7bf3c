"""Clients register themselves over HTTP (RFC 7591), manage their registration (RFC 7592) and sign a user in.

The rules are in tests/service/oidc. These tests show the endpoints: status codes, headers, what a stranger sees.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
import pytest_asyncio
from tests.kit.system import PASSWORD, System

CALLBACK = "http://localhost:54321/callback"
VERIFIER = "v" * 43


@pytest_asyncio.fixture
async def mode(system: System) -> AsyncIterator[Any]:
    """Sets who can register, and switches it off afterwards."""

    async def switch(value: str | None) -> None:
        async with system.backend() as api:
            answer = await api.put("/api/settings", json={"client_registration": value})
            assert answer.status_code == 200, answer.text

    yield switch
    await switch(None)


async def register(system: System, token: str | None = None, **metadata: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    sent = {"redirect_uris": ["http://localhost/callback"]} | metadata
    async with system.http() as http:
        return await http.post("/oauth2/register", json=sent, headers=headers)


async def test_an_agent_registers_and_signs_a_user_in(system: System, mode: Any) -> None:
    """It finds the endpoint, registers, and gets tokens at a port of its own. The user sees what nobody has verified."""
    await mode("open")
    async with system.http() as http:
        provider = (await http.get("/.well-known/oauth-authorization-server")).json()
        assert provider["registration_endpoint"] == f"{provider['issuer']}/oauth2/register"
    metadata: dict[str, Any] = {
        "client_name": "Bank (bank.com)",
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
        "resource": "https://mcp.example.com",
    }
    answer = await register(system, **metadata)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    client_id = answer.json()["client_id"]
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    params = {
        "client_id": client_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": " ".join(provider["scopes_supported"]),
        "state": "s",
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    async with system.browser() as ada:
        url = f"{provider['authorization_endpoint']}?{urlencode(params)}"
        page = await ada.sign_up(f"ada-{secrets.token_hex(4)}@example.com", PASSWORD, first=url)
        text = re.sub(r"\s+", " ", page.text)
        assert "Give an app on your device access?" in text
        assert "Not verified" in text
        assert "Bank" not in text.partition("</h1>")[0]
        page = await ada.submit(page, page.form("consent"), consent="allow")
    assert page.url.startswith(f"{CALLBACK}?")
    code = parse_qs(urlsplit(page.url).query)["code"][0]
    async with system.http() as http:
        tokens = await http.post(
            provider["token_endpoint"],
            data={
                "grant_type": "authorization_code",
                "client_id": client_id,
                "code": code,
                "redirect_uri": CALLBACK,
                "code_verifier": VERIFIER,
            },
        )
    assert tokens.status_code == 200, tokens.text
    granted = tokens.json()["scope"].split()
    assert "openid" in granted
    assert "account" not in granted
    async with system.backend() as api:
        listed = (await api.get("/api/clients?source=registered")).json()["clients"]
    (client,) = [each for each in listed if each["client_id"] == client_id]
    assert client["last_used_at"] is not None


@pytest.mark.long
async def test_a_registration_is_read_replaced_and_deleted(system: System, mode: Any) -> None:
    """At the address of the answer, with its token. After the DELETE, the token is not valid any more."""
    await mode("open")
    told = (await register(system, client_name="Agent")).json()
    at, headers = (
        told["registration_client_uri"],
        {"authorization": f"Bearer {told['registration_access_token']}"},
    )
    async with system.http() as http:
        read = await http.get(at, headers=headers)
        assert (read.status_code, read.json()) == (200, told)
        sent = {"client_id": told["client_id"], "redirect_uris": ["http://127.0.0.1/other"]}
        put = await http.put(at, headers=headers, json=sent)
        assert (put.status_code, put.json()["redirect_uris"]) == (200, ["http://127.0.0.1/other"])
        for refused in (
            await http.put(at, headers=headers, json=sent | {"first_party": True}),
            await http.put(at, headers=headers, json={"redirect_uris": []}),
            await http.put(at, headers=headers, content=b"[]"),
        ):
            assert refused.status_code == 400
            assert refused.json()["error"] in ("invalid_client_metadata", "invalid_redirect_uri")
        gone = await http.delete(at, headers=headers)
        assert (gone.status_code, gone.content) == (204, b"")
        for method in ("GET", "DELETE"):
            answer = await http.request(method, at, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
        assert (await http.get(at)).status_code == 401
        assert (await http.post(at, headers=headers)).status_code == 405


@pytest.mark.long
async def test_with_tokens_only(system: System, mode: Any) -> None:
    """Without one: 401 with a challenge. With one: a secret that works."""
    await mode("token")
    refused = await register(system)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
    assert "www-authenticate" in refused.headers
    async with system.backend() as api:
        made = await api.post("/api/initial-access-tokens", json={"name": "CI", "max_clients": 1})
        assert made.status_code == 201, made.text
        told = await register(system, made.json()["token"])
        assert told.status_code == 201, told.text
        assert told.json()["client_secret_expires_at"] == 0
        assert (await register(system, made.json()["token"])).status_code == 401
        listed = (await api.get("/api/initial-access-tokens")).json()["initial_access_tokens"]
        (row,) = [each for each in listed if each["id"] == made.json()["id"]]
        assert (row["clients"], "token" in row) == (1, False)
        assert (await api.delete(f"/api/initial-access-tokens/{row['id']}")).status_code == 200
        assert (await api.delete(f"/api/initial-access-tokens/{row['id']}")).status_code == 404


@pytest.mark.long
async def test_hostile_bodies(system: System, mode: Any) -> None:
    """400 in the form of RFC 7591, and 404 where registration is off."""
    await mode(None)
    closed = await register(system)
    assert (closed.status_code, closed.json()["error"]) == (404, "registration_closed")
    await mode("open")
    json = {"content-type": "application/json"}
    deep = b'{"redirect_uris":' + b"[" * 2000 + b"]" * 2000 + b"}"
    async with system.http() as http:
        for body, headers, error in (
            (b"", json, "invalid_client_metadata"),
            (b"null", json, "invalid_client_metadata"),
            (b"{", json, "invalid_client_metadata"),
            (b'{"redirect_uris": "x"}', json, "invalid_redirect_uri"),
            (b'{"redirect_uris": ["javascript:alert(1)"]}', json, "invalid_redirect_uri"),
            (b'{"redirect_uris": ["http://[::1"]}', json, "invalid_redirect_uri"),
            (b'{"redirect_uris": ["https://a/"], "client_name": {}}', json, None),
            (b'{"redirect_uris": ["https://a/"]}', {}, "invalid_client_metadata"),
            (b'{"redirect_uris": ["https://a/"], "software_id": "a\\u0000"}', json, None),
            (deep, json, None),
            (b'{"redirect_uris": ["https://\xff/"]}', json, "invalid_client_metadata"),
        ):
            answer = await http.post("/oauth2/register", content=body, headers=headers)
            assert answer.status_code == 400, (body[:60], answer.text)
            assert error in (None, answer.json()["error"]), (body[:60], answer.text)
        large = b'{"x": "' + b"a" * 70_000 + b'"}'
        refused = await http.post("/oauth2/register", content=large, headers=json)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client_metadata")
