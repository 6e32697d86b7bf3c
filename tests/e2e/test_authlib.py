"""Authlib, a stock OIDC client, signs a user in and out, from discovery on."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuthError
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oidc.core import CodeIDToken
from tests.kit.system import PASSWORD, Loopback, System, fresh_email

CALLBACK = "http://localhost:8000/callback"
HOME = "http://localhost:8000/"
SCOPE = "openid profile email"


def client(system: System, **more: str) -> AsyncOAuth2Client:
    return AsyncOAuth2Client(
        system.demo["client_id"],
        system.demo["client_secret"],
        scope=SCOPE,
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
        transport=Loopback(),
        **more,
    )


async def discovered(system: System) -> dict[str, str]:
    async with system.http() as http:
        found: dict[str, str] = (await http.get("/.well-known/openid-configuration")).json()
    return found


async def test_a_user_signs_in_and_out_through_authlib(system: System) -> None:
    """Discovery, hosted sign-up, tokens, JWKS, userinfo, refresh and sign-out work, and the audit
    log has the events."""
    provider = await discovered(system)
    assert provider["issuer"] == system.demo["url"]
    email, verifier = fresh_email(), "v" * 64
    async with client(system) as oauth, system.browser() as ada:
        url, state = oauth.create_authorization_url(
            provider["authorization_endpoint"], code_verifier=verifier, nonce="n-0S6"
        )
        page = await ada.sign_up(email, PASSWORD, first=url)
        assert page.away, page.text[:2000]
        assert page.url.startswith(f"{CALLBACK}?")
        answer = parse_qs(urlsplit(page.url).query)
        assert answer["state"] == [state]
        assert answer["iss"] == [provider["issuer"]]

        token = await oauth.fetch_token(
            provider["token_endpoint"], authorization_response=page.url, code_verifier=verifier
        )
        keys = JsonWebKey.import_key_set((await oauth.get(provider["jwks_uri"])).json())
        claims = JsonWebToken(["RS256", "ES256", "EdDSA"]).decode(
            token["id_token"],
            keys,
            claims_cls=CodeIDToken,
            claims_options={
                "iss": {"essential": True, "value": provider["issuer"]},
                "aud": {"essential": True, "value": system.demo["client_id"]},
            },
            claims_params={
                "nonce": "n-0S6",
                "client_id": system.demo["client_id"],
                "access_token": token["access_token"],
            },
        )
        claims.validate(leeway=5)

        info = (await oauth.get(provider["userinfo_endpoint"])).json()
        assert info["sub"] == claims["sub"]
        assert (info["email"], info["email_verified"]) == (email, True)

        fresh = await oauth.refresh_token(provider["token_endpoint"], token["refresh_token"])
        assert fresh["access_token"] != token["access_token"]
        assert fresh["refresh_token"] != token["refresh_token"]
        again = await oauth.get(provider["userinfo_endpoint"])
        assert again.json()["sub"] == claims["sub"]

        logout = await ada.get(
            f"{provider['end_session_endpoint']}?id_token_hint={fresh.get('id_token') or token['id_token']}"
            f"&post_logout_redirect_uri={HOME}&state=bye"
        )
        if not logout.away:  # asks the user for confirmation
            logout = await ada.submit(logout, logout.forms[0])
        assert logout.away, logout.text[:2000]
        assert logout.url == f"{HOME}?state=bye"

        assert (await oauth.get(provider["userinfo_endpoint"])).status_code == 401
        with pytest.raises(OAuthError) as refused:
            await oauth.refresh_token(provider["token_endpoint"], fresh["refresh_token"])
        assert refused.value.error == "invalid_grant"
        back = await ada.get(url)
        assert not back.away

    activity = {"authorization_granted", "token_refreshed"}
    records = ["user_created", "login", "token_issued", "logout"]
    events = await system.streamed(
        system.demo["app_id"], until=activity | set(records), user_id=claims["sub"]
    )
    told = [event.event_type for event in sorted(events, key=lambda e: (e.created_at, e.id))]
    assert [name for name in told if name in records] == records


async def test_who_is_signed_in_gets_a_code_at_once(system: System) -> None:
    """Single sign-on: a second authorization request of a signed-in user shows no page."""
    provider = await discovered(system)
    async with client(system) as oauth, system.browser() as ada:
        await ada.sign_up(fresh_email(), PASSWORD)
        url, _ = oauth.create_authorization_url(
            provider["authorization_endpoint"], code_verifier="w" * 64
        )
        page = await ada.get(url)

        assert page.away
        token = await oauth.fetch_token(
            provider["token_endpoint"], authorization_response=page.url, code_verifier="w" * 64
        )
        assert token["token_type"] == "Bearer"


async def test_a_returning_user_signs_in_with_the_password(system: System) -> None:
    """A user signs in from another browser, first with a wrong password and then with the right
    one."""
    provider = await discovered(system)
    email = fresh_email()
    async with system.browser() as first:
        await first.sign_up(email, PASSWORD)
    async with client(system) as oauth, system.browser() as second:
        url, _ = oauth.create_authorization_url(
            provider["authorization_endpoint"], code_verifier="x" * 64
        )
        wrong = await second.sign_in(email, "not the password", first=url)
        assert not wrong.away
        page = await second.submit(wrong, wrong.form("password"), password=PASSWORD)

        assert page.away, page.text[:2000]
        token = await oauth.fetch_token(
            provider["token_endpoint"], authorization_response=page.url, code_verifier="x" * 64
        )
        assert token["id_token"]


async def test_a_code_works_once_and_only_with_its_verifier(system: System) -> None:
    """A second exchange of a code fails and revokes the tokens of the first one (RFC 7636, RFC 6749
    section 4.1.2)."""
    provider = await discovered(system)
    async with client(system) as oauth, client(system) as thief, system.browser() as ada:
        await ada.sign_up(fresh_email(), PASSWORD)
        url, _ = oauth.create_authorization_url(
            provider["authorization_endpoint"], code_verifier="y" * 64
        )
        page = await ada.get(url)
        token = await oauth.fetch_token(
            provider["token_endpoint"], authorization_response=page.url, code_verifier="y" * 64
        )
        with pytest.raises(OAuthError) as replayed:
            await thief.fetch_token(
                provider["token_endpoint"], authorization_response=page.url, code_verifier="y" * 64
            )
        assert replayed.value.error == "invalid_grant"
        with pytest.raises(OAuthError) as ended:
            await oauth.refresh_token(provider["token_endpoint"], token["refresh_token"])
        assert ended.value.error == "invalid_grant"

        page = await ada.get(url)
        with pytest.raises(OAuthError) as guessed:
            await thief.fetch_token(
                provider["token_endpoint"], authorization_response=page.url, code_verifier="z" * 64
            )
        assert guessed.value.error == "invalid_grant"


async def test_client_credentials(system: System) -> None:
    """A backend gets a token for itself (RFC 6749 section 4.4, RFC 9068)."""
    provider = await discovered(system)
    async with AsyncOAuth2Client(
        system.demo["client_id"], system.demo["client_secret"], transport=Loopback()
    ) as oauth:
        token = await oauth.fetch_token(provider["token_endpoint"], grant_type="client_credentials")
        keys = JsonWebKey.import_key_set((await oauth.get(provider["jwks_uri"])).json())
    claims = JsonWebToken(["ES256"]).decode(token["access_token"], keys)

    assert claims.header["typ"] == "at+jwt"
    assert claims["iss"] == provider["issuer"]
    assert "refresh_token" not in token
