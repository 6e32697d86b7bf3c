"""Providers that are slow, large, inward or wrong: what they cost, and what they cannot reach."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from typing import Any

import pytest
from tests.kit.identity_provider import HttpCall, OpenIdProvider, ProviderServer, Reply, new_key
from tests.kit.provider_sign_in import ProviderSignIn, new_provider, sign_in_at
from tests.kit.world import World

from common import outgoing_http
from common.circuit_breaker import CircuitBreaker
from common.egress import Egress
from identity.providers import calls, keys
from identity.providers.account import ProviderAccount
from identity.providers.exchange import refreshed_tokens
from identity.providers.failures import ProviderFailed
from identity.providers.metadata import is_endpoint, provider_metadata

ISSUER = "https://op.example"
KEYS = "/op.example/jwks"
TOKEN = "/op.example/token"
DISCOVERY = "/op.example/.well-known/openid-configuration"


@pytest.fixture
def op(server: ProviderServer) -> OpenIdProvider:
    return OpenIdProvider(server, ISSUER).install()


@pytest.fixture
async def sign_in(world: World, op: OpenIdProvider) -> ProviderSignIn:
    """A sign-in at a row of its own."""
    return await sign_in_at(world, await new_provider(world, issuer=ISSUER))


async def account(sign_in: ProviderSignIn, op: OpenIdProvider) -> ProviderAccount:
    return await sign_in.account(op.authorize(await sign_in.url()))


async def refusal(sign_in: ProviderSignIn, op: OpenIdProvider) -> ProviderFailed:
    with pytest.raises(ProviderFailed) as caught:
        await account(sign_in, op)
    return caught.value


async def age(world: World, seconds: int, *, kind: str = "keys") -> None:
    """Lets the last fetch be so long ago."""
    await world.owner.execute(
        "UPDATE identity_provider_documents SET attempted_at = now() - make_interval(secs => $2),"
        " fetched_at = now() - make_interval(secs => $2) WHERE app_id = $1 AND kind = $3",
        world.app_id,
        seconds,
        kind,
    )


@pytest.mark.fault("F29")
async def test_a_slow_drip_ends_at_the_deadline(
    sign_in: ProviderSignIn, op: OpenIdProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token endpoint that never ends its answer costs one deadline."""
    await account(sign_in, op)

    async def drip(_: HttpCall) -> Reply:
        await asyncio.sleep(30)

    op.server.routes[TOKEN] = drip
    monkeypatch.setattr(outgoing_http, "DEADLINE", 0.5)
    failure = await refusal(sign_in, op)

    assert failure.step == "token"
    assert failure.detail.endswith("no answer within 0.5 s")


@pytest.mark.fault("F29")
async def test_keys_of_100_megabytes_are_not_read(
    sign_in: ProviderSignIn, op: OpenIdProvider
) -> None:
    """An answer is read up to a megabyte."""
    op.server.routes[KEYS] = lambda _: b"HTTP/1.1 200 X\r\n\r\n" + b" " * 100_000_000
    failure = await refusal(sign_in, op)

    assert failure.step == "keys"
    assert "more than 1000000 bytes" in failure.detail


@pytest.mark.fault("F29")
@pytest.mark.parametrize("path", [DISCOVERY, KEYS, TOKEN, "/op.example/userinfo"])
async def test_redirects_are_not_followed(
    sign_in: ProviderSignIn, op: OpenIdProvider, path: str
) -> None:
    """A redirect, also to an inner address, is an answer like any other wrong one."""
    op.userinfo = {}
    inward = f"{op.server.base}/inside"
    op.server.routes[path] = lambda _: (
        f"HTTP/1.1 302 X\r\nLocation: {inward}\r\nContent-Length: 0\r\n\r\n".encode()
    )
    with pytest.raises(ProviderFailed):
        await account(sign_in, op)

    assert op.server.count("/inside") == 0


@pytest.mark.fault("F29")
@pytest.mark.parametrize(
    "host", ["10.0.0.7", "127.0.0.1", "169.254.169.254", "192.168.1.1:8080", "[::1]", "[fd00::1]"]
)
async def test_a_private_endpoint_in_discovery_is_not_called(
    sign_in: ProviderSignIn, op: OpenIdProvider, host: str
) -> None:
    """A token endpoint at an inner address is not called. The detail is that of any host that cannot
    be reached."""
    op.metadata = {"token_endpoint": f"https://{host}/token"}
    failure = await refusal(sign_in, op)

    assert failure.step == "token"
    assert failure.detail.endswith(": cannot be reached")


@pytest.mark.parametrize(
    ("cause", "detail"),
    [
        ("db.internal: the host has no address", "db.internal: cannot be reached"),
        (
            "db.internal: the host has an address that is not called",
            "db.internal: cannot be reached",
        ),
        ("db.internal: All connection attempts failed", "db.internal: cannot be reached"),
        ("op.example: no answer within 5 s", "op.example: no answer within 5 s"),
        ("not a URL of a web server", "the URL cannot be called"),
    ],
)
async def test_details_do_not_map_our_network(
    world: World, sign_in: ProviderSignIn, cause: str, detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Absent hosts, inner hosts and closed ports have one text."""

    async def unreachable(*_: Any, **__: Any) -> Any:
        raise outgoing_http.Unreachable(cause)

    monkeypatch.setattr(type(world.identity.http), "request", unreachable)
    with pytest.raises(ProviderFailed) as caught:
        await calls.call(
            world.identity, world.ctx(), sign_in.provider, "token", url="https://db.internal/"
        )

    assert caught.value.detail == detail


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://other.example"},
        {"issuer": "https://op.example/"},
        {"issuer": None},
        {"token_endpoint": "http://op.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://user:pw@op.example/"},
        {"authorization_endpoint": "https://op.example/#x"},
        {"jwks_uri": ["https://op.example/jwks"]},
        {"jwks_uri": None},
        {"token_endpoint": "https://op.example/" + "x" * 2000},
    ],
)
async def test_a_wrong_discovery_document_is_refused(
    sign_in: ProviderSignIn, op: OpenIdProvider, document: dict[str, Any]
) -> None:
    """The document names the row's issuer and plain https URLs, or nothing of it is used."""
    op.metadata = document
    failure = await refusal(sign_in, op)

    assert failure.step == "discovery"
    assert op.server.count(TOKEN) == 0


@pytest.mark.parametrize(
    "url",
    ["", "https://", "https:///x", "ftp://a", "//a/b", "https://a b/", "https://a:99999/", 7, None],
)
def test_an_endpoint_is_an_absolute_https_url(url: object) -> None:
    """Everything else is refused, also in development."""
    assert not is_endpoint(url, Egress(private=True))


@pytest.mark.parametrize("body", [[], "text", {"keys": {}}, {"keys": []}, {"keys": ["k"]}, {}])
async def test_wrong_keys_are_refused(
    sign_in: ProviderSignIn, op: OpenIdProvider, body: Any
) -> None:
    """An answer without a signature key is no JWK Set."""
    op.server.routes[KEYS] = lambda _: body

    assert (await refusal(sign_in, op)).step == "keys"


async def test_a_failed_fetch_is_not_repeated_at_once(
    sign_in: ProviderSignIn, op: OpenIdProvider
) -> None:
    """For 30 seconds the next sign-ins hear the same reason, and the provider hears nothing."""
    op.server.routes[DISCOVERY] = lambda _: (404, {})
    first = await refusal(sign_in, op)
    second = await refusal(sign_in, op)

    assert first.detail == second.detail
    assert "status 404" in first.detail
    assert op.server.count(DISCOVERY) == 1


async def test_replicas_share_one_fetch(
    world: World, sign_in: ProviderSignIn, op: OpenIdProvider
) -> None:
    """Twenty sign-ins at once, at two replicas, fetch the document once. All of them get it."""

    async def slowly(_: HttpCall) -> Reply:
        await asyncio.sleep(0.3)
        return op.discovery()

    op.server.routes[DISCOVERY] = slowly
    replicas = [world.identity, replace(world.identity, provider_breaker=CircuitBreaker())]
    endpoints = await asyncio.gather(
        *(provider_metadata(replicas[n % 2], world.ctx(), sign_in.provider) for n in range(20))
    )

    assert {each.token_endpoint for each in endpoints} == {f"{ISSUER}/token"}
    assert op.server.count(DISCOVERY) == 1


async def test_each_row_has_its_own_documents(world: World, op: OpenIdProvider) -> None:
    """A second row with the same issuer reads nothing of the first."""
    for _ in range(2):
        await account(await sign_in_at(world, await new_provider(world, issuer=ISSUER)), op)

    assert (op.server.count(DISCOVERY), op.server.count(KEYS)) == (2, 2)


@pytest.mark.fault("F29")
async def test_a_rotated_key_is_fetched(
    world: World, sign_in: ProviderSignIn, op: OpenIdProvider
) -> None:
    """A sign-in that began before the rotation ends after it, with one more fetch. The old key is
    gone then."""
    await account(sign_in, op)
    code, old = op.authorize(await sign_in.url()), op.key
    op.key = new_key("rotated")
    signed_in = await sign_in.account(code)
    op.published, op.key = [op.key], old

    assert signed_in.subject == "user-1"
    assert op.server.count(KEYS) == 2
    assert (await refusal(sign_in, op)).step == "keys"


async def test_a_thousand_unknown_kids_cost_one_fetch(
    world: World, sign_in: ProviderSignIn, op: OpenIdProvider
) -> None:
    """Random kids at two replicas fetch once in 30 seconds, and the good key stays good."""
    await account(sign_in, op)
    replicas = [world.identity, replace(world.identity, provider_breaker=CircuitBreaker())]

    async def look_up(number: int) -> bool:
        try:
            await keys.verification_keys(
                replicas[number % 2],
                world.ctx(),
                sign_in.provider,
                url=f"{ISSUER}/jwks",
                kid=secrets.token_hex(8),
                alg="RS256",
            )
        except ProviderFailed:
            return False
        return True

    outcomes: list[bool] = []
    for start in range(0, 1000, 50):
        outcomes += await asyncio.gather(*map(look_up, range(start, start + 50)))

    assert not any(outcomes)
    assert op.server.count(KEYS) == 2
    assert (await account(sign_in, op)).subject == "user-1"


async def test_old_keys_stay_for_a_day(
    world: World, sign_in: ProviderSignIn, op: OpenIdProvider
) -> None:
    """While the provider does not publish its keys, the old ones verify for 24 hours."""
    await account(sign_in, op)
    op.server.routes[KEYS] = lambda _: (404, {})
    await age(world, 23 * 3600)
    await age(world, 23 * 3600, kind="discovery")
    assert (await account(sign_in, op)).subject == "user-1"
    await age(world, 25 * 3600)

    assert (await refusal(sign_in, op)).step == "keys"


@pytest.mark.fault("F29")
async def test_a_breaker_belongs_to_one_provider_of_one_application(
    world: World, sign_in: ProviderSignIn, op: OpenIdProvider
) -> None:
    """After five outages in a row the provider is left alone. Other rows, and other applications,
    are not affected."""
    await account(sign_in, op)
    op.server.routes[TOKEN] = lambda _: (503, {})
    others = [await sign_in_at(world, await new_provider(world, issuer=ISSUER))]
    for _ in range(5):
        await refusal(sign_in, op)
    world.identity.provider_breaker.admit(f"{world.app_id}:{sign_in.provider.id}")
    before = op.server.count(TOKEN)
    failure = await refusal(sign_in, op)

    assert (failure.step, op.server.count(TOKEN)) == ("token", before)
    assert "not called" in failure.detail
    op.install()
    assert [(await account(other, op)).subject for other in others] == ["user-1"]


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (
            (400, {"error": "invalid_grant", "error_description": "code SECRET"}),
            "400 invalid_grant",
        ),
        ((400, {"error": "<b>SECRET</b>"}), "answered 400"),
        ((401, b"SECRET"), "answered 401"),
        ((200, "SECRET"), "not a JSON object"),
        ((200, {"access_token": "", "token_type": "bearer"}), "no bearer token"),
        ((200, {"access_token": ["SECRET"], "token_type": "bearer"}), "no bearer token"),
        ((200, {"access_token": "SECRET", "token_type": "mac"}), "no bearer token"),
        ((200, {"access_token": "SECRET\r\nX: y"}), "no bearer token"),
        ((200, {"access_token": "S" * 20_001}), "no bearer token"),
        ((200, {"access_token": "SECRET", "token_type": "Bearer"}), "no ID token"),
    ],
)
async def test_a_wrong_token_answer_is_refused(
    sign_in: ProviderSignIn, op: OpenIdProvider, answer: Any, detail: str
) -> None:
    """The detail names the fault, and repeats no text of the answer."""
    await account(sign_in, op)
    status, body = answer
    raw = f"HTTP/1.1 {status} X\r\n\r\n".encode() + body if isinstance(body, bytes) else answer
    op.server.routes[TOKEN] = lambda _: raw
    failure = await refusal(sign_in, op)

    assert detail in failure.detail
    assert "SECRET" not in str(failure)


@pytest.mark.parametrize("expires_in", ["never", -1, 1e400, True, [], "9" * 30, None])
async def test_a_strange_lifetime_is_no_error(
    sign_in: ProviderSignIn, op: OpenIdProvider, expires_in: Any
) -> None:
    """A lifetime that is no number of seconds is left out, and a long one is cut."""
    answer = op.token
    op.server.routes[TOKEN] = lambda call: answer(call) | {"expires_in": expires_in}
    if expires_in == 1e400:
        op.server.routes[TOKEN] = lambda call: answer(call) | {"expires_in": 10**12}

    assert (await account(sign_in, op)).subject == "user-1"


async def test_refreshing_keeps_the_token_that_is_not_replaced(
    world: World, sign_in: ProviderSignIn, op: OpenIdProvider
) -> None:
    """A provider that sends no new refresh token means the old one."""
    tokens = await refreshed_tokens(
        world.identity, world.ctx(), sign_in.provider, refresh_token="first"
    )

    assert (tokens.access, tokens.refresh) == ("renewed", "first")
    assert tokens.expires_at is not None


async def test_no_time_left_means_no_call(
    world: World, sign_in: ProviderSignIn, op: OpenIdProvider
) -> None:
    """A call that has used up its time calls nobody."""
    with pytest.raises(ProviderFailed):
        await calls.call(
            world.identity, world.ctx(within=-1), sign_in.provider, "token", url=f"{ISSUER}/token"
        )

    assert op.server.calls == []


@pytest.mark.fault("F29")
async def test_a_slow_provider_takes_handlers_of_its_application_alone(
    world: World, sign_in: ProviderSignIn, op: OpenIdProvider
) -> None:
    """Of a hundred sign-ins at once at a provider that hangs, twenty wait. The others fail at once,
    and another application calls its own provider meanwhile."""
    released = asyncio.Event()

    async def hang(_: HttpCall) -> Reply:
        await released.wait()
        return op.discovery()

    op.server.routes[DISCOVERY] = hang
    crowd = [
        asyncio.create_task(provider_metadata(world.identity, world.ctx(), sign_in.provider))
        for _ in range(100)
    ]
    while sum(task.done() for task in crowd) < 80:
        await asyncio.sleep(0.05)
    waiting = [task for task in crowd if not task.done()]
    other = world.ctx(app_id=world.other_app_id)
    with world.identity.provider_slots.slot(other.app_id) as free:
        assert free
    released.set()
    outcomes = await asyncio.gather(*crowd, return_exceptions=True)

    assert len(waiting) == 20
    assert sum(isinstance(outcome, ProviderFailed) for outcome in outcomes) == 80
