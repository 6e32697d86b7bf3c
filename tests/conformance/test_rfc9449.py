"""RFC 9449, DPoP: tokens that are worth nothing without their key, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest_asyncio
from tests.conformance.conftest import CALLBACK, Suite, challenge
from tests.kit.dpop import DpopKey

VERIFIER = "v" * 43


@dataclass
class BrowserApp:
    """A public client with a key of its own."""

    suite: Suite
    client_id: str
    key: DpopKey
    nonce: str | None = None

    @property
    def endpoint(self) -> str:
        return str(self.suite.provider["token_endpoint"])

    async def code(self, **more: Any) -> str:
        result = await self.suite.authorize(
            client_id=self.client_id,
            code_challenge=challenge(VERIFIER),
            code_challenge_method="S256",
            scope="openid email account",
            **more,
        )
        return result.code

    async def token(self, *, key: DpopKey | None = None, **data: str) -> httpx.Response:
        """Sends a token request, and again with the nonce if the server demands one (section 8)."""
        for _ in range(2):
            proof = (key or self.key).proof("POST", self.endpoint, nonce=self.nonce)
            answer = await self.suite.http.post(
                self.endpoint, data={"client_id": self.client_id, **data}, headers={"dpop": proof}
            )
            if answer.status_code != 400 or answer.json()["error"] != "use_dpop_nonce":
                break
            self.nonce = answer.headers["dpop-nonce"]
        return answer

    async def redeem(self, **more: Any) -> httpx.Response:
        code = await self.code()
        return await self.token(
            grant_type="authorization_code",
            code=code,
            redirect_uri=CALLBACK,
            code_verifier=VERIFIER,
            **more,
        )

    async def get(
        self, url: str, token: str, *, key: DpopKey | None = None, scheme: str = "DPoP", **more: Any
    ) -> httpx.Response:
        """Calls a resource as `token` does."""
        for _ in range(2):
            made = {"token": token, "nonce": self.nonce, **more}
            proof = (key or self.key).proof("GET", url, **made)
            headers = {"authorization": f"{scheme} {token}", "dpop": proof}
            answer = await self.suite.http.get(url, headers=headers)
            if "use_dpop_nonce" not in answer.headers.get("www-authenticate", ""):
                break
            assert answer.status_code == 401
            self.nonce = answer.headers["dpop-nonce"]
        return answer


@pytest_asyncio.fixture
async def app(fresh: Suite) -> AsyncIterator[BrowserApp]:
    async with fresh.system.backend() as api:
        made = await api.post(
            "/api/clients",
            json={
                "name": "Browser app",
                "type": "spa",
                "redirect_uris": [CALLBACK],
                "allowed_origins": ["https://spa.example"],
                "scopes": ["openid", "email", "account", "offline_access"],
                "dpop_bound_access_tokens": True,
            },
        )
        assert made.status_code == 201, made.text
        yield BrowserApp(fresh, made.json()["client_id"], DpopKey())
        await api.delete(f"/api/clients/{made.json()['id']}")


async def test_tokens_of_a_key(app: BrowserApp) -> None:
    """Section 5: the first answer brings a nonce, the second the tokens. UserInfo and our API take them with
    the key only (section 7), and each proof once."""
    bare = await app.suite.http.post(
        app.endpoint,
        data={
            "client_id": app.client_id,
            "grant_type": "authorization_code",
            "code": await app.code(),
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        },
    )
    assert (bare.status_code, bare.json()["error"]) == (400, "invalid_dpop_proof")
    answer = await app.redeem()
    assert answer.status_code == 200, answer.text
    assert app.nonce is not None
    told = answer.json()
    assert told["token_type"] == "DPoP"
    token, userinfo = told["access_token"], app.suite.provider["userinfo_endpoint"]

    for url in (userinfo, f"{app.suite.issuer}/api/users/me"):
        good = await app.get(url, token)
        assert good.status_code == 200, (url, good.text)
        again = await app.get(url, token, jti=f"again {url[-8:]}")
        replayed = await app.get(url, token, jti=f"again {url[-8:]}")
        assert (again.status_code, replayed.status_code) == (200, 401)
        for wrong in (
            await app.get(url, token, key=DpopKey()),
            await app.get(url, token, ath=None),
            await app.get(url, token, htu="http://gateway:8080/api/users/me"),
            await app.get(url, token, scheme="Bearer"),
            await app.suite.http.get(url, headers={"authorization": f"DPoP {token}"}),
        ):
            assert wrong.status_code == 401, wrong.text
            challenge_ = wrong.headers["www-authenticate"]
            assert challenge_.startswith("DPoP error="), challenge_
            assert 'algs="ES256 PS256 EdDSA"' in challenge_


async def test_a_refresh_token_of_a_key(app: BrowserApp) -> None:
    """Section 5: that of a public client is bound to the key, and another key does not use it up."""
    token = (await app.redeem()).json()["refresh_token"]
    refresh = {"grant_type": "refresh_token", "refresh_token": token}
    stolen = await app.token(key=DpopKey(), **refresh)
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")

    good = await app.token(**refresh)
    assert (good.status_code, good.json()["token_type"]) == (200, "DPoP")


async def test_a_code_of_a_key(app: BrowserApp) -> None:
    """Section 10: `dpop_jkt` binds the code. Another key gets nothing for it."""
    for key, status in ((DpopKey(), 400), (app.key, 200)):
        answer = await app.token(
            key=key,
            grant_type="authorization_code",
            code=await app.code(dpop_jkt=app.key.thumbprint),
            redirect_uri=CALLBACK,
            code_verifier=VERIFIER,
        )
        assert answer.status_code == status, answer.text
    result = await app.suite.authorize(
        client_id=app.client_id,
        code_challenge=challenge(VERIFIER),
        code_challenge_method="S256",
        dpop_jkt="short",
    )
    assert result.fields["error"] == "invalid_request"


async def test_one_header_and_what_browsers_may_read(app: BrowserApp) -> None:
    """Section 4.1: not two proofs. Pages of the client's origin may send a proof, and read the nonce."""
    proof = app.key.proof("POST", app.endpoint)
    two = await app.suite.http.post(
        app.endpoint,
        data={"client_id": app.client_id, "grant_type": "refresh_token", "refresh_token": "x"},
        headers=[("dpop", proof), ("dpop", app.key.proof("POST", app.endpoint))],
    )
    assert two.status_code == 400
    origin = {"origin": "https://spa.example"}
    asked = await app.suite.http.options(
        app.endpoint,
        headers={**origin, "access-control-request-method": "POST"},
    )
    assert "dpop" in asked.headers["access-control-allow-headers"]
    answer = await app.suite.http.post(
        app.endpoint,
        data={"client_id": app.client_id, "grant_type": "refresh_token", "refresh_token": "x"},
        headers={**origin, "dpop": proof},
    )
    assert "dpop-nonce" in answer.headers["access-control-expose-headers"]
    assert answer.headers["dpop-nonce"]
    assert app.suite.provider["dpop_signing_alg_values_supported"] == ["ES256", "PS256", "EdDSA"]
