"""RFC 8252, native apps: any port of the loopback address, a scheme of their own."""

from __future__ import annotations

import pytest
from tests.conformance.conftest import Suite, challenge

OWN = "com.example.app:/callback"
VERIFIER = "v" * 43


@pytest.mark.parametrize(
    ("uri", "sent_there"),
    [
        ("http://127.0.0.1:51004/cb", True),
        ("http://127.0.0.1/cb", True),
        ("http://[::1]:61023/cb", True),
        (OWN, True),
        ("http://127.0.0.1:51004/other", False),
        ("http://127.0.0.2:51004/cb", False),
        ("http://localhost:51004/cb", False),
        ("http://127.0.0.1:80@evil.example/cb", False),
        ("http://127.0.0.1.evil.example/cb", False),
        ("https://127.0.0.1:51004/cb", False),
        ("com.example.app:/callback/x", False),
    ],
)
async def test_where_a_native_app_is_answered(fresh: Suite, uri: str, sent_there: bool) -> None:
    """Only the port may differ, and only for the loopback address (section 7.3)."""
    async with fresh.system.backend() as api:
        made = await api.post(
            "/api/clients",
            json={
                "name": "App",
                "type": "native",
                "first_party": True,
                "redirect_uris": ["http://127.0.0.1/cb", "http://[::1]/cb", OWN],
            },
        )
    assert made.status_code == 201, made.text
    client_id = made.json()["client_id"]
    asked = {
        "client_id": client_id,
        "redirect_uri": uri,
        "code_challenge": challenge(VERIFIER),
        "code_challenge_method": "S256",
    }
    result = await fresh.authorize(**asked, act=sent_there)
    if not sent_there:
        assert (result.page.away, result.page.response.status_code) == (False, 400)
        return

    assert result.location.split("?")[0] == uri
    answer = await fresh.http.post(
        fresh.provider["token_endpoint"],
        data={
            "grant_type": "authorization_code",
            "client_id": client_id,
            "code": result.code,
            "redirect_uri": uri,
            "code_verifier": VERIFIER,
        },
    )
    assert answer.status_code == 200, answer.text
