"""A client's call of the API is refused until its user shows a second factor (RFC 9470)."""

from __future__ import annotations

import re
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pyotp
from authlib.integrations.httpx_client import AsyncOAuth2Client
from tests.kit.system import PASSWORD, Browser, Loopback, Page, System, fresh_email

CALLBACK = "http://localhost:8000/callback"
VERIFIER = "v" * 64
FRESH = "/api/users/me/mfa/recovery-codes"
"""A call that takes an account over, so it needs a recent sign-in with each factor of the user."""


async def client(system: System) -> AsyncOAuth2Client:
    """Registers a client that may act on its users' accounts."""
    fields = {
        "name": "Mobile app",
        "redirect_uris": [CALLBACK],
        "scopes": ["openid", "account"],
        "first_party": True,
    }
    async with system.backend() as http:
        answer = await http.post("/api/clients", json=fields)
    assert answer.status_code == 201, answer.text
    created = answer.json()
    return AsyncOAuth2Client(
        created["client_id"],
        created["client_secret"],
        scope="openid account",
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
        transport=Loopback(),
    )


def authorization(system: System, oauth: AsyncOAuth2Client, **more: str) -> str:
    url, _ = oauth.create_authorization_url(
        f"{system.origin('demo')}/oauth2/authorize", code_verifier=VERIFIER, **more
    )
    return str(url)


async def redeem(system: System, oauth: AsyncOAuth2Client, page: Page) -> str:
    """Exchanges the code. Returns the access token."""
    assert page.away, page.text[:3000]
    assert "code" in parse_qs(urlsplit(page.url).query), page.url
    token = await oauth.fetch_token(
        f"{system.origin('demo')}/oauth2/token",
        authorization_response=page.url,
        code_verifier=VERIFIER,
    )
    return str(token["access_token"])


async def call(system: System, access_token: str) -> httpx.Response:
    async with system.http() as http:
        return await http.post(FRESH, headers={"authorization": f"Bearer {access_token}"})


async def enrol(ada: Browser) -> tuple[pyotp.TOTP, str]:
    """Turns on an authenticator app. Returns it, and a recovery code."""
    page = await ada.get("/account/two-step/app")
    secret = re.search(r'class="secret"[^>]*>([^<]+)<', page.text)
    assert secret, page.text[:3000]
    app = pyotp.TOTP(secret[1].replace(" ", ""))
    page = await ada.submit(page, page.form("code"), code=app.now())
    codes = re.findall(r"<li[^>]*>(?:<code[^>]*>)?([A-Za-z0-9-]{16,})<", page.text)
    assert len(codes) == 10, page.text
    return app, codes[0]


async def sign_in_on_a_remembered_device(ada: Browser, email: str, recovery_code: str) -> None:
    """Signs in with two factors, lets the device be remembered, and signs in again with one."""
    page = await ada.sign_in(email, PASSWORD)
    link = re.search(r'href="(/login/second-factor[^"]+)"', page.text)
    assert link, page.text[:3000]
    page = await ada.get(link[1].replace("&amp;", "&"))
    form = page.form("recovery_code")
    await ada.submit(page, form, recovery_code=recovery_code, remember_device="1")
    await sign_out(ada)
    page = await ada.sign_in(email, PASSWORD)
    assert "/account" in page.url, page.text[:3000]


async def sign_out(ada: Browser) -> None:
    page = await ada.get("/logout")
    await ada.submit(page, page.form("confirm"), confirm="1")


async def test_client_sends_its_user_for_the_second_factor(system: System) -> None:
    """The 401 says which class and age the call needs. With exactly these values the user is asked
    for the missing factor alone, and the call succeeds with the new token. The old one stays too weak."""
    email = fresh_email()
    async with system.browser() as ada, await client(system) as oauth:
        await ada.sign_up(email, PASSWORD)
        app, recovery_code = await enrol(ada)
        await sign_out(ada)
        await sign_in_on_a_remembered_device(ada, email, recovery_code)
        weak = await redeem(system, oauth, await ada.get(authorization(system, oauth)))
        refusal = await call(system, weak)
        assert refusal.status_code == 401, refusal.text
        assert refusal.json()["code"] == "insufficient_user_authentication"
        challenge = refusal.headers["www-authenticate"]
        needed = dict(re.findall(r'(acr_values|max_age)="?([^",]+)', challenge))
        assert needed == {"acr_values": "urn:aero2:loa:2fa", "max_age": "900"}, challenge

        page = await ada.get(authorization(system, oauth, **needed))
        assert not page.away
        assert not {"email", "password"} & {name for form in page.forms for name in form.offered}
        page = await ada.submit(page, page.form("code"), code=app.at(time.time() + 30))
        strong = await redeem(system, oauth, page)

        assert (await call(system, weak)).status_code == 401
        answer = await call(system, strong)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["recovery_codes"]) == 10
    claims = jwt.decode(strong, options={"verify_signature": False})
    assert claims["acr"] == "urn:aero2:loa:2fa"
    assert time.time() - claims["auth_time"] < 120
