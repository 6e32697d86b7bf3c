"""Another independent relying party: requests-oauthlib, which is synchronous."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from requests_oauthlib import OAuth2Session
from tests.conformance.conftest import CALLBACK, Suite


class Here(HTTPAdapter):
    """An adapter that resolves every name to this machine and keeps the Host header."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        assert request.url is not None
        parts = urlsplit(request.url)
        request.headers["Host"] = parts.netloc
        request.url = urlunsplit(parts._replace(netloc=f"127.0.0.1:{parts.port}"))
        return super().send(request, *args, **kwargs)


async def test_requests_oauthlib(fresh: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code, PKCE, UserInfo and refresh work with its own functions."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    client = OAuth2Session(
        fresh.client.client_id,
        redirect_uri=CALLBACK,
        scope=["openid", "email", "offline_access"],
        pkce="S256",
    )
    client.mount("http://", Here())
    url, state = client.authorization_url(fresh.provider["authorization_endpoint"])
    result = await fresh.finished(await fresh.browser.get(url), state)

    def rest() -> tuple[dict[str, Any], dict[str, Any]]:
        token = client.fetch_token(
            fresh.provider["token_endpoint"],
            authorization_response=result.location,
            client_secret=fresh.client.client_secret,
        )
        told = client.get(fresh.provider["userinfo_endpoint"]).json()
        refreshed = client.refresh_token(
            fresh.provider["token_endpoint"],
            auth=(fresh.client.client_id, fresh.client.client_secret),
        )
        assert refreshed["refresh_token"] != token["refresh_token"]
        return told, client.get(fresh.provider["userinfo_endpoint"]).json()

    before, after = await asyncio.to_thread(rest)
    assert before == after
    assert before["email"] == fresh.email
