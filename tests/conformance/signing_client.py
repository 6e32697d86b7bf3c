"""A client with keys, at an application that takes pushed and signed requests and signs its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt
from tests.conformance.conftest import CALLBACK, Result, Suite, challenge
from tests.kit.client_keys import ClientKey
from tests.kit.system import Page, System

SWITCHES = (
    "pushed_authorization_requests",
    "request_objects",
    "signed_authorization_responses",
)
VERIFIER = "v" * 43
PKCE: dict[str, Any] = {"code_challenge": challenge(VERIFIER), "code_challenge_method": "S256"}


@asynccontextmanager
async def switched_on(system: System) -> AsyncIterator[None]:
    """Switches it all on, and off again: other modules run without."""
    async with system.backend() as api:
        for on in (True, False):
            answer = await api.put("/api/settings", json=dict.fromkeys(SWITCHES, on))
            assert answer.status_code == 200, answer.text
            if on:
                yield


@dataclass
class SigningClient:
    """A client that authenticates by private_key_jwt, with the suite's browser."""

    suite: Suite
    client_id: str
    key: ClientKey = field(default_factory=ClientKey)

    @property
    def issuer(self) -> str:
        return self.suite.issuer

    def parameters(self, **changes: Any) -> dict[str, Any]:
        """Returns a valid authorization request; None leaves a parameter out."""
        sent = self.suite.request(**{"client_id": self.client_id, **PKCE} | changes)
        return {name: value for name, value in sent.items() if value is not None}

    def assertion(self, **changes: Any) -> dict[str, str]:
        return self.key.assertion(self.client_id, self.issuer, **changes)

    async def post(self, path: str, data: dict[str, Any], **headers: str) -> httpx.Response:
        return await self.suite.http.post(path, data=data, headers=headers)

    async def push(self, params: dict[str, Any] | None = None, **assertion: Any) -> httpx.Response:
        sent = self.parameters() if params is None else params
        return await self.post("/oauth2/par", sent | self.assertion(**assertion))

    async def pushed(self, **changes: Any) -> str:
        """Returns the name of a pushed request."""
        answer = await self.push(self.parameters(**changes))
        assert answer.status_code == 201, answer.text
        name = answer.json()["request_uri"]
        assert isinstance(name, str)
        return name

    async def visit(self, **params: str) -> Page:
        sent = {"client_id": self.client_id} | params
        return await self.suite.browser.get(
            f"{self.suite.provider['authorization_endpoint']}?{urlencode(sent)}"
        )

    async def authorize(self, **changes: Any) -> Result:
        """Pushes a request, and signs in with its name."""
        sent = self.parameters(**changes)
        answer = await self.push(sent)
        assert answer.status_code == 201, answer.text
        page = await self.visit(request_uri=answer.json()["request_uri"])
        return await self.suite.finished(page, sent.get("state"))

    async def redeem(self, code: str, **changes: Any) -> httpx.Response:
        given = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        }
        sent = {name: value for name, value in (given | changes).items() if value is not None}
        if "client_assertion" not in sent:
            sent |= self.assertion()
        return await self.post("/oauth2/token", sent)

    def request_object(self, **changes: Any) -> str:
        """Returns a signed request; `typ` and claims may differ."""
        return self.key.request_object(self.parameters(), self.issuer, **changes)

    async def opened(self, response: str) -> dict[str, Any]:
        """Returns what a signed answer says, verified as JARM section 2.4 requires."""
        jwks = (await self.suite.http.get(self.suite.provider["jwks_uri"])).json()
        kid = jwt.get_unverified_header(response)["kid"]
        (key,) = [key for key in jwks["keys"] if key["kid"] == kid]
        claims: dict[str, Any] = jwt.decode(
            response,
            jwt.PyJWK(key),
            algorithms=[key["alg"]],
            audience=self.client_id,
            issuer=self.issuer,
            options={"require": ["iss", "aud", "exp"]},
        )
        return claims


@asynccontextmanager
async def signing_client(
    suite: Suite, key: ClientKey | None = None, **more: Any
) -> AsyncIterator[SigningClient]:
    """Registers the client, and deletes it afterwards."""
    key = key or ClientKey()
    new = {
        "name": "Signs",
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": key.jwks,
    }
    async with suite.system.backend() as api:
        made = await api.post("/api/clients", json=new | more)
        assert made.status_code == 201, made.text
        suite.provider = (await suite.http.get("/.well-known/openid-configuration")).json()
        yield SigningClient(suite, made.json()["client_id"], key)
        await api.delete(f"/api/clients/{made.json()['id']}")
