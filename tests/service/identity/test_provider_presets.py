"""Each preset signs in at a stand-in that answers in the documented shape of its provider."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.kit.identity_provider import (
    Grant,
    HttpCall,
    OpenIdProvider,
    ProviderServer,
    Reply,
    fits,
    new_key,
)
from tests.kit.provider_sign_in import CALLBACK, new_provider, params_of, sign_in_at
from tests.kit.world import World

from identity.provider_rules import with_preset
from identity.providers import presets
from identity.providers.account import ProviderAccount
from identity.providers.exchange import check_issuer
from identity.providers.failures import ProviderFailed
from identity.providers.metadata import ProviderMetadata, provider_metadata

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
OTHER_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
ADDRESS = "ada@example.com"


class OAuthStandIn:
    """The token endpoint and the API of a provider without OpenID Connect."""

    def __init__(self, server: ProviderServer, preset: str, **apis: Any) -> None:
        self.server, self.preset = server, preset
        data = presets.PRESETS[preset]
        self.auth = data.get("auth_method", "client_secret_basic")
        self.as_json = data.get("options", {}).get("json_token_call", False)
        self.grants: dict[str, Grant] = {}
        self.token_answer: dict[str, Any] = {"access_token": "access-1", "token_type": "bearer"}
        self.token_path = self.path(data["token_endpoint"])
        self.authorization_endpoint = data["authorization_endpoint"]
        server.routes[self.token_path] = self.token
        for url, value in apis.items():
            server.routes[url] = self.api(value)

    @staticmethod
    def path(url: str) -> str:
        return "/" + url.removeprefix("https://").partition("?")[0]

    def serve(self, url: str, value: Any) -> None:
        self.server.routes[self.path(url)] = self.api(value)

    def api(self, value: Any) -> Any:
        return lambda call: value if call.bearer == "access-1" else (401, {"message": "Bad"})

    def token(self, call: HttpCall) -> Reply:
        form = json.loads(call.body) if self.as_json else call.form
        if self.auth == "client_secret_basic":
            assert "client_secret" not in form
            client = call.basic
        else:
            client = (form["client_id"], form["client_secret"])
        if client != ("our-client", "our-secret"):
            return 401, {"error": "invalid_client"}
        assert call.method == "POST"
        grant = self.grants.pop(form["code"], None)
        if grant is None or not fits(grant, form):
            return 400, {"error": "invalid_grant"}
        return self.token_answer

    async def account(self, world: World, **settings: Any) -> ProviderAccount:
        provider = await new_provider(world, preset=self.preset, **settings)
        sign_in = await sign_in_at(world, provider)
        url = await sign_in.url()
        assert url.startswith(self.authorization_endpoint)
        self.grants["code"] = Grant(params_of(url))
        try:
            return await sign_in.account("code")
        finally:
            await world.owner.execute(
                "DELETE FROM identity_providers WHERE app_id = $1", world.app_id
            )


def github(server: ProviderServer) -> OAuthStandIn:
    stand_in = OAuthStandIn(server, "github")
    user = {"id": 583231, "login": "octocat", "name": "Mona", "email": "public@example.com"}
    user["avatar_url"] = "https://avatars.githubusercontent.com/u/583231?v=4"
    stand_in.serve("https://api.github.com/user", user)
    github_addresses(stand_in, primary=True, verified=True)
    stand_in.token_answer |= {"scope": "user:email,read:user"}
    return stand_in


def github_addresses(stand_in: OAuthStandIn, email: str = ADDRESS, **flags: Any) -> None:
    entries = [
        {"email": "old@example.com", "primary": False, "verified": True, "visibility": None},
        {"email": email, "visibility": "private", **flags},
    ]
    stand_in.serve("https://api.github.com/user/emails", entries)


async def test_github(world: World, server: ProviderServer) -> None:
    """The number identifies the account. The address is the primary one of the second endpoint."""
    account = await github(server).account(world)

    assert (account.iss, account.subject) == ("https://github.com/login/oauth", "583231")
    assert (account.email, account.email_verified) == (ADDRESS, True)
    assert (account.username, account.name) == ("octocat", "Mona")
    assert account.tokens.scopes == ("user:email", "read:user")


async def test_github_names_identify_nobody(world: World, server: ProviderServer) -> None:
    """A stranger who takes the login and the name of another is another account."""
    stand_in = github(server)
    user = {"id": 999, "login": "octocat", "name": "583231", "sub": "583231"}
    stand_in.serve("https://api.github.com/user", user)

    assert (await stand_in.account(world)).subject == "999"


@pytest.mark.parametrize("subject", [None, True, 1.5, "", {"id": 1}, "x" * 256])
async def test_without_an_identifier_nobody_signs_in(
    world: World, server: ProviderServer, subject: Any
) -> None:
    """Only a whole number or a text of up to 255 characters identifies an account."""
    stand_in = github(server)
    stand_in.serve("https://api.github.com/user", {"id": subject, "login": "octocat"})
    with pytest.raises(ProviderFailed) as caught:
        await stand_in.account(world)

    assert caught.value.step == "response"


async def test_github_addresses_count_if_verified(world: World, server: ProviderServer) -> None:
    """A primary address that is not verified is not verified here. The address that hides one is no
    mail address."""
    stand_in = github(server)
    for flag in (False, None, "true", 1):
        github_addresses(stand_in, primary=True, verified=flag)
        account = await stand_in.account(world)
        assert (account.email, account.email_verified) == (ADDRESS, False)
    hidden = "583231+octocat@users.noreply.github.com"
    github_addresses(stand_in, hidden, primary=True, verified=True)

    assert (await stand_in.account(world)).email is None


async def test_github_sends_errors_with_status_200(world: World, server: ProviderServer) -> None:
    """An error in a good answer ends the sign-in, and its text stays with the provider."""
    stand_in = github(server)
    stand_in.token_answer = {
        "error": "bad_verification_code",
        "error_description": "The code our-secret is wrong",
    }
    with pytest.raises(ProviderFailed) as caught:
        await stand_in.account(world)

    assert caught.value.detail == "the token endpoint answered 200 bad_verification_code"


async def test_github_may_name_its_issuer(world: World, server: ProviderServer) -> None:
    """GitHub sends `iss` or not. Another issuer is refused."""
    sign_in = await sign_in_at(world, await new_provider(world, preset="github"))
    metadata = ProviderMetadata(authorization_endpoint="a", token_endpoint="b")
    for iss in ("https://github.com/login/oauth", None):
        check_issuer(sign_in.provider, metadata, iss)
    for iss in ("https://github.com", "https://evil.example", ""):
        with pytest.raises(ProviderFailed) as caught:
            check_issuer(sign_in.provider, metadata, iss)
        assert caught.value.step == "issuer"


async def test_the_response_names_the_issuer_if_metadata_promise_it(
    world: World, server: ProviderServer
) -> None:
    """A promised `iss` that is absent is refused, unless the row calls it optional. A row without an
    issuer ignores it."""
    OpenIdProvider(
        server,
        "https://op.example",
        metadata={"authorization_response_iss_parameter_supported": True},
    ).install()
    strict = await sign_in_at(world, await new_provider(world, issuer="https://op.example"))
    metadata = await provider_metadata(world.identity, world.ctx(), strict.provider)
    assert metadata.iss_promised
    check_issuer(strict.provider, metadata, "https://op.example")
    with pytest.raises(ProviderFailed):
        check_issuer(strict.provider, metadata, None)
    lenient = await new_provider(world, issuer="https://op.example", iss_mode="optional")
    check_issuer((await sign_in_at(world, lenient)).provider, metadata, None)
    facebook = await new_provider(world, preset="facebook")
    check_issuer((await sign_in_at(world, facebook)).provider, metadata, "https://any.example")


async def test_discord(world: World, server: ProviderServer) -> None:
    """The flag `verified` counts, and only as true."""
    stand_in = OAuthStandIn(server, "discord")
    user = {
        "id": "80351110224678912",
        "username": "nelly",
        "global_name": "Nelly",
        "locale": "en-US",
    }
    for flag, verified in ((True, True), (False, False), ("true", False), (None, False)):
        user_now = user | {"email": ADDRESS, "verified": flag}
        stand_in.serve("https://discord.com/api/users/@me", user_now)
        account = await stand_in.account(world)
        assert account.email_verified is verified
        assert (account.subject, account.name) == ("80351110224678912", "Nelly")
        assert account.locale == "en-US"


async def test_facebook(world: World, server: ProviderServer) -> None:
    """An account without an address signs in. An address never counts as verified."""
    stand_in = OAuthStandIn(server, "facebook")
    stand_in.serve("https://graph.facebook.com/me", {"id": "10158", "name": "Ada"})
    silent = await stand_in.account(world)
    stand_in.serve(
        "https://graph.facebook.com/me",
        {"id": "10158", "name": "Ada", "email": ADDRESS, "email_verified": True},
    )
    named = await stand_in.account(world)

    assert (silent.iss, silent.subject, silent.email) == ("", "10158", None)
    assert (named.email, named.email_verified) == (ADDRESS, False)
    assert server.calls[-1].query == {"fields": "id,name,email"}


async def test_x(world: World, server: ProviderServer) -> None:
    """X names only an address that it has confirmed. It requires PKCE."""
    stand_in = OAuthStandIn(server, "x")
    data = {"id": "2244994945", "name": "X Dev", "username": "xdev"}
    stand_in.serve("https://api.x.com/2/users/me", {"data": data | {"confirmed_email": ADDRESS}})
    confirmed = await stand_in.account(world)
    stand_in.serve("https://api.x.com/2/users/me", {"data": data})
    silent = await stand_in.account(world)

    assert (confirmed.subject, confirmed.username) == ("2244994945", "xdev")
    assert (confirmed.email, confirmed.email_verified) == (ADDRESS, True)
    assert (silent.email, silent.email_verified) == (None, False)


async def test_bitbucket(world: World, server: ProviderServer) -> None:
    """The address is the primary one of the list, and counts if it is confirmed."""
    stand_in = OAuthStandIn(server, "bitbucket")
    user = {"uuid": "{c788b2da-b7a2-404c-9e26-d3f077557007}", "display_name": "Ada"}
    user["links"] = {"avatar": {"href": "https://avatar.example/a.png"}}  # type: ignore[assignment]
    stand_in.serve("https://api.bitbucket.org/2.0/user", user)
    for confirmed in (True, False):
        entry = {"email": ADDRESS, "is_primary": True, "is_confirmed": confirmed}
        other = {"email": "b@example.com", "is_primary": False, "is_confirmed": True}
        url = "https://api.bitbucket.org/2.0/user/emails"
        stand_in.serve(url, {"values": [other, entry], "pagelen": 10})
        account = await stand_in.account(world)
        assert (account.email, account.email_verified) == (ADDRESS, confirmed)
        assert account.subject == "{c788b2da-b7a2-404c-9e26-d3f077557007}"
        assert account.picture == "https://avatar.example/a.png"


async def test_spotify(world: World, server: ProviderServer) -> None:
    """Spotify does not verify addresses."""
    stand_in = OAuthStandIn(server, "spotify")
    profile = {"id": "ada", "display_name": "Ada", "email": ADDRESS, "email_verified": True}
    stand_in.serve("https://api.spotify.com/v1/me", profile)
    account = await stand_in.account(world)

    assert (account.subject, account.email, account.email_verified) == ("ada", ADDRESS, False)


async def test_notion(world: World, server: ProviderServer) -> None:
    """The token call is JSON with a version. The user stands in its answer."""
    stand_in = OAuthStandIn(server, "notion")
    person = {"email": ADDRESS, "email_verified": True}
    stand_in.token_answer |= {
        "workspace_id": "w1",
        "owner": {"type": "user", "user": {"id": "u-1", "name": "Ada", "person": person}},
    }
    account = await stand_in.account(world)
    call = server.calls[-1]

    assert (account.subject, account.email, account.email_verified) == ("u-1", ADDRESS, False)
    assert call.headers["notion-version"] == "2022-06-28"
    assert call.headers["content-type"] == "application/json"
    assert "access_token" not in account.claims


async def test_zoom(world: World, server: ProviderServer) -> None:
    """The flag `verified` is the number 1."""
    stand_in = OAuthStandIn(server, "zoom")
    user = {"id": "z8yAAAAA8bbbQ", "first_name": "Ada", "last_name": "L", "display_name": "Ada L"}
    for flag, verified in ((1, True), (0, False), (True, False), ("1", False)):
        user_now = user | {"email": ADDRESS, "verified": flag}
        stand_in.serve("https://api.zoom.us/v2/users/me", user_now)
        account = await stand_in.account(world)
        assert account.email_verified is verified
        assert (account.subject, account.given_name) == ("z8yAAAAA8bbbQ", "Ada")


# OpenID Connect


async def openid(world: World, op: OpenIdProvider, preset: str, **settings: Any) -> ProviderAccount:
    """Signs in at a preset whose provider is `op`."""
    provider = await new_provider(world, preset=preset, secret=op.secret, **settings)
    try:
        sign_in = await sign_in_at(world, provider)
        url = await sign_in.url()
        return await sign_in.account(op.authorize(url))
    finally:
        await world.owner.execute("DELETE FROM identity_providers WHERE app_id = $1", world.app_id)


async def test_google(world: World, server: ProviderServer) -> None:
    """Google speaks for gmail.com, and for the domain of a company if it hosts it (`hd`)."""
    op = OpenIdProvider(server, "https://accounts.google.com").install()
    for email, more, verified in (
        ("ada@gmail.com", {}, True),
        ("ada@gmail.com", {"email_verified": False}, False),
        ("ada@company.example", {"hd": "company.example"}, True),
        ("ada@company.example", {"hd": ""}, False),
        ("ada@company.example", {}, False),
    ):
        op.claims = {"email": email, "email_verified": True, **more}
        assert (await openid(world, op, "google")).email_verified is verified


async def test_google_names_its_issuer_in_two_ways(world: World, server: ProviderServer) -> None:
    """The issuer without https:// is the same one, and the account has one text for both."""
    op = OpenIdProvider(server, "https://accounts.google.com").install()
    op.claims = {"iss": "accounts.google.com"}
    assert (await openid(world, op, "google")).iss == "https://accounts.google.com"
    op.claims = {"iss": "http://accounts.google.com"}
    with pytest.raises(ProviderFailed):
        await openid(world, op, "google")


async def test_the_hosted_domain_is_checked_in_the_token(
    world: World, server: ProviderServer
) -> None:
    """`hd` in the request is only a hint, so the claim decides."""
    op = OpenIdProvider(server, "https://accounts.google.com").install()
    only = {"options": {"hosted_domain": "company.example"}}
    op.claims = {"hd": "company.example"}
    assert (await openid(world, op, "google", **only)).subject == "user-1"
    for hd in ("other.example", ...):
        op.claims = {"hd": hd}
        with pytest.raises(ProviderFailed):
            await openid(world, op, "google", **only)


def microsoft(server: ProviderServer, **claims: Any) -> OpenIdProvider:
    op = OpenIdProvider(server, "https://login.microsoftonline.com/{tenantid}/v2.0", auth="post")
    op.claims = {
        "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
        "tid": TENANT,
        "oid": "11111111-2222-3333-4444-555555555555",
        "email": ADDRESS,
        **claims,
    }
    base = "https://login.microsoftonline.com/common"
    op.metadata = {
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
    }
    tenant = f"/login.microsoftonline.com/{TENANT}/v2.0/.well-known/openid-configuration"
    server.routes[tenant] = lambda _: (
        op.discovery() | {"issuer": f"https://login.microsoftonline.com/{TENANT}/v2.0"}
    )
    place = "/login.microsoftonline.com/common"
    server.routes[f"{place}/v2.0/.well-known/openid-configuration"] = lambda _: op.discovery()
    server.routes[f"{place}/oauth2/v2.0/token"] = op.token
    server.routes[f"{place}/discovery/v2.0/keys"] = lambda _: {
        "keys": [op.key.jwk | {"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"}]
    }
    return op


async def test_microsoft(world: World, server: ProviderServer) -> None:
    """Tenant and object id identify the account. The issuer is the template with its tenant."""
    account = await openid(world, microsoft(server), "microsoft")

    assert account.subject == f"{TENANT}.11111111-2222-3333-4444-555555555555"
    assert account.iss == "https://login.microsoftonline.com/{tenantid}/v2.0"
    assert server.count("/graph.microsoft.com/oidc/userinfo") == 0


async def test_microsoft_tenants_are_listed(world: World, server: ProviderServer) -> None:
    """A tenant that the row does not list is refused, and so is an issuer of another tenant."""
    op = microsoft(server)
    only = {"options": {"tenants": [TENANT]}}
    assert await openid(world, op, "microsoft", **only)
    foreign = f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0"
    for claims in (
        {"tid": OTHER_TENANT, "iss": foreign},
        {"iss": foreign},
        {"tid": OTHER_TENANT},
        {"tid": "{tenantid}", "iss": "https://login.microsoftonline.com/{tenantid}/v2.0"},
        {"tid": ...},
        {"oid": ...},
    ):
        op = microsoft(server, **claims)
        with pytest.raises(ProviderFailed):
            await openid(world, op, "microsoft", **only)


async def test_one_tenant_is_served_at_its_endpoints(world: World, server: ProviderServer) -> None:
    """A row with one tenant reads the document of that tenant. Its accounts are those of the shared
    endpoints. A document of another tenant is refused."""
    only = {"options": {"tenants": [TENANT]}}
    shared = await openid(world, microsoft(server), "microsoft")
    own = await openid(world, microsoft(server), "microsoft", **only)
    op = microsoft(server)
    path = f"/login.microsoftonline.com/{TENANT}/v2.0/.well-known/openid-configuration"
    server.routes[path] = lambda _: (
        op.discovery() | {"issuer": f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0"}
    )
    with pytest.raises(ProviderFailed) as caught:
        await openid(world, op, "microsoft", **only)

    assert (own.iss, own.subject) == (shared.iss, shared.subject)
    assert caught.value.step == "discovery"


async def test_a_microsoft_key_signs_for_its_tenants(world: World, server: ProviderServer) -> None:
    """A key that is published for one tenant signs for no other."""
    op = microsoft(server)
    foreign = f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0"
    server.routes["/login.microsoftonline.com/common/discovery/v2.0/keys"] = lambda _: {
        "keys": [op.key.jwk | {"issuer": foreign}]
    }
    with pytest.raises(ProviderFailed) as caught:
        await openid(world, op, "microsoft")

    assert "another issuer" in caught.value.detail


@pytest.mark.parametrize(
    ("claims", "verified"),
    [
        ({"xms_edov": True}, True),
        ({"xms_edov": 1}, True),
        ({"xms_edov": "1"}, True),
        ({"xms_edov": "true"}, False),
        ({"xms_edov": False}, False),
        ({}, False),
        ({"email_verified": True}, False),
        ({"xms_edov": True, "email_verified": False}, False),
    ],
)
async def test_microsoft_addresses(
    world: World, server: ProviderServer, claims: dict[str, Any], verified: bool
) -> None:
    """An administrator of any tenant can write any address, so the domain must be proven (xms_edov)."""
    account = await openid(world, microsoft(server, **claims), "microsoft")

    assert (account.email, account.email_verified) == (ADDRESS, verified)


async def test_apple(world: World, server: ProviderServer) -> None:
    """The client secret is a JWT that we sign. Apple posts its response, and the name once."""
    key = new_key("apple", "ES256")
    pem = key.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    op = OpenIdProvider(server, "https://appleid.apple.com", auth="post").install()
    op.claims = {"email": "x@privaterelay.appleid.com", "email_verified": "true"}
    answer = op.token

    def token(call: HttpCall) -> Reply:
        sent = call.form["client_secret"]
        claims = jwt.decode(
            sent, key.key.public_key(), ["ES256"], audience="https://appleid.apple.com"
        )
        assert (claims["iss"], claims["sub"]) == ("TEAM", "our-client")
        assert 0 < claims["exp"] - time.time() <= 15_777_000
        assert jwt.get_unverified_header(sent)["kid"] == "KEY"
        op.secret = sent
        return answer(call)

    server.routes["/appleid.apple.com/token"] = token
    settings: dict[str, Any] = {"options": {"team_id": "TEAM", "key_id": "KEY"}}
    provider = await new_provider(world, preset="apple", secret=pem, **settings)
    sign_in = await sign_in_at(world, provider)
    url = await sign_in.url(prompt="select_account")
    posted = {
        "name": {"firstName": "Ada", "lastName": "Love\u202e"},
        "email": "victim@example.com",
    }
    account = await sign_in.account(op.authorize(url), posted_user=posted)

    assert params_of(url)["response_mode"] == "form_post"
    assert params_of(url)["code_challenge_method"] == "S256"
    assert "prompt" not in params_of(url)
    assert (account.given_name, account.family_name, account.name) == ("Ada", "Love", "Ada Love")
    assert (account.email, account.email_verified) == ("x@privaterelay.appleid.com", True)


async def apple(world: World, op: OpenIdProvider) -> ProviderAccount:
    """Signs in at Apple, whose token endpoint accepts any secret here."""
    pem = new_key("a", "ES256").key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    answer = op.token

    def token(call: HttpCall) -> Reply:
        op.secret = call.form["client_secret"]
        return answer(call)

    op.server.routes["/appleid.apple.com/token"] = token
    options = {"team_id": "TEAM", "key_id": "KEY"}
    provider = await new_provider(world, preset="apple", secret=pem.decode(), options=options)
    try:
        sign_in = await sign_in_at(world, provider)
        return await sign_in.account(op.authorize(await sign_in.url()))
    finally:
        await world.owner.execute("DELETE FROM identity_providers WHERE app_id = $1", world.app_id)


async def test_apple_has_two_issuers(world: World, server: ProviderServer) -> None:
    """account.apple.com is the same issuer, and the account has one text for both."""
    op = OpenIdProvider(server, "https://appleid.apple.com", auth="post").install()
    op.claims = {"iss": "https://account.apple.com", "email": ADDRESS, "email_verified": "false"}
    account = await apple(world, op)

    assert (account.iss, account.email_verified) == ("https://appleid.apple.com", False)


async def test_apple_says_if_it_knows_no_nonce(world: World, server: ProviderServer) -> None:
    """Without a nonce, the sign-in is good only if Apple says that it supports none."""
    op = OpenIdProvider(server, "https://appleid.apple.com", auth="post").install()
    op.claims = {"nonce": ..., "nonce_supported": False}
    assert (await apple(world, op)).subject == "user-1"
    for value in (True, "false", None, 0, ...):
        op.claims = {"nonce": ..., "nonce_supported": value}
        with pytest.raises(ProviderFailed):
            await apple(world, op)


async def test_gitlab(world: World, server: ProviderServer) -> None:
    """An address without a confirmation is not verified, whatever the flag says."""
    op = OpenIdProvider(server, "https://gitlab.com").install()
    for more, verified in (
        ({}, True),
        ({"confirmed_at": "2020-01-01T00:00:00Z"}, True),
        ({"confirmed_at": None}, False),
        ({"email_verified": False}, False),
    ):
        op.userinfo = {"email": ADDRESS, "email_verified": True, "nickname": "ada", **more}
        account = await openid(world, op, "gitlab")
        assert account.email_verified is verified
        assert account.username == "ada"


async def test_slack(world: World, server: ProviderServer) -> None:
    """The workspace is part of the subject. It decides about addresses, so none is verified."""
    op = OpenIdProvider(server, "https://slack.com", auth="post").install()
    op.claims = {"https://slack.com/team_id": "T0R7GR", "email": ADDRESS, "email_verified": True}
    account = await openid(world, op, "slack")

    assert (account.subject, account.email_verified) == ("T0R7GR.user-1", False)
    server.routes["/slack.com/token"] = lambda _: {"ok": False, "error": "invalid_code"}
    with pytest.raises(ProviderFailed) as caught:
        await openid(world, op, "slack")
    assert caught.value.detail == "the token endpoint answered 200 invalid_code"


async def test_linkedin(world: World, server: ProviderServer) -> None:
    """LinkedIn returns no nonce and knows no PKCE. Its flag can be a text, or absent."""
    op = OpenIdProvider(server, "https://www.linkedin.com/oauth", auth="post").install()
    op.claims = {"nonce": ...}
    for flag, verified in (("true", True), (True, True), (..., False), ("false", False)):
        op.userinfo = {"email": ADDRESS} | ({} if flag is ... else {"email_verified": flag})
        assert (await openid(world, op, "linkedin")).email_verified is verified
    token_calls = [call for call in server.calls if call.path.endswith("/token")]
    assert not any("code_verifier" in call.form for call in token_calls)


@pytest.mark.parametrize("preset", ["google", "microsoft", "gitlab", "slack", "twitch"])
async def test_every_other_preset_needs_the_nonce(
    world: World, server: ProviderServer, preset: str
) -> None:
    """An ID token without a nonce could be of another sign-in."""
    data = presets.PRESETS[preset]
    auth = "post" if data.get("auth_method") == "client_secret_post" else "basic"
    if preset == "microsoft":
        op = microsoft(server, nonce=...)
    else:
        op = OpenIdProvider(server, data["issuer"], auth=auth, claims={"nonce": ...}).install()
    with pytest.raises(ProviderFailed) as caught:
        await openid(world, op, preset)

    assert "nonce" in caught.value.detail


async def test_twitch(world: World, server: ProviderServer) -> None:
    """Twitch names the address only if the request asks for the claim."""
    op = OpenIdProvider(server, "https://id.twitch.tv/oauth2", auth="post").install()
    op.claims = {"email": ADDRESS, "email_verified": True, "preferred_username": "ada"}
    provider = await new_provider(world, preset="twitch")
    sign_in = await sign_in_at(world, provider)
    url = await sign_in.url()
    account = await sign_in.account(op.authorize(url))

    assert "email_verified" in json.loads(params_of(url)["claims"])["id_token"]
    assert params_of(url)["scope"] == "openid user:read:email"
    assert "code_challenge" not in params_of(url)
    assert (account.email, account.email_verified, account.username) == (ADDRESS, True, "ada")


async def test_each_preset_can_be_created(world: World) -> None:
    """A client id and a secret are enough, except for what only the developer's console knows."""
    pem = new_key("a", "ES256").key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for name in presets.PRESETS:
        more: dict[str, Any] = (
            {"options": {"team_id": "T", "key_id": "K"}} if name == "apple" else {}
        )
        secret = pem.decode() if name == "apple" else "our-secret"
        provider = await new_provider(world, preset=name, secret=secret, **more)
        assert (provider.name, provider.preset) == (name, name)
        assert provider.trusts_email is presets.PRESETS[name].get("trusts_email", False)
        assert provider.client_secret == "********"


async def test_another_server_has_its_own_rules(world: World, server: ProviderServer) -> None:
    """A preset with another issuer does not trust addresses, and has no aliases of the issuer."""
    own = await new_provider(world, preset="gitlab", issuer="https://git.company.example")
    tenant = f"https://login.microsoftonline.com/{TENANT}/v2.0"
    one = await new_provider(world, preset="microsoft", name="one", issuer=tenant)

    assert (own.trusts_email, one.trusts_email) == (False, False)
    assert one.options.discovery_url is None
    assert with_preset("google", {"issuer": "https://x.example"})["options"]["userinfo"] == "off"


async def test_basic_authentication_encodes_its_parts(world: World, server: ProviderServer) -> None:
    """A colon or a plus in the client id or the secret stays what it is (RFC 6749 section 2.3.1)."""
    op = OpenIdProvider(server, "https://op.example", client_id="a:b+c", secret="s: +%é").install()
    provider = await new_provider(world, issuer=op.issuer, client_id=op.client_id, secret=op.secret)
    sign_in = await sign_in_at(world, provider)

    assert (await sign_in.account(op.authorize(await sign_in.url()))).subject == "user-1"
    plain = b64encode(b"a:b+c:s: +").decode()
    assert plain not in server.calls[-1].headers.get("authorization", "")


async def test_no_setting_replaces_the_protocol(world: World, server: ProviderServer) -> None:
    """Parameters of the authorization request and of the endpoint's query cannot replace the state,
    the challenge, the client or the redirect URI."""
    OpenIdProvider(server, "https://op.example").install()
    own = dict.fromkeys(
        ("state", "nonce", "client_id", "redirect_uri", "code_challenge", "response_type"), "evil"
    )
    provider = await new_provider(
        world,
        issuer="https://op.example",
        authorization_endpoint="https://op.example/auth?state=evil&kept=1&nonce=evil",
        options={"authorization_params": own | {"audience": "api"}},
    )
    sign_in = await sign_in_at(world, provider)
    params = params_of(await sign_in.url())

    assert "evil" not in params.values()
    assert (params["kept"], params["audience"]) == ("1", "api")
    assert (params["state"], params["redirect_uri"]) == (sign_in.state, CALLBACK)


async def test_wishes_go_to_providers_that_know_them(world: World, server: ProviderServer) -> None:
    """An OpenID provider gets all four parameters; GitHub gets `prompt` alone."""
    OpenIdProvider(server, "https://op.example").install()
    wishes = {"prompt": "select_account", "login_hint": ADDRESS, "ui_locales": "de", "max_age": 0}
    op = await sign_in_at(world, await new_provider(world, issuer="https://op.example"))
    hub = await sign_in_at(world, await new_provider(world, preset="github"))
    sent, less = params_of(await op.url(**wishes)), params_of(await hub.url(**wishes))

    assert {name: sent[name] for name in wishes} == wishes | {"max_age": "0"}
    assert wishes.keys() & less.keys() == {"prompt"}
    assert "nonce" not in less
