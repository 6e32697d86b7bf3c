"""Clients that register themselves (RFC 7591): what they send, what they get, and what they can never have."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from tests.kit.oauth import ORIGIN
from tests.kit.registrations import (
    HTTPS,
    as_client,
    clients_of,
    initial_token,
    register,
    stored,
    wire,
)
from tests.kit.world import World

from common.context import SYSTEM_CALLER
from common.contracts.client_registration import (
    ClientInformation,
    DeleteInitialAccessToken,
    InitialAccessTokenNotFound,
    InvalidClientMetadata,
    InvalidRedirectUri,
    InvalidSoftwareStatement,
    ListInitialAccessTokens,
    RegisterClient,
    RegistrationClosed,
    UnapprovedSoftwareStatement,
)
from common.contracts.clients import GetClient, UpdateClient
from common.contracts.discovery import GetConfiguration
from common.contracts.keys import EnsureKeys
from common.contracts.oauth_errors import InvalidScope, InvalidToken
from common.contracts.resources import CreateResource
from common.contracts.scopes import CreateScope
from common.outgoing_http import Answer, Unreachable
from common.problems import Invalid, RateLimited
from oidc import registration
from oidc.client_cache import find_registered
from oidc.client_keys import verification_keys
from oidc.deps import Deps as OidcDeps

CURSOR = [
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "https://www.cursor.com/agents/mcp/oauth/callback",
    "http://localhost:8787/callback",
]


def sampled(*values: Any) -> list[Any]:
    """Returns the parameters of a test. The first two run every day."""
    long = pytest.mark.long
    return [
        value
        if number < 2
        else pytest.param(*value, marks=long)
        if isinstance(value, tuple)
        else pytest.param(value, marks=long)
        for number, value in enumerate(values)
    ]


VSCODE = [
    "https://insiders.vscode.dev/redirect",
    "https://vscode.dev/redirect",
    "http://localhost/",
    "http://127.0.0.1/",
    "http://localhost:33418/",
    "http://127.0.0.1:33418/",
]


@pytest_asyncio.fixture
async def open_app(shared: World) -> World:
    """An application of the test's own, with open registration."""
    shared.app_id = await shared.application(client_registration="open")
    return shared


async def test_an_agent_registers(open_app: World) -> None:
    """The answer has all metadata, those that the server chose too, and the credentials (RFC 7591 section 3.2.1)."""
    told = wire(
        await register(
            open_app,
            client_name="Agent",
            grant_types=["authorization_code", "refresh_token"],
            scope="openid email",
            software_id="agent-1",
            contacts=["dev@agent.example.com"],
        )
    )
    token = told.pop("registration_access_token")
    client_id, issued_at = told.pop("client_id"), told.pop("client_id_issued_at")

    assert told == {
        "redirect_uris": [HTTPS],
        "client_name": "Agent",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "application_type": "web",
        "token_endpoint_auth_method": "none",
        "scope": "openid email",
        "software_id": "agent-1",
        "contacts": ["dev@agent.example.com"],
        "subject_type": "public",
        "id_token_signed_response_alg": "RS256",
        "require_auth_time": False,
        "backchannel_logout_session_required": False,
        "frontchannel_logout_session_required": False,
        "registration_client_uri": f"{ORIGIN}/oauth2/register/{client_id}",
    }
    assert len(token) >= 43
    assert client_id.startswith("client_")
    assert isinstance(issued_at, int)
    client = await open_app.admin(GetClient(client=client_id))
    assert (client.source, client.first_party, client.last_used_at) == ("registered", False, None)
    kept = await open_app.owner.fetchval(
        "SELECT registration_token_hash FROM oauth_clients WHERE client_id = $1", client_id
    )
    assert token not in kept


async def test_registration_is_off_by_default(shared: World) -> None:
    """Nothing is registered, and discovery names no endpoint."""
    shared.app_id = await shared.application()
    with pytest.raises(RegistrationClosed):
        await register(shared)
    with pytest.raises(RegistrationClosed):
        await register(shared, await initial_token(shared))
    document = await shared.call(GetConfiguration())

    assert "registration_endpoint" not in document.model_dump()


@pytest.mark.parametrize("mode", ["open", "token"])
async def test_discovery_names_the_endpoint_where_it_is_on(shared: World, mode: str) -> None:
    """RFC 8414 section 2."""
    shared.app_id = await shared.application(client_registration=mode)
    document = (await shared.call(GetConfiguration())).model_dump()

    assert document["registration_endpoint"] == f"{ORIGIN}/oauth2/register"


@pytest.mark.parametrize("uris", [CURSOR, VSCODE], ids=["Cursor", "VS Code"])
async def test_real_agents_register(open_app: World, uris: list[str]) -> None:
    """They send no application_type, and mix https, loopback and their own scheme."""
    told = wire(await register(open_app, redirect_uris=uris))

    assert (told["redirect_uris"], told["application_type"]) == (uris, "native")


@pytest.mark.parametrize(
    "uri",
    sampled(
        *[
            "javascript:alert(1)",
            "JavaScript://x/%0aalert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "vbscript:x",
            "blob:https://x/y",
            "about:blank",
            "cursorx://callback",
            "xcursor://callback",
            "CURSOR://callback",
            "cursor:callback",
            "cursor://",
            "http://agent.example.com/cb",
            "http://localhost.example.com/cb",
            "https://user@agent.example.com/cb",
            "https://agent.example.com/cb#part",
            "https://*.example.com/cb",
            "https:///cb",
            "/cb",
            "",
        ]
    ),
)
async def test_a_redirect_uri_that_could_harm_is_refused(open_app: World, uri: str) -> None:
    """One bad URI of several is enough, though it may never be used."""
    with pytest.raises(InvalidRedirectUri, match="redirect_uris"):
        await register(open_app, redirect_uris=[HTTPS, "http://127.0.0.1/cb", uri])

    assert await clients_of(open_app) == []


@pytest.mark.parametrize(
    "uris", [[], None, "https://agent.example.com/cb", [1], ["https://a/"] * 21]
)
async def test_redirect_uris_are_required(open_app: World, uris: Any) -> None:
    """Each client acts for users, so it says where they go."""
    with pytest.raises(InvalidRedirectUri):
        await register(open_app, redirect_uris=uris)


@pytest.mark.parametrize(
    ("member", "value"),
    sampled(
        *[
            ("client_name", 5),
            ("client_name", "n" * 101),
            ("client_name", "Ev\u202eil"),
            ("token_endpoint_auth_method", "tls_client_auth"),
            ("token_endpoint_auth_method", "private_key_jwt"),
            ("grant_types", ["client_credentials"]),
            ("grant_types", ["implicit"]),
            ("response_types", ["token"]),
            ("id_token_signed_response_alg", "none"),
            ("id_token_signed_response_alg", "HS256"),
            ("subject_type", "other"),
            ("application_type", "service"),
            ("jwks", {"keys": []}),
            ("jwks_uri", "https://agent.example.com/jwks"),
            ("logo_uri", "javascript:alert(1)"),
            ("logo_uri", "http://169.254.169.254/latest"),
            ("policy_uri", "data:text/html,x"),
            ("client_uri", "nothing"),
            ("contacts", ["nobody"]),
            ("default_max_age", -1),
            ("initiate_login_uri", "http://agent.example.com/"),
            ("post_logout_redirect_uris", ["javascript:alert(1)"]),
            ("default_acr_values", ["urn:unknown"]),
        ]
    ),
)
async def test_other_members_that_cannot_be_used_are_refused(
    open_app: World, member: str, value: Any
) -> None:
    """RFC 7591 section 3.2.2. The description names the member."""
    with pytest.raises(InvalidClientMetadata) as caught:
        await register(open_app, **{member: value})

    assert type(caught.value) is InvalidClientMetadata
    assert await clients_of(open_app) == []


async def test_unknown_members_are_ignored(open_app: World) -> None:
    """Also those that name what only people of the application decide."""
    told = await register(
        open_app,
        resource="https://mcp.example.com",
        type="service",
        first_party=True,
        profile="fapi2",
        enabled=False,
        source="developer",
        include_rights=True,
        client_id="client_mine",
        client_secret="mine",
        registration_access_token="mine",
        backchannel_logout_uri="https://agent.example.com/bye",
        policy_uri=None,
    )
    client = await stored(open_app, told)

    assert (client.type, client.first_party, client.enabled) == ("web", False, True)
    assert (client.source, client.include_rights) == ("registered", False)
    assert told.client_id != "client_mine"
    assert told.registration_access_token != "mine"
    assert client.backchannel_logout_uri is None


async def test_software_statements_prove_nothing_here(open_app: World) -> None:
    """Nobody of the application trusts their issuers, so they are refused, not ignored."""
    with pytest.raises(InvalidSoftwareStatement):
        await register(open_app, software_statement="not a JWT")
    with pytest.raises(UnapprovedSoftwareStatement):
        await register(open_app, software_statement="eyJhbGciOiJub25lIn0.e30.AAAA")


async def test_grant_types_that_act_without_a_user_are_left_out(open_app: World) -> None:
    """An agent lists all that it knows. The answer says what it got."""
    grant_types = ["authorization_code", "client_credentials", "urn:x:device", "refresh_token"]
    told = wire(await register(open_app, grant_types=grant_types, client_name=None))

    assert told["grant_types"] == ["authorization_code", "refresh_token"]
    assert told["client_name"] == "agent.example.com"


async def test_a_stranger_gets_no_secret(open_app: World) -> None:
    """A secret that anybody can have proves nothing. The answer says `none` in its place."""
    for method in ("client_secret_basic", "client_secret_post", None):
        told = wire(await register(open_app, token_endpoint_auth_method=method))
        assert told["token_endpoint_auth_method"] == "none"
        assert not {"client_secret", "client_secret_expires_at"} & told.keys()


async def test_scopes_have_a_ceiling(open_app: World) -> None:
    """`account` and permissions are dropped, whatever stands for them, and the answer says what is left."""
    api = await open_app.admin(CreateResource(identifier="https://api.example.com", name="API"))
    await open_app.owner.execute(
        "INSERT INTO permissions (app_id, id, name, resource, action)"
        " VALUES ($1, 'notes:write', 'Write notes', 'notes', 'write')",
        open_app.app_id,
    )
    for name, permission in (("notes", None), ("writing", "notes:write"), ("notes:write", None)):
        await open_app.admin(
            CreateScope(name=name, description="x", resource_id=api.id, permission_id=permission)
        )
    asked = "openid account notes writing notes:write users:read unknown offline_access"
    told = wire(await register(open_app, scope=asked))
    assert told["scope"] == "openid notes offline_access"
    assert wire(await register(open_app))["scope"].split() == [
        *("openid", "profile", "email", "address", "phone", "offline_access", "notes"),
    ]
    for scope in ("account", "users:read", "writing", "unknown"):
        with pytest.raises(InvalidScope):
            await register(open_app, scope=scope)


async def test_the_application_lowers_the_ceiling_and_never_raises_it(open_app: World) -> None:
    """Also for clients that registered before: the request for tokens counts."""
    told = await register(open_app, scope="openid email")
    open_app.configure(
        open_app.app_id,
        client_registration="open",
        agent_scopes=["openid", "account", "users:write", "profile"],
    )
    assert wire(await register(open_app))["scope"] == "openid profile"
    ann = await open_app.person()
    page = await open_app.authorize(
        as_client(told), ann, redirect_uri=HTTPS, scope="openid email account users:write"
    )

    assert (page.kind, page.scopes) == ("consent", ["openid"])
    none_left = await open_app.authorize(as_client(told), ann, redirect_uri=HTTPS, scope="email")
    assert "error=invalid_scope" in (none_left.location or "")


async def test_users_are_always_asked_and_see_the_host(open_app: World) -> None:
    """The page leads with the host. The name is only what the client calls itself, and nothing is fetched."""
    told = await register(
        open_app,
        client_name="Bank (bank.com)",
        logo_uri="https://agent.example.com/logo.png",
        client_uri="https://bank.com",
    )
    ann = await open_app.person()
    page = await open_app.authorize(as_client(told), ann, redirect_uri=HTTPS, scope="openid")

    assert (page.kind, page.client_name) == ("consent", "agent.example.com")
    assert (page.claimed_name, page.redirects_to) == ("Bank (bank.com)", "agent.example.com")
    assert (page.logo_uri, page.client_uri) == (None, None)
    anonymous = await open_app.authorize(as_client(told), None, redirect_uri=HTTPS)
    assert (anonymous.kind, anonymous.client_name) == ("sign_in", "agent.example.com")
    with pytest.raises(Invalid) as caught:
        await open_app.admin(UpdateClient(client=told.client_id, changes={"first_party": True}))
    assert caught.value.extra["errors"][0]["code"] == "client_not_verified"


@pytest.mark.parametrize(
    ("registered", "requested"),
    sampled(
        *[
            ("http://localhost/callback", "http://localhost:54321/callback"),
            ("http://localhost:1234/callback", "http://localhost:54321/callback"),
            ("http://127.0.0.1/callback", "http://127.0.0.1:54321/callback"),
            ("http://[::1]/callback", "http://[::1]:54321/callback"),
            ("http://127.0.0.1/", "http://127.0.0.1:54321"),
            ("http://localhost/", "http://localhost/"),
            ("cursor://x/callback", "cursor://x/callback"),
        ]
    ),
)
async def test_a_loopback_address_has_any_port(
    open_app: World, registered: str, requested: str
) -> None:
    """Without application_type, as most agents register (RFC 8252 section 7.3)."""
    told = await register(open_app, redirect_uris=[registered], scope="openid")
    ann = await open_app.person()
    page = await open_app.authorize(as_client(told), ann, redirect_uri=requested, scope="openid")
    allowed = await open_app.resume(page.request, ann, consent="allow")

    assert (allowed.location or "").startswith(requested)


@pytest.mark.parametrize(
    "requested",
    sampled(
        *[
            "http://localhost:1/other",
            "http://localhost:1/callback/",
            "http://localhost:1/callback?x=1",
            "http://localhost:1/CALLBACK",
            "http://localhost:0/callback",
            "http://localhost:65536/callback",
            "http://localhost:1@evil.example/callback",
            "http://localhost.evil.example/callback",
            "http://127.0.0.1:1/callback",
            "https://localhost:1/callback",
            "cursor://y/callback",
            "cursor://x/callback/more",
        ]
    ),
)
async def test_everything_but_the_port_is_compared(open_app: World, requested: str) -> None:
    """Another path, host or scheme ends on an error page."""
    told = await register(
        open_app, redirect_uris=["http://localhost/callback", "cursor://x/callback"]
    )
    page = await open_app.authorize(
        as_client(told), await open_app.person(), redirect_uri=requested, scope="openid"
    )

    assert (page.kind, page.location) == ("error", None)


async def test_a_web_client_has_no_other_port(open_app: World) -> None:
    """A loopback address makes a client native. Without one, each URI is compared as a whole."""
    told = await register(open_app, redirect_uris=["https://agent.example.com/cb"])
    page = await open_app.authorize(
        as_client(told), await open_app.person(), redirect_uri="https://agent.example.com:444/cb"
    )

    assert page.kind == "error"


async def test_with_a_token_a_client_may_have_a_secret(shared: World) -> None:
    """Its time of expiry is told, and the secret works at the token endpoint."""
    shared.app_id = await shared.application(client_registration="token")
    token = await initial_token(shared)
    told = await register(shared, token, scope="openid", backchannel_logout_uri=f"{HTTPS}/bye")
    members = wire(told)
    assert members["token_endpoint_auth_method"] == "client_secret_basic"
    assert members["client_secret_expires_at"] == 0
    assert members["backchannel_logout_uri"] == f"{HTTPS}/bye"
    ann, client = await shared.person(), as_client(told)
    page = await shared.authorize(client, ann, redirect_uri=HTTPS, scope="openid")
    allowed = await shared.resume(page.request, ann, consent="allow")
    code = (allowed.location or "").partition("code=")[2].partition("&")[0]
    tokens = await shared.redeem(client, code, redirect_uri=HTTPS)

    assert tokens.access_token
    assert (await stored(shared, told)).last_used_at is not None


async def test_without_a_usable_token_nobody_registers(shared: World) -> None:
    """A token is missing, unknown, of another application, expired, revoked, or used up."""
    shared.app_id = await shared.application(client_registration="token")
    foreign = await initial_token(shared)
    shared.app_id = await shared.application(client_registration="token")
    expired, revoked = await initial_token(shared), await initial_token(shared)
    once = await initial_token(shared, max_clients=1)
    await shared.owner.execute(
        "UPDATE initial_access_tokens SET expires_at = now() WHERE created_at = ("
        " SELECT min(created_at) FROM initial_access_tokens WHERE app_id = $1) AND app_id = $1",
        shared.app_id,
    )
    listed = await shared.admin(ListInitialAccessTokens())
    await shared.admin(DeleteInitialAccessToken(id=listed.initial_access_tokens[1].id))
    await register(shared, once)
    for token in (None, "", "iat_unknown", foreign, expired, revoked, once):
        with pytest.raises(InvalidToken):
            await register(shared, token)

    assert len(await clients_of(shared)) == 1
    with pytest.raises(InitialAccessTokenNotFound):
        await shared.admin(DeleteInitialAccessToken(id=listed.initial_access_tokens[1].id))


async def test_a_token_is_used_up_over_all_replicas(shared: World) -> None:
    """Ten requests at two replicas, with a token for three clients."""
    shared.app_id = await shared.application(client_registration="token")
    await shared.call(EnsureKeys(), SYSTEM_CALLER)
    token = await initial_token(shared, max_clients=3)
    call = RegisterClient(
        metadata={"redirect_uris": [HTTPS], "token_endpoint_auth_method": "none"}, token=token
    )
    buses = [shared.bus, shared.replica.bus] * 5
    results = await asyncio.gather(
        *(bus.call(shared.ctx(), call) for bus in buses), return_exceptions=True
    )

    assert sum(isinstance(result, ClientInformation) for result in results) == 3
    assert {type(result) for result in results} == {ClientInformation, InvalidToken}
    listed = await shared.admin(ListInitialAccessTokens())
    assert [(row.clients, row.max_clients) for row in listed.initial_access_tokens] == [(3, 3)]


async def test_tokens_are_listed_without_their_text(shared: World) -> None:
    """Nor does the table have it. What a token has registered stays when it is revoked."""
    shared.app_id = await shared.application(client_registration="token")
    token = await initial_token(shared)
    await register(shared, token)
    listed = await shared.admin(ListInitialAccessTokens())
    (row,) = listed.initial_access_tokens

    assert token not in listed.model_dump_json()
    assert (row.name, row.clients) == ("CI", 1)
    assert row.last_used_at is not None
    kept = await shared.owner.fetchval(
        "SELECT token_hash FROM initial_access_tokens WHERE id = $1", row.id
    )
    assert token not in kept
    await shared.admin(DeleteInitialAccessToken(id=row.id))
    assert len(await clients_of(shared)) == 1


async def test_an_address_registers_ten_clients_an_hour(open_app: World) -> None:
    """Over both replicas. A whole IPv6 network counts as one address, and another address goes on."""
    call = RegisterClient(metadata={"redirect_uris": [HTTPS]})
    contexts = [open_app.ctx(None, None, ip=f"2001:db8::{number:x}") for number in range(12)]
    buses = [open_app.bus, open_app.replica.bus] * 6
    results: list[Any] = []
    for bus, ctx in zip(buses, contexts, strict=True):
        try:
            results.append(await bus.call(ctx, call))
        except RateLimited as error:
            results.append(error)

    assert [isinstance(one, RateLimited) for one in results] == [False] * 10 + [True] * 2
    assert results[-1].extra["retry_after"] > 0
    await open_app.call(call, None, None, ip="2001:db8:0:1::1")
    assert len(await clients_of(open_app)) == 11


async def test_strangers_leave_at_most_a_thousand_unused_clients(
    open_app: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two replicas at once, from many addresses. A used client no longer counts, and a token needs no place."""
    monkeypatch.setattr(registration, "MOST_PENDING", 5)
    await open_app.call(EnsureKeys(), SYSTEM_CALLER)
    call = RegisterClient(metadata={"redirect_uris": [HTTPS]})
    buses = [open_app.bus, open_app.replica.bus] * 5
    results = await asyncio.gather(
        *(
            bus.call(open_app.ctx(None, None, ip=f"192.0.2.{number}"), call)
            for number, bus in enumerate(buses)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, ClientInformation) for result in results) == 5
    assert {type(result) for result in results} == {ClientInformation, RateLimited}
    await register(open_app, await initial_token(open_app))
    await open_app.owner.execute(
        "UPDATE oauth_clients SET last_used_at = now() WHERE ctid IN ("
        " SELECT ctid FROM oauth_clients WHERE app_id = $1 LIMIT 2) AND app_id = $1",
        open_app.app_id,
    )
    await register(open_app)


async def test_clients_are_filtered_by_their_source(open_app: World) -> None:
    """The list has both, and each source has its own pages."""
    told, own = await register(open_app), await open_app.client()

    assert {client.client_id for client in await clients_of(open_app)} == {
        told.client_id,
        own.client_id,
    }
    assert [c.client_id for c in await clients_of(open_app, source="registered")] == [
        told.client_id
    ]
    assert [c.client_id for c in await clients_of(open_app, source="developer")] == [own.client_id]
    assert await clients_of(open_app, source="document") == []


class Answers:
    """The internet as a registration meets it: documents by address, and how often each was requested."""

    def __init__(self, **documents: bytes) -> None:
        self.documents = documents
        self.requests: list[str] = []

    async def request(self, method: str, url: str, **_: Any) -> Answer:
        self.requests.append(url)
        name = url.rpartition("/")[2]
        if name not in self.documents:
            raise Unreachable("away.example.com: no answer")
        return Answer(200, self.documents[name])


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Answers:
    answers = Answers(
        good=b'["https://agent.example.com/cb", "https://agent.example.com/other"]',
        others=b'["https://agent.example.com/other"]',
        object=b'{"redirect_uris": ["https://agent.example.com/cb"]}',
        html=b"<html>",
        long=b'["https://agent.example.com/cb"]' + b" " * 20_000,
    )
    monkeypatch.setattr(OidcDeps, "http", property(lambda _: answers))
    return answers


async def test_a_sector_is_that_of_a_document_that_lists_the_client(
    open_app: World, internet: Answers
) -> None:
    """It is fetched once, and the answer has its address (Dynamic Client Registration 1.0 section 5)."""
    uri = "https://agent.example.com/sector/good"
    told = wire(await register(open_app, subject_type="pairwise", sector_identifier_uri=uri))

    assert (told["sector_identifier_uri"], told["subject_type"]) == (uri, "pairwise")
    (client,) = await clients_of(open_app)
    assert client.sector_identifier == "agent.example.com"
    assert internet.requests == [uri]


async def test_a_sector_that_does_not_list_the_client_is_refused(
    open_app: World, internet: Answers
) -> None:
    """Else a client could learn the subjects that another one knows. The error does not say what was answered."""
    for name in ("others", "object", "html", "long", "missing"):
        uri = f"https://agent.example.com/sector/{name}"
        with pytest.raises(InvalidClientMetadata, match="sector_identifier_uri") as caught:
            await register(open_app, subject_type="pairwise", sector_identifier_uri=uri)
        assert "no answer" not in str(caught.value)

    assert await clients_of(open_app) == []


async def test_addresses_that_we_may_not_call_are_refused_without_a_call(
    shared: World, internet: Answers
) -> None:
    """Also with a token: private addresses, names of this machine, and http."""
    shared.app_id = await shared.application(client_registration="token")
    token = await initial_token(shared)
    for member in ("sector_identifier_uri", "jwks_uri", "logo_uri", "backchannel_logout_uri"):
        for uri in ("https://10.0.0.1/x", "https://[::1]/x", "https://localhost/x"):
            with pytest.raises(InvalidClientMetadata, match=member):
                await register(shared, token, **{member: uri})
    for member in ("sector_identifier_uri", "jwks_uri", "logo_uri"):
        with pytest.raises(InvalidClientMetadata, match=member):
            await register(shared, token, **{member: "http://agent.example.com/x"})
    keys = "https://agent.example.com/jwks"
    await register(shared, token, jwks_uri=keys, token_endpoint_auth_method="private_key_jwt")
    await register(shared, token, logo_uri="https://agent.example.com/logo.png")

    assert internet.requests == []


async def test_random_kids_make_one_fetch_of_two_replicas(shared: World, internet: Answers) -> None:
    """The statement that claims the fetch lets one replica through, and the other reads what it has stored."""
    shared.app_id = await shared.application(client_registration="token")
    uri = "https://agent.example.com/jwks"
    told = await register(
        shared,
        await initial_token(shared),
        jwks_uri=uri,
        token_endpoint_auth_method="private_key_jwt",
    )
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = json.loads(ECAlgorithm.to_jwk(key.public_key())) | {"kid": "k1", "alg": "ES256"}
    internet.documents["jwks"] = json.dumps({"keys": [jwk]}).encode()
    client = await find_registered(shared.oidc, shared.ctx(), told.client_id)
    assert client is not None
    replicas = (shared.oidc, shared.replica.oidc)
    found = await asyncio.gather(
        *(
            verification_keys(deps, shared.ctx(), client, kid=f"random {number}", alg="ES256")
            for number in range(2)
            for deps in replicas
        )
    )
    assert found == [[], [], [], []]
    for deps in replicas:
        keys = await verification_keys(deps, shared.ctx(), client, kid="k1", alg="ES256")
        assert len(keys) == 1

    assert internet.requests == [uri]
    await shared.admin(
        UpdateClient(client=told.client_id, changes={"jwks_uri": "https://agent.example.com/moved"})
    )
    left = await shared.owner.fetchrow(
        "SELECT fetched_jwks, jwks_fetched_at FROM oauth_clients WHERE client_id = $1",
        told.client_id,
    )
    assert left is not None
    assert tuple(left) == (None, None)
