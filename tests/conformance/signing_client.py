"""A client with keys, at an application that takes pushed and signed requests and signs its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt
from tests.conformance.conftest import CALLBACK, Result, Suite, challenge
from tests.kit.client_keys import ClientKey
from tests.kit.dpop import DpopKey
from tests.kit.system import Page, System

Params = Callable[[], dict[str, Any]]
"""Makes a form: an assertion is good once."""
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
    holder: DpopKey | None = None
    """The key that tokens are bound to. Without it, no request has a proof."""
    nonce: str | None = None

    @property
    def issuer(self) -> str:
        return self.suite.issuer

    def parameters(self, **changes: Any) -> dict[str, Any]:
        """Returns a valid authorization request; None leaves a parameter out."""
        sent = self.suite.request(**{"client_id": self.client_id, **PKCE} | changes)
        return {name: value for name, value in sent.items() if value is not None}

    def assertion(self, **changes: Any) -> dict[str, Any]:
        return {**self.key.assertion(self.client_id, self.issuer, **changes)}

    async def post(self, path: str, data: dict[str, Any], **headers: str) -> httpx.Response:
        return await self.suite.http.post(path, data=data, headers=headers)

    async def with_proof(
        self, path: str, data: Params, proof: dict[str, Any] | None = None
    ) -> httpx.Response:
        """Sends a form with a proof of the holder's key, and again if a nonce is demanded."""
        holder = self.holder
        if holder is None:
            return await self.post(path, data())
        for _ in range(2):
            made = holder.proof("POST", self.issuer + path, nonce=self.nonce, **(proof or {}))
            answer = await self.post(path, data(), dpop=made)
            self.nonce = answer.headers.get("dpop-nonce", self.nonce)
            if answer.status_code == 201 or answer.json().get("error") != "use_dpop_nonce":
                break
        return answer

    async def push(
        self, params: dict[str, Any] | None = None, *, bound: bool = False, **assertion: Any
    ) -> httpx.Response:
        """Pushes a request; with `bound`, with a proof of the holder's key."""
        sent = self.parameters() if params is None else params
        if bound:
            return await self.with_proof("/oauth2/par", lambda: sent | self.assertion(**assertion))
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

    async def authorize(self, *, bound: bool = False, **changes: Any) -> Result:
        """Pushes a request, and signs in with its name."""
        sent = self.parameters(**changes)
        answer = await self.push(sent, bound=bound)
        assert answer.status_code == 201, answer.text
        page = await self.visit(request_uri=answer.json()["request_uri"])
        return await self.suite.finished(page, sent.get("state"))

    async def redeem(
        self, code: str, *, proof: dict[str, Any] | None = None, **changes: Any
    ) -> httpx.Response:
        """Redeems a code. `proof` changes the proof, and `changes` the form; None leaves out."""
        given = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        }
        return await self.token(given | changes, proof=proof)

    async def token(
        self,
        given: dict[str, Any],
        *,
        proof: dict[str, Any] | None = None,
    ) -> httpx.Response:
        sent = {name: value for name, value in given.items() if value is not None}

        def form() -> dict[str, Any]:
            return sent if "client_assertion" in given else sent | self.assertion()

        return await self.with_proof("/oauth2/token", form, proof)

    async def userinfo(self, access_token: str, scheme: str = "DPoP") -> httpx.Response:
        assert self.holder is not None
        path = "/oauth2/userinfo"
        for _ in range(2):
            proof = self.holder.proof(
                "GET", self.issuer + path, token=access_token, nonce=self.nonce
            )
            headers = {"authorization": f"{scheme} {access_token}", "dpop": proof}
            answer = await self.suite.http.get(path, headers=headers)
            self.nonce = answer.headers.get("dpop-nonce", self.nonce)
            if "use_dpop_nonce" not in answer.headers.get("www-authenticate", ""):
                break
        return answer

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
