"""oidcc-client-basic-certification-test-plan through the pages of the running platform: a browser goes to
/rp/authorize, the suite's provider misbehaves, and /rp/callback/{idp} signs in or refuses."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from tests.kit.deployments import Ability
from tests.kit.identity_provider import OpenIdProvider, hmac_token, new_key, running_server
from tests.kit.provider_sign_in import params_of
from tests.kit.system import System


@dataclass
class WebRelyingParty:
    """A provider of the demo application, and a browser that signs in with it."""

    op: OpenIdProvider
    name: str
    http: httpx.AsyncClient

    async def request(self) -> str:
        """Begins a sign-in. Returns the URL at the provider."""
        answer = await self.http.get("/rp/authorize", params={"idp": self.name})
        assert answer.is_redirect, answer.text
        return answer.headers["location"]

    async def response(self, **more: str) -> dict[str, str]:
        """Begins a sign-in and lets the user agree. Returns the parameters of the provider's answer."""
        url = await self.request()
        return {"code": self.op.authorize(url), "state": params_of(url)["state"]} | more

    async def callback(self, response: dict[str, str]) -> httpx.Response:
        return await self.http.get(f"/rp/callback/{self.name}", params=response)

    async def sign_in(self, **more: str) -> httpx.Response:
        return await self.callback(await self.response(**more))

    async def signed_in(self) -> bool:
        return (await self.http.get("/api/auth/session")).status_code == 200

    async def refuses(self, answer: httpx.Response) -> None:
        """The user reads one sentence, nothing of the reason, and is not signed in."""
        assert answer.status_code == 502, (answer.status_code, answer.headers.get("location"))
        assert "The sign-in didn" in answer.text
        assert not await self.signed_in()

    async def accepts(self, answer: httpx.Response) -> None:
        assert answer.is_redirect, answer.text
        assert await self.signed_in()


@pytest_asyncio.fixture
async def rp(system: System) -> AsyncIterator[WebRelyingParty]:
    system.deployment.require(Ability.CALL_THIS_MACHINE)
    async with running_server() as server, system.backend() as api, system.http() as http:
        op = OpenIdProvider(server, f"{server.base}/op", userinfo={}).install()
        op.subject, name = secrets.token_hex(8), f"op{secrets.token_hex(4)}"
        op.userinfo = {"email": f"{op.subject}@example.com", "email_verified": True}
        settings = {"issuer": op.issuer, "client_id": op.client_id, "trusts_email": True}
        new = {"name": name, "display_name": "Suite", "client_secret": op.secret} | settings
        created = await api.post("/api/idps", json=new)
        assert created.status_code == 201, created.text
        try:
            yield WebRelyingParty(op, name, http)
        finally:
            await api.delete(f"/api/idps/{created.json()['id']}")


async def test_oidcc_client_test(rp: WebRelyingParty) -> None:
    """The user is signed in. The request has PKCE, a nonce and a state."""
    request = params_of(await rp.request())
    await rp.accepts(await rp.sign_in())

    assert request["redirect_uri"].endswith(f"/rp/callback/{rp.name}")
    assert {"nonce", "state", "code_challenge"} <= request.keys()


def _unsigned(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, None, algorithm="none")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://another.example"},
        {"aud": "another-client"},
        {"nonce": "another"},
        {"nonce": ...},
        {"sub": ...},
        {"iat": ...},
        {"exp": 1},
    ],
    ids=lambda claims: "-".join(
        f"{k}-{v}" if v is not ... else f"no-{k}" for k, v in claims.items()
    ),
)
async def test_oidcc_client_test_invalid_claims(
    rp: WebRelyingParty, claims: dict[str, Any]
) -> None:
    """An ID token of another issuer, client or sign-in, or without a needed claim, is refused."""
    rp.op.claims = claims

    await rp.refuses(await rp.sign_in())


async def test_oidcc_client_test_idtoken_sig_none(rp: WebRelyingParty) -> None:
    """An unsigned ID token is refused."""
    rp.op.encode = _unsigned

    await rp.refuses(await rp.sign_in())


async def test_oidcc_client_test_invalid_sig(rp: WebRelyingParty) -> None:
    """The signature of another key under the same key id is refused, and HMAC with the client secret."""
    key = rp.op.key
    rp.op.published, rp.op.key = [key], new_key(key.kid)
    await rp.refuses(await rp.sign_in())
    rp.op.encode = lambda claims: hmac_token(claims, rp.op.secret.encode(), key.kid)

    await rp.refuses(await rp.sign_in())


async def test_oidcc_client_test_userinfo_invalid_sub(rp: WebRelyingParty) -> None:
    """UserInfo about another subject is refused."""
    rp.op.userinfo = {"sub": f"{rp.op.subject}-and-more"}

    await rp.refuses(await rp.sign_in())


async def test_oidcc_client_test_signing_key_rotation(rp: WebRelyingParty) -> None:
    """The provider's next key is accepted while a sign-in is on its way."""
    await rp.accepts(await rp.sign_in())
    rp.http.cookies.clear()
    response = await rp.response()
    rp.op.key = new_key("next")

    await rp.accepts(await rp.callback(response))


async def test_state_is_used_once(rp: WebRelyingParty) -> None:
    """The second use of a response, also of a refused one, makes no call to the provider and signs
    nobody in."""
    rp.op.claims = {"nonce": "another"}
    response = await rp.response()
    await rp.refuses(await rp.callback(response))
    rp.op.claims = {}
    calls = len(rp.op.server.calls)
    again = await rp.callback(response | {"code": rp.op.authorize("https://x/?")})

    assert again.status_code == 410
    assert len(rp.op.server.calls) == calls
    assert not await rp.signed_in()


async def test_state_of_another_browser(rp: WebRelyingParty) -> None:
    """A response that is brought into another browser signs nobody in."""
    response = await rp.response()
    rp.http.cookies.clear()
    answer = await rp.callback(response)

    assert answer.status_code in (403, 410)
    assert not await rp.signed_in()


async def test_issuer_of_the_response(rp: WebRelyingParty) -> None:
    """`iss` of another issuer is refused before the code is exchanged (RFC 9207)."""
    await rp.refuses(await rp.sign_in(iss="https://another.example"))
    assert rp.op.server.count("/op/token") == 0

    await rp.accepts(await rp.sign_in(iss=rp.op.issuer))


async def test_form_post(rp: WebRelyingParty) -> None:
    """A posted response arrives without cookies. It signs in the browser that asked, once, and no other."""
    response = await rp.response()
    cookies = dict(rp.http.cookies)
    rp.http.cookies.clear()
    posted = await rp.http.post(
        f"/rp/callback/{rp.name}", data=response, headers={"origin": rp.op.server.base}
    )
    assert posted.status_code == 303
    assert params_of(posted.headers["location"]) == {"state": response["state"]}
    assert "set-cookie" not in posted.headers
    rp.http.cookies.update(cookies)

    await rp.accepts(await rp.http.get(posted.headers["location"]))
    assert (await rp.http.get(posted.headers["location"])).status_code == 410
