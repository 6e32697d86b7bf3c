"""Tokens that are bound to a key (RFC 9449): at the token endpoint, at UserInfo and at our own API."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from tests.kit.callers import ADMIN
from tests.kit.dpop import DpopKey
from tests.kit.oauth import ORIGIN, basic_of
from tests.kit.round_trips import recorded_round_trips
from tests.kit.world import World

from common.context import SYSTEM_CALLER
from common.contracts.clients import NewClient, UpdateClient
from common.contracts.discovery import GetConfiguration
from common.contracts.keys import EnsureKeys
from common.contracts.oauth_errors import (
    InvalidClient,
    InvalidDpopProof,
    InvalidGrant,
    InvalidToken,
    UseDpopNonce,
)
from common.contracts.tokens import (
    AccessToken,
    CheckAccessToken,
    CheckBoundAccessToken,
    IntrospectToken,
    Tokens,
)
from common.contracts.userinfo import GetUserinfo
from common.ids import new_id
from common.problems import RateLimited
from common.testing import LocalBus
from oidc import possession

URL = f"{ORIGIN}/oauth2/token"
KEY = DpopKey()


async def settled(world: World) -> World:
    """Returns the world with a memory of proofs that is old enough for proofs without a nonce."""
    await world.owner.execute(
        """INSERT INTO dpop_jtis (app_id, id, epoch, expires_at, created_at)
           VALUES ($1, '', $2, 'infinity', now() - interval '1 day')
           ON CONFLICT (app_id, id) DO UPDATE SET created_at = excluded.created_at""",
        world.app_id,
        new_id(),
    )
    for deps in (world.oidc, world.replica.oidc):
        deps.caches.proof_epochs.clear()
    return world


async def machine(world: World, **more: Any) -> NewClient:
    return await world.client(
        type="service", redirect_uris=[], grant_types=["client_credentials"], **more
    )


async def public_client(world: World, **more: Any) -> NewClient:
    return await world.client(
        type="spa", token_endpoint_auth_method="none", require_pkce=True, **more
    )


async def own_token(world: World, client: NewClient, proof: str | None, **more: Any) -> Tokens:
    return await world.token(client, grant_type="client_credentials", dpop=proof, **more)


async def nonce_of(world: World, client: NewClient) -> str:
    """Returns the nonce that the token endpoint gives the client."""
    with pytest.raises(UseDpopNonce) as error:
        await own_token(world, client, KEY.proof("POST", URL, nonce="none-of-ours"))
    return str(error.value.extra["nonce"])


async def at_api(
    world: World, tokens: Tokens, proof: str, *, bus: LocalBus | None = None
) -> AccessToken:
    """Checks a token for GET /api/users/me."""
    path = "/api/users/me"
    call = CheckBoundAccessToken(token=tokens.access_token, proof=proof, method="GET", path=path)
    return await (bus or world.bus).call(world.ctx(), call)


async def test_a_proof_binds_the_tokens(world: World) -> None:
    """Code, refresh and client credentials: each answer says DPoP, and each token has the key."""
    await settled(world)
    client, ann = await world.client(), await world.person()
    code = await world.code(client, ann)
    tokens = await world.redeem(client, code, dpop=KEY.proof("POST", URL))
    refreshed = await world.refresh(client, tokens.refresh_token, dpop=KEY.proof("POST", URL))
    own = await own_token(world, await machine(world), KEY.proof("POST", URL))

    for each in (tokens, refreshed, own):
        assert each.token_type == "DPoP"
        assert (await world.claims(each.access_token))["cnf"] == KEY.cnf
    basic = basic_of(client.client_id, client.client_secret or "")
    told = await world.call(IntrospectToken(params=[("token", tokens.access_token)], basic=basic))
    assert (told.model_dump()["token_type"], told.model_dump()["cnf"]) == ("DPoP", KEY.cnf)


async def test_a_proof_is_good_once_over_replicas(world: World) -> None:
    """Trap: the same proof again, at another replica or at the same moment, is refused."""
    await settled(world)
    client, proof = await machine(world), KEY.proof("POST", URL)
    buses = (world.bus, world.replica.bus)
    answers = await asyncio.gather(
        *(own_token(world, client, proof, bus=buses[n % 2]) for n in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, Tokens) for answer in answers) == 1
    assert sum(isinstance(answer, InvalidDpopProof) for answer in answers) == 9
    with pytest.raises(InvalidDpopProof):
        await own_token(world, client, proof, bus=world.replica.bus)


async def test_two_keys_with_one_jti(world: World) -> None:
    """Trap: both are good."""
    await settled(world)
    client = await machine(world)
    for key in (KEY, DpopKey()):
        assert await own_token(world, client, key.proof("POST", URL, jti="the-same"))


async def test_a_bound_token_opens_our_api_with_its_key_only(world: World) -> None:
    """Traps: as Bearer, with another key, without `ath`, for another path, or again."""
    await settled(world)
    client, ann = await world.client(), await world.person()
    tokens = await world.redeem(client, await world.code(client, ann), dpop=KEY.proof("POST", URL))
    token, url = tokens.access_token, f"{ORIGIN}/api/users/me"
    with pytest.raises(InvalidToken):
        await world.call(CheckAccessToken(token=token))
    with pytest.raises(InvalidToken):
        await at_api(world, tokens, DpopKey().proof("GET", url, token=token))
    for bad in (
        KEY.proof("GET", url),
        KEY.proof("GET", url, token="another"),
        KEY.proof("POST", url, token=token),
        KEY.proof("GET", f"{ORIGIN}/api/users", token=token),
        KEY.proof("GET", "http://10.0.0.7:8080/api/users/me", token=token),
    ):
        with pytest.raises(InvalidDpopProof):
            await at_api(world, tokens, bad)

    good = KEY.proof("GET", url, token=token)
    checked = await at_api(world, tokens, good)
    assert (checked.user_id, checked.cnf) == (ann.user_id, KEY.cnf)
    with pytest.raises(InvalidDpopProof):
        await at_api(world, tokens, good, bus=world.replica.bus)


async def test_userinfo_needs_what_the_gateway_has_seen(world: World) -> None:
    """Trap: a stolen token with a key of one's own opens nothing."""
    await settled(world)
    client, ann = await world.client(), await world.person()
    tokens = await world.redeem(client, await world.code(client, ann), dpop=KEY.proof("POST", URL))
    for proven in (None, DpopKey().cnf):
        with pytest.raises(InvalidToken):
            await world.call(GetUserinfo(token=tokens.access_token, proven=proven))

    answer = await world.call(GetUserinfo(token=tokens.access_token, proven=KEY.cnf))
    assert answer.sub == ann.user_id


async def test_an_unbound_token_is_no_dpop_token(world: World) -> None:
    """A proof does not make a bearer token a bound one."""
    await settled(world)
    tokens = await world.tokens(await world.client(), await world.person())
    proof = KEY.proof("GET", f"{ORIGIN}/api/users/me", token=tokens.access_token)
    with pytest.raises(InvalidToken):
        await at_api(world, tokens, proof)


async def test_a_client_whose_tokens_must_be_bound(world: World) -> None:
    """Its request without a proof gets nothing. Taking the setting back frees no token that is bound."""
    await settled(world)
    client = await world.client(dpop_bound_access_tokens=True)
    code = await world.code(client, await world.person())
    with pytest.raises(InvalidDpopProof):
        await world.redeem(client, code)
    tokens = await world.redeem(client, code, dpop=KEY.proof("POST", URL))
    change = UpdateClient(client=client.client_id, changes={"dpop_bound_access_tokens": False})
    await world.call(change, ADMIN)

    with pytest.raises(InvalidDpopProof):
        await world.refresh(client, tokens.refresh_token)
    other = DpopKey()
    second = await world.refresh(client, tokens.refresh_token, dpop=other.proof("POST", URL))
    assert (await world.claims(second.access_token))["cnf"] == other.cnf


async def test_public_clients_need_a_nonce(world: World) -> None:
    """The error brings one. Their refresh tokens are worth nothing with another key."""
    await settled(world)
    client = await public_client(world)
    code = await world.code(client, await world.person())
    with pytest.raises(UseDpopNonce) as error:
        await world.redeem(client, code, dpop=KEY.proof("POST", URL))
    nonce = error.value.extra["nonce"]
    tokens = await world.redeem(client, code, dpop=KEY.proof("POST", URL, nonce=nonce))
    proof = DpopKey().proof("POST", URL, nonce=nonce)
    with pytest.raises(InvalidGrant):
        await world.refresh(client, tokens.refresh_token, dpop=proof)

    proof = KEY.proof("POST", URL, nonce=nonce)
    assert (await world.refresh(client, tokens.refresh_token, dpop=proof)).token_type == "DPoP"


async def test_a_nonce_is_good_for_two_minutes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap: that of the minute before is good. An older one gets a new one once, and no loop. The other
    replica knows it."""
    await settled(world)
    client = await machine(world)
    start = int(time.time()) // 60 * 60
    at = {"now": start + 1.0}
    monkeypatch.setattr("common.clock.now", lambda: at["now"])
    first = await nonce_of(world, client)
    for minute, good in ((0, True), (1, True), (2, False)):
        at["now"] = start + 60.0 * minute + 30
        proof = KEY.proof("POST", URL, nonce=first, iat=int(at["now"]))
        bus = (world.bus, world.replica.bus)[minute % 2]
        if good:
            assert await own_token(world, client, proof, bus=bus)
            continue
        with pytest.raises(UseDpopNonce) as error:
            await own_token(world, client, proof, bus=bus)
        nonce = error.value.extra["nonce"]
        assert nonce != first
        proof = KEY.proof("POST", URL, nonce=nonce, iat=int(at["now"]))
        assert await own_token(world, client, proof)


async def test_a_crash_voids_the_nonces(world: World) -> None:
    """The table is UNLOGGED. What it forgets cannot be used again: proofs of before need a nonce of the
    new epoch, which they do not have."""
    await settled(world)
    client = await machine(world)
    nonce = await nonce_of(world, client)
    without, with_nonce = KEY.proof("POST", URL), KEY.proof("POST", URL, nonce=nonce)
    for proof in (without, with_nonce):
        assert await own_token(world, client, proof)
    await world.owner.execute("TRUNCATE dpop_jtis")
    for proof in (without, with_nonce, KEY.proof("POST", URL)):
        for bus in (world.bus, world.replica.bus):
            with pytest.raises(UseDpopNonce):
                await own_token(world, client, proof, bus=bus)

    nonce = await nonce_of(world, client)
    assert await own_token(world, client, KEY.proof("POST", URL, nonce=nonce))


async def test_nonces_are_those_of_one_application(world: World) -> None:
    await settled(world)
    nonce = await nonce_of(world, await machine(world))
    world.app_id = await world.application()
    await settled(world)
    await world.call(EnsureKeys(), SYSTEM_CALLER)
    client = await machine(world)
    with pytest.raises(UseDpopNonce):
        await own_token(world, client, KEY.proof("POST", URL, nonce=nonce))


async def test_one_key_is_limited(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each proof is a row, so a key gets so many at once. Other keys have their own count, and a refused
    proof stores nothing."""
    await settled(world)
    monkeypatch.setattr(possession, "BURST", 2)
    now = time.time()
    monkeypatch.setattr("common.clock.now", lambda: now)
    client = await machine(world)
    answers = []
    for _ in range(150):
        try:
            answers.append(await own_token(world, client, KEY.proof("POST", URL)))
        except RateLimited:
            break
    assert 2 <= len(answers) <= 4
    rows = await world.owner.fetchval(
        "SELECT count(*) FROM dpop_jtis WHERE app_id = $1", world.app_id
    )
    assert rows == len(answers) + 1  # and the epoch
    assert await own_token(world, client, DpopKey().proof("POST", URL))


async def test_a_proof_comes_after_the_client(world: World) -> None:
    """A client that does not authenticate stores nothing."""
    await settled(world)
    client = await machine(world)
    wrong = client.model_copy(update={"client_secret": "wrong"})
    with pytest.raises(InvalidClient):
        await own_token(world, wrong, KEY.proof("POST", URL))

    assert await world.owner.fetchval("SELECT count(*) FROM dpop_jtis") == 1


async def test_what_a_proof_costs(world: World) -> None:
    """One statement with a proof. Without one, nothing: neither a statement nor a call."""
    await settled(world)
    client = await world.client()
    tokens = await world.tokens(client, await world.person())
    bound = await world.redeem(
        client, await world.code(client, await world.person()), dpop=KEY.proof("POST", URL)
    )
    tokens = await world.refresh(client, tokens.refresh_token)
    with recorded_round_trips() as made:
        await world.refresh(client, tokens.refresh_token)
    assert len(made) == 1, "\n".join(made)
    with recorded_round_trips() as made:
        await world.refresh(client, bound.refresh_token, dpop=KEY.proof("POST", URL))
    assert len(made) == 2, "\n".join(made)


async def test_discovery_lists_the_algorithms(world: World) -> None:
    document = (await world.call(GetConfiguration())).model_dump()
    assert document["dpop_signing_alg_values_supported"] == ["ES256", "PS256", "EdDSA"]
