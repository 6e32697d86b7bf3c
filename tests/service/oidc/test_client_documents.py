"""Clients that are named by the URL of their metadata document (CIMD,
draft-ietf-oauth-client-id-metadata-document)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
import pytest_asyncio
from tests.kit.factories import Person
from tests.kit.identity_provider import (
    HttpCall,
    ProviderServer,
    Reply,
    local_internet,
    new_key,
    running_server,
)
from tests.kit.oauth import ORIGIN, VERIFIER, challenge, fields
from tests.kit.world import World

from common.context import SYSTEM_CALLER
from common.contracts.authorization import Authorization, Authorize
from common.contracts.authorization_check import CheckAuthorizationUrl
from common.contracts.client_documents import (
    ClientDocumentNotFound,
    DeleteClientDocument,
    ListClientDocuments,
    PinClientDocument,
)
from common.contracts.clients import ClientNotFound, CreateClient, GetClient, UpdateClient
from common.contracts.consents import ListMyGrants
from common.contracts.discovery import GetConfiguration
from common.contracts.keys import EnsureKeys
from common.contracts.oauth_errors import InvalidClient
from common.contracts.resources import CreateResource
from common.contracts.scopes import CreateScope
from common.contracts.tokens import ExchangeToken, Tokens
from common.problems import Invalid
from oidc import client_document_fetch
from oidc.client_document_urls import is_well_formed
from oidc.deps import Deps

HOST = "agent.example"
URL = f"https://{HOST}/oauth/client.json"
PATH = URL.removeprefix("https:/")
CALLBACK = "http://127.0.0.1/callback"


def document(**members: Any) -> dict[str, Any]:
    """A document like that of a real agent."""
    content = {
        "client_id": URL,
        "client_name": "Agent",
        "client_uri": "https://agent.example",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    } | members
    return {name: value for name, value in content.items() if value is not None}


def raw(body: bytes, *, status: int = 200, kind: str = "application/json", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}"
    return head.encode() + b"Connection: close\r\n\r\n" + body


@pytest_asyncio.fixture
async def web(shared: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ProviderServer]:
    """Every host of the Internet is this server. The agent's document is there."""
    async with running_server() as server:
        monkeypatch.setattr(Deps, "http", property(lambda _: local_internet(server)))
        publish(server, document())
        await application(shared)
        yield server


async def application(world: World, **settings: Any) -> str:
    """Goes on with a new application that accepts documents from everywhere."""
    world.app_id = await world.application(**({"client_id_documents": "any"} | settings))
    await world.call(EnsureKeys(), SYSTEM_CALLER)
    return world.app_id


def publish(server: ProviderServer, reply: Reply, path: str = PATH) -> None:
    def route(_: HttpCall) -> Reply:
        return reply

    server.routes[path] = route


async def authorize(world: World, person: Person | None, **params: Any) -> Authorization:
    sent = {
        "client_id": URL,
        "redirect_uri": "http://127.0.0.1:4567/callback",
        "response_type": "code",
        "scope": "openid email",
        "state": "st",
        "code_challenge": challenge(VERIFIER),
        "code_challenge_method": "S256",
    } | params
    request = Authorize(
        params=[(name, value) for name, value in sent.items() if value is not None],
        session=person.session if person else None,
    )
    return await world.call(request)


async def allowed(world: World, person: Person, **params: Any) -> str:
    """Returns the code after the user has allowed the request."""
    answer = await authorize(world, person, **params)
    assert answer.kind == "consent", answer
    return fields(await world.resume(answer.request, person, consent="allow"))["code"]


async def exchange(world: World, **params: str | None) -> Tokens:
    sent = {"client_id": URL} | params
    named = [(name, value) for name, value in sent.items() if value is not None]
    tokens: Tokens = await world.call(ExchangeToken(params=named))
    return tokens


async def redeem(world: World, code: str, **params: str) -> Tokens:
    return await exchange(
        world,
        grant_type="authorization_code",
        code=code,
        redirect_uri=params.pop("redirect_uri", "http://127.0.0.1:4567/callback"),
        code_verifier=VERIFIER,
        **params,
    )


async def cause(world: World, person: Person, **params: Any) -> str:
    """Returns what the error page says. The client gets nothing."""
    answer = await authorize(world, person, **params)
    assert (answer.kind, answer.location) == ("error", None), answer
    return f"{answer.error}: {answer.error_description}"


async def test_from_the_document_to_tokens(shared: World, web: ProviderServer) -> None:
    """The document is fetched once, the client is stored when the user consents, and the grant is like
    every other one."""
    ann, ben = await shared.person(), await shared.person()
    answer = await authorize(shared, ann)
    assert answer.kind == "consent"
    with pytest.raises(ClientNotFound):
        await shared.admin(GetClient(client=URL))
    done = fields(await shared.resume(answer.request, ann, consent="allow"))
    assert (done["state"], done["iss"]) == ("st", ORIGIN)
    tokens = await redeem(shared, done["code"])
    tokens = await exchange(shared, grant_type="refresh_token", refresh_token=tokens.refresh_token)
    claims = await shared.claims(tokens.access_token)
    assert (claims["client_id"], claims["sub"]) == (URL, ann.user_id)
    stored = await shared.admin(GetClient(client=URL))
    assert (stored.name, stored.first_party, stored.require_pkce) == ("Agent", False, True)
    assert fields(await authorize(shared, ann))["code"], "nobody is asked twice"
    await allowed(shared, ben)
    (grant,) = (await shared.call(ListMyGrants(), await shared.caller_of(ann.user_id))).grants
    assert grant.client_id == URL

    assert web.count(PATH) == 1


async def test_nothing_is_fetched_before_the_sign_in(shared: World, web: ProviderServer) -> None:
    """Anybody can make an address up. After the sign-in, the same request continues."""
    answer = await authorize(shared, None)
    assert (answer.kind, answer.client_name) == ("sign_in", HOST)
    assert web.calls == []
    ann = await shared.person()
    answer = await shared.resume(answer.request, ann)

    assert answer.kind == "consent"
    assert web.count(PATH) == 1


async def test_a_guest_signs_in_first(shared: World, web: ProviderServer) -> None:
    """Everybody can be a guest."""
    ann = await shared.person()
    guest = Person(ann.user_id, ann.session.model_copy(update={"guest": True}))

    assert (await authorize(shared, guest)).kind == "sign_in"
    assert web.calls == []


async def test_prompt_none_without_a_session_is_an_error_page(
    shared: World, web: ProviderServer
) -> None:
    """Nothing is known of the client, so nobody is redirected to it."""
    answer = await authorize(shared, None, prompt="none")

    assert (answer.kind, answer.error) == ("error", "login_required")
    assert web.calls == []


async def test_off_is_the_default(shared: World, web: ProviderServer) -> None:
    """The client is as unknown as any other one, discovery says nothing, and nothing is fetched."""
    await application(shared, client_id_documents="off")
    ann = await shared.person()
    assert await cause(shared, ann) == "invalid_request: the client is unknown"
    assert (await authorize(shared, None)).kind == "error"
    known = (await shared.call(GetConfiguration())).model_dump()
    assert "client_id_metadata_document_supported" not in known
    assert web.calls == []
    await application(shared)
    known = (await shared.call(GetConfiguration())).model_dump()

    assert known["client_id_metadata_document_supported"] is True


async def test_only_listed_hosts(shared: World, web: ProviderServer) -> None:
    """A host below a listed one is another host."""
    await application(
        shared, client_id_documents="listed", client_id_document_hosts=["other.example", HOST]
    )
    ann = await shared.person()
    assert (await authorize(shared, ann)).kind == "consent"
    for other in (f"https://evil.{HOST}/c.json", "https://evil.example/c.json"):
        assert "does not accept" in await cause(shared, ann, client_id=other)

    assert len(web.calls) == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://agent.example",
        "https://agent.example/",
        "https://agent.example/a/../b",
        "https://agent.example/a/%2e%2E/b",
        "https://agent.example/./b",
        "https://agent.example/b/..",
        "https://agent.example/c#x",
        "https://user@agent.example/c",
        "https://user:x@agent.example/c",
        "https://agent.example:443/c",
        "https://agent.example:99999/c",
        "https://agent.example:0/c",
        "https://AGENT.example/c",
        "https://agent..example/c",
        "https://[::1]/c",
        "https://agent.example\\@evil.example/c",
        "https://agent.example/c d",
        "https://agent.example/c\n",
        "https://agent.example/ä",
        "https:///c",
        "https://agent.example/" + "c" * 200,
    ],
)
async def test_a_malformed_url_is_no_client(shared: World, web: ProviderServer, url: str) -> None:
    """Each document has one spelling. Nothing is called."""
    assert not is_well_formed(url)
    assert "invalid_request" in await cause(shared, await shared.person(), client_id=url)
    assert web.calls == []


@pytest.mark.parametrize("url", ["http://agent.example/c", "HTTPS://agent.example/c", "ftp://a/c"])
async def test_other_schemes_are_ordinary_ids(shared: World, web: ProviderServer, url: str) -> None:
    """They name no document."""
    answer = await cause(shared, await shared.person(), client_id=url)
    assert answer == "invalid_request: the client is unknown"
    assert web.calls == []


def test_real_agents_have_well_formed_urls() -> None:
    """With a query, a port or a final slash, too."""
    for url in (
        "https://claude.ai/oauth/mcp-oauth-client-metadata",
        "https://vscode.dev/oauth/client-metadata.json",
        "https://a.example:8443/c?v=1",
        "https://a.example/c/",
    ):
        assert is_well_formed(url)


HUGE = json.dumps(document(padding="x" * 17_000)).encode()
BROKEN: list[tuple[Reply, str]] = [
    ((403, {}), "status 403"),
    ((500, {}), "status 500"),
    ((204, {}), "status 204"),
    (raw(b"<h1>Just a moment</h1>", kind="text/html; charset=utf-8"), "web page"),
    (raw(b"<h1>no</h1>", status=403, kind="text/html"), "status 403"),
    (raw(json.dumps(document()).encode(), kind="text/plain"), "another type"),
    (raw(json.dumps(document()).encode(), kind="application/jsonp"), "another type"),
    (raw(b"{", kind="application/json"), "not valid JSON"),
    (raw(b"\xff\xfe", kind="application/json"), "not valid JSON"),
    (raw(b"[]"), "no JSON object"),
    (raw(b"[" * 16_000), "not valid JSON"),
    (raw(HUGE), "more than 16384 bytes"),
    (raw(b"", status=302, more="Location: https://agent.example/other\r\n"), "redirect"),
    (raw(b"", status=308, more="Location: http://169.254.169.254/\r\n"), "redirect"),
    (raw(b"", more="Content-Encoding: gzip\r\n"), "not valid JSON"),
    (b"nonsense", "cannot be reached"),
    (b"", "cannot be reached"),
    (document(client_id=URL + "/"), "another client_id"),
    (document(client_id=URL.upper()), "another client_id"),
    (document(client_id=None), "another client_id"),
    (document(client_id=[URL]), "another client_id"),
    (document(client_secret="s"), "client secret"),
    (document(client_secret_expires_at=1), "client secret"),
    (document(token_endpoint_auth_method="client_secret_basic"), "client secret"),
    (document(token_endpoint_auth_method="client_secret_jwt"), "client secret"),
    (document(token_endpoint_auth_method="private_key_jwt"), "jwks"),
    (document(token_endpoint_auth_method="private_key_jwt", jwks="x"), "jwks"),
    (document(redirect_uris=None), "redirect_uris"),
    (document(redirect_uris=[]), "redirect_uris"),
    (document(redirect_uris=["https://a.example/cb", 1]), "redirect_uris"),
    (document(redirect_uris=[f"https://a.example/{n}" for n in range(51)]), "redirect_uris"),
    (document(redirect_uris=["javascript:alert(1)"]), "redirect_uris"),
    (document(redirect_uris=["http://evil.example/cb"]), "redirect_uris"),
    (document(redirect_uris=["https://a.example/cb#x"]), "redirect_uris"),
    (document(response_types=["token"]), "response_types"),
    (document(grant_types=["client_credentials"]), "grant_types"),
    (document(grant_types="authorization_code"), "grant_types"),
    (document(redirect_uris=[CALLBACK, *(f"https://a.example/{n}" for n in "123"), "data:x"]), "4"),
]


@pytest.mark.parametrize(("reply", "says"), BROKEN, ids=range(len(BROKEN)))
async def test_a_document_that_cannot_be_used(
    shared: World, web: ProviderServer, reply: Reply, says: str
) -> None:
    """The page names the host and the cause. Nothing is stored, and the next request tries again: a
    failure is not remembered. The client gets no answer, because its address is not known."""
    ann = await shared.person()
    publish(web, reply)
    told = await cause(shared, ann)
    assert told.startswith(f"client_document_unusable: {HOST}: ")
    assert says in told
    assert (await shared.admin(ListClientDocuments())).documents == []
    publish(web, document())

    assert (await authorize(shared, ann)).kind == "consent"
    assert web.count(PATH) == 2
    assert len(web.calls) == 2, "no redirect was followed"


async def test_a_document_of_6_kB_is_read(shared: World, web: ProviderServer) -> None:
    """Whatever we do not know is ignored."""
    publish(web, document(padding="x" * 6_000, software_statement=1, resource=["x"], scope=7))

    assert (await authorize(shared, await shared.person())).kind == "consent"


async def test_a_server_that_drips(
    shared: World, web: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole answer has one deadline, however often a byte comes."""
    monkeypatch.setattr(client_document_fetch, "DEADLINE", 0.2)
    gone = asyncio.Event()

    async def hang(_: HttpCall) -> Reply:
        await gone.wait()
        return {}

    web.routes[PATH] = hang
    assert "cannot be reached" in await cause(shared, await shared.person())
    gone.set()


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "192.168.0.1",
        "0.0.0.0",
        "nowhere.invalid",
    ],
)
async def test_private_addresses_are_not_called(
    shared: World, web: ProviderServer, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """The page says the same for all of them, so nobody learns about our network."""
    monkeypatch.undo()  # the client of production
    port = urlsplit(web.base).port
    answer = await cause(shared, await shared.person(), client_id=f"https://{host}:{port}/c.json")

    assert answer.endswith("its server cannot be reached")
    assert web.calls == []


async def test_addresses_in_a_document_are_not_called(shared: World, web: ProviderServer) -> None:
    """Logos and pages of a stranger lead the browser at most (CVE-2021-26715)."""
    inside = "https://10.0.0.1/x"
    links = dict.fromkeys(("logo_uri", "policy_uri", "tos_uri", "sector_identifier_uri"), inside)
    publish(web, document(**links, logout_uri=inside, backchannel_logout_uri=inside))
    code = await allowed(shared, await shared.person())
    await redeem(shared, code)
    stored = await shared.admin(GetClient(client=URL))

    assert len(web.calls) == 1
    assert stored.backchannel_logout_uri is None


async def test_keys_at_a_private_address_are_refused(shared: World, web: ProviderServer) -> None:
    """The document is refused, and the address is not called later either (CVE-2026-1180)."""
    for address in ("https://10.0.0.1/jwks", "https://localhost/jwks", "http://agent.example/jwks"):
        publish(web, document(token_endpoint_auth_method="private_key_jwt", jwks_uri=address))
        assert "jwks_uri" in await cause(shared, await shared.person())

    assert {call.path for call in web.calls} == {PATH}


async def test_a_client_with_its_own_key(shared: World, web: ProviderServer) -> None:
    """It authenticates by an assertion. Without one it gets nothing."""
    key = new_key("a1", "ES256")
    method = {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key.jwk]}}
    publish(web, document(**method))
    code = await allowed(shared, await shared.person())
    with pytest.raises(InvalidClient):
        await redeem(shared, code)
    now = int(time.time())
    claims = {"iss": URL, "sub": URL, "aud": ORIGIN, "exp": now + 60, "iat": now, "jti": "j"}
    assertion = jwt.encode(claims, key.key, "ES256", headers={"kid": "a1"})
    tokens = await redeem(
        shared,
        code,
        client_assertion=assertion,
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    )

    assert tokens.access_token


async def test_consent_leads_with_the_host(shared: World, web: ProviderServer) -> None:
    """The name is the stranger's own choice."""
    publish(web, document(client_name="Bank\u202e (bank.com)\n"))
    answer = await authorize(shared, await shared.person())

    assert (answer.client_name, answer.claimed_name) == (HOST, "Bank (bank.com)")


async def test_consent_shows_the_texts_of_scopes(shared: World, web: ProviderServer) -> None:
    """A scope with a description is shown by it, and one without by its name."""
    await shared.admin(CreateScope(name="notes", description="Read your notes"))
    await shared.admin(CreateScope(name="feed"))
    answer = await authorize(shared, await shared.person(), scope="openid notes feed")

    assert answer.scopes == ["openid", "notes", "feed"]
    assert answer.scope_texts == {"notes": "Read your notes"}


CURSOR = [
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "https://www.cursor.com/agents/mcp/oauth/callback",
    "http://localhost:8787/callback",
]


@pytest.mark.parametrize(
    ("registered", "requested", "good"),
    [
        (["http://localhost/callback"], "http://localhost:61234/callback", True),
        (["http://127.0.0.1/callback"], "http://127.0.0.1:61234/callback", True),
        (["http://localhost/callback"], "http://localhost:61234/other", False),
        (["http://localhost/callback"], "https://localhost:61234/callback", False),
        (["http://localhost/callback"], "http://evil.example:61234/callback", False),
        (["https://a.example/cb"], "https://a.example:8443/cb", False),
        (CURSOR, CURSOR[0], True),
        (CURSOR, CURSOR[1], True),
        (["http://127.0.0.1/", "https://vscode.dev/redirect"], "http://127.0.0.1:33418/", True),
        (["http://127.0.0.1/", "https://vscode.dev/redirect"], "https://vscode.dev/redirect", True),
    ],
)
async def test_redirect_uris_of_real_agents(
    shared: World, web: ProviderServer, registered: list[str], requested: str, good: bool
) -> None:
    """Without a port in the document, any port of this device is good; no other part may differ. A
    document need not have `application_type`."""
    publish(web, document(redirect_uris=registered))
    answer = await authorize(shared, await shared.person(), redirect_uri=requested)

    assert answer.kind == ("consent" if good else "error")


async def test_scopes_beyond_the_ceiling_are_dropped(shared: World, web: ProviderServer) -> None:
    """An agent requests all scopes that it finds. It gets no `account`, and no permission."""
    await shared.admin(CreateScope(name="notes"))
    await shared.permission("things:write")
    await shared.admin(CreateScope(name="things:write", permission_id="things:write"))
    everything = "openid account things:write notes users:read unknown"
    ann = await shared.person()
    code = await allowed(shared, ann, scope=everything)
    assert (await redeem(shared, code)).scope == "openid notes"
    answer = await authorize(shared, ann, scope="account things:write")

    assert fields(answer)["error"] == "invalid_scope"


async def test_the_ceiling_is_a_setting(shared: World, web: ProviderServer) -> None:
    """It can only be lowered: it never opens the account."""
    await application(shared, agent_scopes=["openid", "account", "notes"])
    await shared.admin(CreateScope(name="notes"))
    ann = await shared.person()
    publish(web, document(scope="openid profile notes"))
    code = await allowed(shared, ann, scope="openid profile notes account offline_access")

    assert (await redeem(shared, code)).scope == "openid notes"


async def test_a_setting_lets_grants_be_offline(shared: World, web: ProviderServer) -> None:
    """claude.ai never requests `offline_access`. The consent page asks for it."""
    await application(shared, agent_offline_access=True)
    ann = await shared.person()
    answer = await authorize(shared, ann)
    assert "offline_access" in answer.scopes
    code = fields(await shared.resume(answer.request, ann, consent="allow"))["code"]
    tokens = await redeem(shared, code)
    await shared.owner.execute("UPDATE user_sessions SET revoked_at = now()")
    tokens = await exchange(shared, grant_type="refresh_token", refresh_token=tokens.refresh_token)

    assert tokens.access_token


async def test_offline_is_not_for_clients_without_refresh_tokens(
    shared: World, web: ProviderServer
) -> None:
    """Their document says that they use none."""
    await application(shared, agent_offline_access=True)
    publish(web, document(grant_types=["authorization_code"]))
    answer = await authorize(shared, await shared.person())

    assert "offline_access" not in answer.scopes


async def test_default_resources(shared: World, web: ProviderServer) -> None:
    """An agent that names no resource gets a token for those of the setting. The page shows them."""
    resource = "https://mcp.example/notes"
    await application(shared, agent_resources=[resource, "https://gone.example"])
    await shared.admin(CreateResource(identifier=resource, name="Notes"))
    ann = await shared.person()
    answer = await authorize(shared, ann)
    assert answer.resources == ["Notes"]
    code = fields(await shared.resume(answer.request, ann, consent="allow"))["code"]
    tokens = await redeem(shared, code)

    assert (await shared.claims(tokens.access_token, resource))["aud"] == resource


async def test_the_host_is_known_by_one_application_only(
    shared: World, web: ProviderServer
) -> None:
    """Consents, clients, copies and what was fetched belong to the application in which it was."""
    first, ann = shared.app_id, await shared.person()
    await redeem(shared, await allowed(shared, ann))
    copy = document(client_name="Pinned")
    await shared.admin(PinClientDocument(client_id=URL, document=copy))
    await application(shared)
    ben = await shared.person()
    answer = await authorize(shared, ben)
    assert (answer.kind, answer.claimed_name) == ("consent", "Agent")
    with pytest.raises(ClientNotFound):
        await shared.admin(GetClient(client=URL))
    assert not any(each.pinned for each in (await shared.admin(ListClientDocuments())).documents)
    assert web.count(PATH) == 2
    await shared.admin(DeleteClientDocument(client_id=URL))
    shared.app_id = first

    assert (await shared.admin(ListClientDocuments())).documents[0].pinned


async def test_many_at_once_fetch_once(shared: World, web: ProviderServer) -> None:
    """Over two replicas. The others wait, and use what came."""
    release = asyncio.Event()

    async def slow(_: HttpCall) -> Reply:
        await release.wait()
        return document()

    web.routes[PATH] = slow
    ann = await shared.person()
    sent = await authorize_params(shared, ann)
    calls = [
        asyncio.create_task(
            (shared.bus if number % 2 else shared.replica.bus).call(shared.ctx(), sent)
        )
        for number in range(10)
    ]
    while web.count(PATH) == 0:
        await asyncio.sleep(0.01)
    release.set()

    assert {answer.kind for answer in await asyncio.gather(*calls)} == {"consent"}
    assert web.count(PATH) == 1


async def authorize_params(world: World, person: Person) -> Authorize:
    params = {
        "client_id": URL,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid",
        "code_challenge": challenge(VERIFIER),
        "code_challenge_method": "S256",
    }
    return Authorize(params=list(params.items()), session=person.session)


async def test_a_request_that_died_holds_nobody_up(shared: World, web: ProviderServer) -> None:
    """Its lease ends, and another request fetches."""
    await shared.owner.execute(
        "INSERT INTO client_documents (app_id, client_id, expires_at, fetching_until)"
        " VALUES ($1, $2, now(), now() + interval '1 second')",
        shared.app_id,
        URL,
    )

    assert (await authorize(shared, await shared.person())).kind == "consent"


async def test_a_document_that_changes(shared: World, web: ProviderServer) -> None:
    """It is fetched again when it has expired. What it says then counts for new requests, on both
    replicas, and what administrators have set stays."""
    ann = await shared.person()
    await redeem(shared, await allowed(shared, ann))
    await shared.admin(UpdateClient(client=URL, changes={"access_token_lifetime": 120}))
    publish(web, document(redirect_uris=["https://agent.example/new"]))
    assert fields(await authorize(shared, ann))["code"]
    await shared.owner.execute(
        "UPDATE client_documents SET expires_at = now() WHERE app_id = $1", shared.app_id
    )
    assert "redirect_uri" in await cause(shared, ann)
    answer = await authorize(shared, ann, redirect_uri="https://agent.example/new")
    tokens = await redeem(shared, fields(answer)["code"], redirect_uri="https://agent.example/new")
    assert tokens.expires_in == 120
    request = (await authorize_params(shared, ann)).model_copy()
    answer = await shared.replica.bus.call(shared.ctx(), request)

    assert answer.kind == "error"
    assert web.count(PATH) == 2


async def test_an_expired_document_is_not_used(shared: World, web: ProviderServer) -> None:
    """Its host may belong to somebody else by now."""
    ann = await shared.person()
    await allowed(shared, ann)
    publish(web, (404, {}))
    await shared.owner.execute(
        "UPDATE client_documents SET expires_at = now() WHERE app_id = $1", shared.app_id
    )

    assert "status 404" in await cause(shared, ann)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 300),
        ({"cache-control": "max-age=10"}, 300),
        ({"cache-control": "public, max-age=3600"}, 3600),
        ({"cache-control": "max-age=3600", "age": "600"}, 3000),
        ({"cache-control": "max-age=3600", "age": "x"}, 3600),
        ({"cache-control": "max-age=999999999"}, 86_400),
        ({"cache-control": "max-age=99999999999999999999"}, 86_400),
        ({"cache-control": "no-store, max-age=3600"}, 300),
        ({"cache-control": "max-age=3600, no-cache"}, 300),
        ({"cache-control": "s-maxage=3600"}, 300),
    ],
)
def test_headers_say_how_long(headers: dict[str, str], seconds: int) -> None:
    """Within five minutes and a day (RFC 9111 section 4.2.1)."""
    assert client_document_fetch.lifetime(headers) == seconds


async def test_a_pinned_copy(shared: World, web: ProviderServer) -> None:
    """For a server that does not answer us. It is never fetched, until it is forgotten."""
    ann = await shared.person()
    publish(web, (403, {}))
    assert "status 403" in await cause(shared, ann)
    pinned = await shared.admin(PinClientDocument(client_id=URL, document=document()))
    assert (pinned.pinned, pinned.expires_at, pinned.name) == (True, None, "Agent")
    await redeem(shared, await allowed(shared, ann))
    await shared.owner.execute(
        "UPDATE client_documents SET expires_at = now() WHERE app_id = $1", shared.app_id
    )
    assert fields(await authorize(shared, ann))["code"]
    assert web.count(PATH) == 1
    await shared.admin(DeleteClientDocument(client_id=URL))
    assert "status 403" in await cause(shared, ann)
    with pytest.raises(ClientDocumentNotFound):
        await shared.admin(DeleteClientDocument(client_id=f"{URL}x"))


@pytest.mark.parametrize(
    ("url", "content", "field"),
    [
        ("https://agent.example/", document(), "client_id"),
        (URL, document(client_id="https://other.example/c"), "document"),
        (URL, document(redirect_uris=[]), "document"),
        (URL, document(padding="x" * 17_000), "document"),
        (URL, {}, "document"),
    ],
)
async def test_a_copy_is_checked_like_a_document(
    shared: World, web: ProviderServer, url: str, content: dict[str, Any], field: str
) -> None:
    """The error names the field."""
    with pytest.raises(Invalid) as refused:
        await shared.admin(PinClientDocument(client_id=url, document=content))

    assert refused.value.extra["errors"][0]["field"] == field


async def test_switching_off_ends_refresh(shared: World, web: ProviderServer) -> None:
    """A client of a host that is not accepted any more authenticates nowhere."""
    app_id, ann = shared.app_id, await shared.person()
    tokens = await redeem(shared, await allowed(shared, ann))
    for settings in (
        {"client_id_documents": "off"},
        {"client_id_documents": "listed", "client_id_document_hosts": ["other.example"]},
    ):
        shared.configure(app_id, **settings)
        with pytest.raises(InvalidClient):
            await exchange(shared, grant_type="refresh_token", refresh_token=tokens.refresh_token)
    shared.configure(app_id, client_id_documents="any")

    assert await exchange(shared, grant_type="refresh_token", refresh_token=tokens.refresh_token)


async def test_a_disabled_client_stays_disabled(shared: World, web: ProviderServer) -> None:
    """Its document cannot enable it again."""
    ann = await shared.person()
    await allowed(shared, ann)
    await shared.admin(UpdateClient(client=URL, changes={"enabled": False}))

    assert "unknown" in await cause(shared, ann)


async def test_thirty_a_minute_for_an_address(shared: World, web: ProviderServer) -> None:
    """Failures count. What is known needs no request, and is served on."""
    ann = await shared.person()
    await allowed(shared, ann)
    for number in range(29):
        await cause(shared, ann, client_id=f"https://{HOST}/{number}")
    before = len(web.calls)
    assert "too many" in await cause(shared, ann, client_id=f"https://{HOST}/x")

    assert len(web.calls) == before == 30
    assert fields(await authorize(shared, ann))["code"]


async def test_denying_stores_nothing(shared: World, web: ProviderServer) -> None:
    """The client is told, and is not stored."""
    ann = await shared.person()
    answer = await authorize(shared, ann)
    denied = fields(await shared.resume(answer.request, ann, consent="deny"))
    assert denied["error"] == "access_denied"
    with pytest.raises(ClientNotFound):
        await shared.admin(GetClient(client=URL))


async def test_a_form_that_is_sent_twice(shared: World, web: ProviderServer) -> None:
    """Both answers have the same code, also if two users store the client at once."""
    ann, ben = await shared.person(), await shared.person()
    of_ann, of_ben = await authorize(shared, ann), await authorize(shared, ben)
    answers = await asyncio.gather(
        shared.resume(of_ann.request, ann, consent="allow"),
        shared.resume(of_ben.request, ben, consent="allow"),
        shared.resume(of_ann.request, ann, consent="allow"),
    )
    codes = [fields(answer)["code"] for answer in answers]

    assert codes[0] == codes[2] != codes[1]
    assert await redeem(shared, codes[0])


async def test_the_checker_of_urls_reads_the_document(shared: World, web: ProviderServer) -> None:
    """It stores no request, and no client."""
    query = f"client_id={URL}&redirect_uri={CALLBACK}&response_type=code&scope=openid"
    pkce = f"&code_challenge={challenge(VERIFIER)}&code_challenge_method=S256"
    report = await shared.admin(CheckAuthorizationUrl(url=f"/oauth2/authorize?{query}{pkce}"))
    assert report.accepted, report
    stored = await shared.owner.fetchval(
        "SELECT count(*) FROM authorization_requests WHERE app_id = $1", shared.app_id
    )

    assert stored == 0
    with pytest.raises(ClientNotFound):
        await shared.admin(GetClient(client=URL))


async def test_our_own_ids_name_no_document(shared: World, web: ProviderServer) -> None:
    """A client of the application is never mistaken for a document."""
    client = await shared.admin(CreateClient(name="A", redirect_uris=["https://a.example/cb"]))

    assert not client.client_id.startswith("https:")
