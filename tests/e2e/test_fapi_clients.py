"""Two libraries from npm run the FAPI 2.0 security profile against a client that has it switched on.

PAR, private_key_jwt, DPoP with nonces, UserInfo and a refresh token that does not rotate. The programs are in
tests/clients/fapi.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from jwt.algorithms import ECAlgorithm
from tests.e2e.test_stock_clients import node
from tests.kit.client_keys import ClientKey
from tests.kit.system import PASSWORD, Page, System, fresh_email

CALLBACK = "https://bank.example/callback"
PATIENCE = 60

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest_asyncio.fixture
async def pushes(system: System) -> AsyncIterator[None]:
    """Lets the demo application take pushed requests."""
    async with system.backend() as api:
        for on in (True, False):
            await api.put("/api/settings", json={"pushed_authorization_requests": on})
            if on:
                yield


async def signed_in(system: System, start: str) -> Page:
    """Signs a new user in, and returns the page of the client at which the browser ends."""
    email = fresh_email()
    async with system.backend() as api:
        user = {"email": email, "email_verified": True, "password": PASSWORD}
        assert (await api.post("/api/users", json=user)).status_code == 201
    async with system.browser() as browser:
        page = await browser.get(start)
        page = await browser.submit(page, page.form("email"), email=email)
        page = await browser.submit(page, page.form("password"), password=PASSWORD)
    assert page.away, page.text[:1000]
    return page


@pytest.mark.parametrize("program", ["openid-client.js", "oauth4webapi.js"])
async def test_a_fapi_client_from_npm(system: System, pushes: None, program: str) -> None:
    """The library verifies every answer, as it does by default."""
    key = ClientKey()
    new = {"name": "Bank", "security_profile": "fapi2", "redirect_uris": [CALLBACK]}
    async with system.backend() as api:
        made = await api.post("/api/clients", json=new | {"jwks": key.jwks})
        assert made.status_code == 201, made.text
    (command, _), private = node(program, Path(), kind="fapi"), ECAlgorithm.to_jwk(key.key)
    env = os.environ | {
        "ISSUER": system.origin("demo"),
        "CLIENT_ID": made.json()["client_id"],
        "REDIRECT_URI": CALLBACK,
        "JWK": private,
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, env=env, stdin=pipe, stdout=pipe, stderr=pipe
    )
    assert process.stdout
    try:
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        assert line, (await process.communicate())[1].decode()
        page = await signed_in(system, line.decode().strip())
        out, err = await asyncio.wait_for(process.communicate(f"{page.url}\n".encode()), PATIENCE)
        assert process.returncode == 0, err.decode()
    finally:
        if process.returncode is None:
            process.kill()
    result = json.loads(out)
    assert result["tokens"]["token_type"].lower() == "dpop"
    assert result["user"]["email_verified"] is True
    kept = result["tokens"]["refresh_token"]
    assert result["refreshed"].get("refresh_token") in (None, kept)
