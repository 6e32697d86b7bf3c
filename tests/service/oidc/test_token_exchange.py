"""Token exchange (RFC 8693): the new token allows no more than the old one, and ends with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import jwt
import pytest
import pytest_asyncio
from tests.kit.exchange import FILES, MAIL, NOTES, SCOPES, Exchange, new_api, prepare
from tests.kit.oauth import ORIGIN, basic_of
from tests.kit.postgres import Postgres
from tests.kit.round_trips import recorded_round_trips
from tests.kit.world import World
from tests.service.oidc.conftest import fresh_world
from tests.service.oidc.test_guests_and_actors import impersonated

from common.contracts.clients import CreateClient, UpdateClient
from common.contracts.consents import RevokeUserGrant
from common.contracts.discovery import GetConfiguration
from common.contracts.exchange_policies import (
    DeleteExchangePolicy,
    ExchangePolicyExists,
    ListExchangePolicies,
)
from common.contracts.oauth_errors import (
    InvalidScope,
    InvalidTarget,
    OAuthError,
    UnauthorizedClient,
    UnsupportedGrantType,
)
from common.contracts.rights import Rights
from common.contracts.tokens import CheckAccessToken, RevokeToken
from common.ids import DASHBOARD, new_id
from common.problems import Forbidden, Invalid, Problem
from oidc import access_tokens, token_types
from oidc.oauth_switches import TOKEN_EXCHANGE


@pytest_asyncio.fixture(scope="module")
async def world(postgres: Postgres) -> AsyncIterator[World]:
    """A world with token exchange, shared by the tests of this module."""
    async with fresh_world(postgres) as world:
        await prepare(world)
        yield world


@pytest_asyncio.fixture
async def exchange(world: World) -> Exchange:
    return await Exchange.start(world)


async def test_an_api_calls_another_one_for_its_user(exchange: Exchange) -> None:
    """The new token is for the other API alone, names the user and who acts, and is no longer valid than the
    old one. There is no refresh token and no ID token."""
    world, ann = exchange.world, await exchange.world.person()
    tokens = await exchange.user_tokens(ann)

    got = await exchange.exchange(tokens.access_token, resource=FILES)

    assert (got.token_type, got.issued_token_type) == ("Bearer", token_types.ACCESS_TOKEN)
    assert (got.refresh_token, got.id_token, got.scope) == (None, None, "files.read")
    old = await world.claims(tokens.access_token, NOTES)
    new = await world.claims(got.access_token, FILES)
    assert (new["aud"], new["sub"], new["client_id"]) == (
        FILES,
        ann.user_id,
        exchange.notes.client_id,
    )
    assert new["act"] == {"sub": exchange.notes.client_id}
    assert new["exp"] <= old["exp"]
    assert got.expires_in <= tokens.expires_in
    assert new["grant_id"] == old["grant_id"]
    assert new["jti"] != old["jti"]
    event = (await world.events())[-1]
    assert event[0] == "token_exchanged"
    assert event[1]["subject"] == ann.user_id
    assert event[1]["actors"] == [exchange.notes.client_id]
    assert event[1]["client_id"] == exchange.notes.client_id
    assert event[1]["subject_client_id"] == exchange.app.client_id


async def test_two_exchanges_give_two_tokens(exchange: Exchange) -> None:
    """Each can be revoked by itself (RFC 7009)."""
    world, token = exchange.world, (await exchange.user_tokens()).access_token
    one, other = [await exchange.exchange(token, resource=FILES) for _ in range(2)]
    notes = exchange.notes
    await world.call(
        RevokeToken(
            params=[("token", one.access_token)],
            basic=basic_of(notes.client_id, notes.client_secret or ""),
        )
    )

    assert (await exchange.introspect(one.access_token)).active is False
    assert (await exchange.introspect(other.access_token)).active is True


# Trap 26
async def test_a_narrow_token_never_becomes_a_wide_one(exchange: Exchange) -> None:
    """A scope that the subject token lacks, one outside of the policy, and one that the client lacks."""
    narrow = (await exchange.user_tokens(scope="openid notes.read")).access_token
    assert await exchange.refusal(narrow, resource=FILES, scope="files.read") == "invalid_scope"
    assert (await exchange.exchange(narrow, resource=FILES)).scope is None

    wide = (
        await exchange.user_tokens(scope="openid notes.read files.read files.write")
    ).access_token
    for scope in (
        "files.write",
        "notes.read",
        "openid",
        "account",
        "unknown",
        "files.read files.write",
    ):
        assert await exchange.refusal(wide, resource=FILES, scope=scope) == "invalid_scope"
    assert (await exchange.exchange(wide, resource=FILES, scope="files.read")).scope == "files.read"

    client = await new_api(exchange.world, scopes=["notes.read"])
    await exchange.allow(client, exchange.app, resources=[FILES], scopes=["files.read"])
    assert (
        await exchange.refusal(wide, client, resource=FILES, scope="files.read") == "invalid_scope"
    )


# Trap 27
async def test_a_target_outside_of_the_policy_is_refused(exchange: Exchange) -> None:
    """Neither as `resource` nor as `audience`, alone or beside one that is allowed."""
    token = (await exchange.user_tokens()).access_token
    outside: list[dict[str, Any]] = [
        {"resource": MAIL},
        {"audience": MAIL},
        {"resource": FILES, "audience": MAIL},
        {"resource": "https://unknown.example"},
        {"resource": ORIGIN},
        {"resource": NOTES},
    ]
    for params in outside:
        assert await exchange.refusal(token, **params) == "invalid_target", params
    inside: list[dict[str, Any]] = [{"resource": FILES}, {"audience": FILES}, {}]
    for params in inside:
        assert await exchange.exchange(token, **params), params


# Trap 28
async def test_a_token_for_our_own_api_becomes_none_for_another(exchange: Exchange) -> None:
    """Also if the client itself asks, under a policy of its own."""
    app = exchange.app
    await exchange.world.admin(
        UpdateClient(
            client=app.client_id, changes={"grant_types": [*app.grant_types, TOKEN_EXCHANGE]}
        )
    )
    await exchange.allow(app, app, resources=[FILES], scopes=["files.read"])
    token = (await exchange.user_tokens(resource=None)).access_token

    assert await exchange.refusal(token, app, resource=FILES) == "invalid_target"
    assert await exchange.refusal(token, app) == "invalid_target"


# Trap 29
async def test_who_is_not_meant_by_a_token_does_not_exchange_it(exchange: Exchange) -> None:
    """An API gets tokens that are for it. A policy alone does not make a stolen token its own."""
    thief = await new_api(exchange.world, MAIL)
    await exchange.allow(thief, exchange.app, resources=[FILES], scopes=["files.read"])
    token = (await exchange.user_tokens()).access_token

    assert await exchange.refusal(token, thief, resource=FILES) == "invalid_request"


# Trap 30
async def test_a_public_client_exchanges_nothing(world: World, exchange: Exchange) -> None:
    """It cannot be registered for the grant, nor get a policy. If it had the grant, it would be refused."""
    with pytest.raises(Invalid):
        await world.client(type="spa", grant_types=["authorization_code", TOKEN_EXCHANGE])
    public = await world.client(type="native")
    with pytest.raises(Invalid):
        await exchange.allow(public, exchange.app, resources=[FILES])
    await world.owner.execute(
        "UPDATE oauth_clients SET grant_types = $3 WHERE app_id = $1 AND client_id = $2",
        world.app_id,
        public.client_id,
        [TOKEN_EXCHANGE],
    )
    token = (await exchange.user_tokens()).access_token

    with pytest.raises(UnauthorizedClient):
        await exchange.exchange(token, public, resource=FILES)


# Trap 31
MALFORMED: list[dict[str, Any]] = [
    {"subject_token": ""},
    {"subject_token": None},
    {"subject_token_type": None},
    {"subject_token_type": ""},
    {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"},
    {"subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
    {"subject_token": "x" * 30_000},
    {"subject_token": "at_unknown"},
    {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
    {"requested_token_type": "urn:ietf:params:oauth:token-type:id_token"},
    {"actor_token": "x"},
    {"actor_token_type": token_types.ACCESS_TOKEN},
    {"actor_token": "x", "actor_token_type": token_types.ACCESS_TOKEN},
    {"actor_token": "x", "actor_token_type": token_types.JWT},
]


async def test_a_malformed_request_is_invalid_request(exchange: Exchange) -> None:
    """It never gives the client's own rights."""
    token = (await exchange.user_tokens()).access_token
    for params in MALFORMED:
        refused = await exchange.refusal(token, **{"resource": FILES, **params})
        assert refused == "invalid_request", params


async def test_tokens_of_other_kinds_are_no_subject(exchange: Exchange) -> None:
    """A refresh token, an ID token under the wrong type, a token that somebody signed."""
    tokens = await exchange.user_tokens(scope="openid offline_access notes.read")
    forged = jwt.encode(
        {"iss": ORIGIN, "sub": "x", "aud": NOTES, "exp": 2**32}, "k" * 32, algorithm="HS256"
    )
    unsigned = forged.replace(forged.partition(".")[0], "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0")
    for token in (tokens.refresh_token, tokens.id_token, forged, unsigned):
        assert await exchange.refusal(token, resource=FILES) == "invalid_request"


# Trap 33
async def test_who_is_outside_of_the_audience_learns_nothing(exchange: Exchange) -> None:
    """The app and the first API may not introspect the token of the second; the client that got it and the
    API that it is for may."""
    world, files = exchange.world, await new_api(exchange.world, FILES)
    stranger = await new_api(world, MAIL)
    token = (
        await exchange.exchange((await exchange.user_tokens()).access_token, resource=FILES)
    ).access_token

    for client in (stranger, exchange.app):
        assert (await exchange.introspect(token, client)).model_dump() == {"active": False}
    for client in (files, exchange.notes):
        told = (await exchange.introspect(token, client)).model_dump()
        assert (told["active"], told["act"]) == (True, {"sub": exchange.notes.client_id})
        assert "exchanged" not in told


# T15
async def test_another_applications_token_is_no_subject(world: World, exchange: Exchange) -> None:
    """Its signature is that of another application."""
    token = (await exchange.user_tokens()).access_token
    other_id = await world.application()
    other = replace_app(world, other_id)
    await prepare(other)
    there = await Exchange.start(other)

    assert await there.refusal(token, resource=FILES) == "invalid_request"
    own = (await there.user_tokens()).access_token
    assert (await there.exchange(own, resource=FILES)).scope == "files.read"


def replace_app(world: World, app_id: str) -> World:
    """Returns the same services, asked for another application."""
    other = World.__new__(World)
    other.__dict__.update(world.__dict__)
    other.app_id = app_id
    return other


async def test_without_a_policy_nothing_is_exchanged(world: World) -> None:
    """The grant type alone is not enough. A deleted policy counts at once."""
    exchange = await Exchange.start(world, policy={})
    token = (await exchange.user_tokens()).access_token
    assert await exchange.refusal(token, resource=FILES) == "invalid_request"
    policy = await exchange.allow(exchange.notes, exchange.app, resources=[FILES])
    assert await exchange.exchange(token, resource=FILES)
    notes = exchange.notes.client_id
    await world.admin(DeleteExchangePolicy(client=notes, policy_id=policy.id))
    assert await exchange.refusal(token, resource=FILES) == "invalid_request"


async def test_a_policy_is_about_one_clients_tokens(exchange: Exchange) -> None:
    """Tokens of other clients for the same API stay what they are."""
    other = await exchange.world.client(scopes=["openid", *SCOPES])
    token = (
        await exchange.world.tokens(
            other, await exchange.world.person(), resource=NOTES, scope="openid files.read"
        )
    ).access_token
    assert await exchange.refusal(token, resource=FILES) == "invalid_request"


async def test_a_client_without_the_grant_is_refused(exchange: Exchange) -> None:
    """Even with a policy."""
    token = (await exchange.user_tokens()).access_token
    await exchange.world.admin(
        UpdateClient(
            client=exchange.notes.client_id, changes={"grant_types": ["client_credentials"]}
        )
    )
    with pytest.raises(UnauthorizedClient):
        await exchange.exchange(token, resource=FILES)


async def test_it_is_off_until_it_is_switched_on(world: World, exchange: Exchange) -> None:
    """Then the token endpoint does not know the grant, and discovery does not list it."""
    token = (await exchange.user_tokens()).access_token
    listed = (await world.call(GetConfiguration())).model_dump()
    assert TOKEN_EXCHANGE in listed["grant_types_supported"]
    assert token_types.ID_JAG in listed["identity_chaining_requested_token_types_supported"]
    world.configure(world.app_id)
    try:
        with pytest.raises(UnsupportedGrantType):
            await exchange.exchange(token, resource=FILES)
        listed = (await world.call(GetConfiguration())).model_dump()
        assert listed["grant_types_supported"] == [
            "authorization_code",
            "refresh_token",
            "client_credentials",
        ]
        assert "identity_chaining_requested_token_types_supported" not in listed
    finally:
        world.configure(world.app_id, token_exchange=True, jwt_bearer=True)


async def test_the_dashboard_exchanges_nothing(world: World) -> None:
    """Its tokens administer applications. No setting and no policy changes that."""
    world.configure(DASHBOARD, token_exchange=True, jwt_bearer=True)
    dashboard = replace_app(world, DASHBOARD)
    app = await dashboard.client()
    with pytest.raises(Forbidden):
        await Exchange(dashboard, app, app).allow(app, app, resources=[FILES])
    listed = (await dashboard.call(GetConfiguration())).model_dump()
    assert TOKEN_EXCHANGE not in listed["grant_types_supported"]
    await world.owner.execute(
        "UPDATE oauth_clients SET grant_types = $3 WHERE app_id = $1 AND client_id = $2",
        DASHBOARD,
        app.client_id,
        [TOKEN_EXCHANGE],
    )
    with pytest.raises(UnsupportedGrantType):
        await Exchange(dashboard, app, app).exchange("x", app)


async def chain_of(exchange: Exchange, length: int) -> list[str]:
    """Exchanges a user's token along APIs that call each other. Returns all tokens, the first included."""
    world, previous = exchange.world, exchange.notes
    tokens = [(await exchange.user_tokens()).access_token]
    for number in range(length):
        resource = (FILES, NOTES)[number % 2]
        tokens.append(
            (await exchange.exchange(tokens[-1], previous, resource=resource)).access_token
        )
        following = await new_api(world, resource)
        await exchange.allow(
            following, previous, resources=[(NOTES, FILES)[number % 2]], scopes=["files.read"]
        )
        previous = following
    exchange.notes = previous
    return tokens


async def test_the_chain_of_actors_is_kept_and_ends_at_four(exchange: Exchange) -> None:
    """The latest actor comes first, each with the one before it. A fifth is refused."""
    first = exchange.notes
    tokens = await chain_of(exchange, 4)
    act = (await exchange.world.claims(tokens[-1], NOTES))["act"]
    depth, names = 0, []
    while act is not None:
        names.append(act["sub"])
        depth, act = depth + 1, act.get("act")

    assert depth == 4
    assert names[-1] == first.client_id
    assert len(set(names)) == 4
    assert await exchange.refusal(tokens[-1]) == "invalid_request"


async def test_a_chain_ends_with_any_of_its_parts(world: World) -> None:
    """With its family, with one revoked token before it, with a client before it that was disabled."""
    for end in ("family", "token", "middle", "client"):
        exchange = await Exchange.start(world)
        notes, ann = exchange.notes, await world.person()
        first = await exchange.user_tokens(ann)
        second = (await exchange.exchange(first.access_token, resource=FILES)).access_token
        files = await new_api(world, FILES)
        await exchange.allow(files, notes, resources=[MAIL], scopes=["files.read"])
        third = (await exchange.exchange(second, files, resource=MAIL)).access_token
        assert (await exchange.introspect(third, files)).active is True
        assert (await exchange.introspect(third, files, world.replica.bus)).active is True
        if end == "family":
            await world.admin(
                RevokeUserGrant(user_id=ann.user_id, client_id=exchange.app.client_id)
            )
        elif end == "client":
            await world.admin(UpdateClient(client=notes.client_id, changes={"enabled": False}))
        else:
            revoked, owner = (
                (first.access_token, exchange.app) if end == "token" else (second, notes)
            )
            await world.call(
                RevokeToken(
                    params=[("token", revoked)],
                    basic=basic_of(owner.client_id, owner.client_secret or ""),
                )
            )
        for bus in (world.bus, world.replica.bus):
            assert (await exchange.introspect(third, files, bus)).active is False, end
        assert await exchange.refusal(third, files, resource=MAIL) == "invalid_request"


@pytest.mark.parametrize("end", ["user", "epoch", "session"])
async def test_it_ends_with_user_and_session(exchange: Exchange, end: str) -> None:
    """Nothing new comes of a token whose user was disabled or signed out."""
    world, ann = exchange.world, await exchange.world.person()
    token = (await exchange.user_tokens(ann)).access_token
    got = (await exchange.exchange(token, resource=FILES)).access_token
    statement = {
        "user": "UPDATE users SET disabled = true WHERE app_id = $1 AND id = $2",
        "epoch": "UPDATE users SET epoch = epoch + 1 WHERE app_id = $1 AND id = $2",
        "session": "UPDATE user_sessions SET revoked_at = now() WHERE app_id = $1 AND user_id = $2",
    }[end]
    await world.owner.execute(statement, world.app_id, ann.user_id)
    # The caches of tokens have not heard of it. The statement of the exchange asks the database.
    assert await exchange.refusal(token, resource=FILES) == "invalid_request"
    for deps in (world.oidc, world.replica.oidc):
        deps.caches.clear()
    assert (await exchange.introspect(got)).active is False


async def test_a_clients_own_token_is_exchanged_too(exchange: Exchange) -> None:
    """Its subject is the client. There is no user, so there are no users' scopes either."""
    world, job = exchange.world, await new_api(exchange.world, NOTES, default_resources=[])
    await exchange.allow(exchange.notes, job, resources=[FILES], scopes=["files.read"])
    token = (
        await world.token(
            job, grant_type="client_credentials", scope="files.read notes.read", resource=NOTES
        )
    ).access_token

    got = await exchange.exchange(token, resource=FILES)

    claims = await world.claims(got.access_token, FILES)
    assert claims["sub"] == job.client_id
    assert claims["act"] == {"sub": exchange.notes.client_id}
    assert (got.scope, "grant_id" in claims) == ("files.read", False)
    await world.admin(UpdateClient(client=job.client_id, changes={"enabled": False}))
    assert (await exchange.introspect(got.access_token)).active is False


async def test_a_client_narrows_its_own_token(exchange: Exchange) -> None:
    """Nobody else acts then, so the chain stays as it is."""
    app, world = exchange.app, exchange.world
    grants = [*app.grant_types, TOKEN_EXCHANGE]
    await world.admin(UpdateClient(client=app.client_id, changes={"grant_types": grants}))
    await exchange.allow(app, app, resources=[NOTES, FILES], scopes=SCOPES)
    token = (await exchange.user_tokens()).access_token

    got = await exchange.exchange(token, app, scope="notes.read")

    claims = await world.claims(got.access_token, NOTES)
    assert (claims["scope"], "act" in claims) == ("notes.read", False)


async def test_an_actor_token_says_who_acts(exchange: Exchange) -> None:
    """It must be the caller's own. The new token expires with it, and ends with it."""
    world = exchange.world
    token = (await exchange.user_tokens()).access_token
    actor = (await world.token(exchange.notes, grant_type="client_credentials")).access_token
    got = await exchange.exchange(
        token, resource=FILES, actor_token=actor, actor_token_type=token_types.ACCESS_TOKEN
    )
    claims = await world.claims(got.access_token, FILES)
    assert claims["act"] == {"sub": exchange.notes.client_id}
    foreign = (
        await world.token(await new_api(world), grant_type="client_credentials")
    ).access_token
    refused = await exchange.refusal(
        token, resource=FILES, actor_token=foreign, actor_token_type=token_types.ACCESS_TOKEN
    )
    assert refused == "invalid_request"
    notes = exchange.notes
    await world.call(
        RevokeToken(
            params=[("token", actor)], basic=basic_of(notes.client_id, notes.client_secret or "")
        )
    )
    assert (await exchange.introspect(got.access_token)).active is False


async def test_somebody_who_acts_as_a_user_stays_in_the_chain(exchange: Exchange) -> None:
    """The API is the latest actor, and the person before it is named below."""
    person, actor = await impersonated(exchange.world)
    token = (await exchange.user_tokens(person)).access_token
    got = await exchange.exchange(token, resource=FILES)

    act = (await exchange.world.claims(got.access_token, FILES))["act"]
    assert act == {"sub": exchange.notes.client_id, "act": {"sub": actor}}


async def test_a_right_that_the_user_lost_is_left_out(exchange: Exchange) -> None:
    """Scopes that stand for permissions are compared with the user's present rights."""
    world, ann = exchange.world, await exchange.world.person()
    await world.permission("files:read")
    names = ["openid", "notes.read", "files:read"]
    app, api = await world.client(scopes=names), await new_api(world, scopes=names[1:])
    await exchange.allow(api, app, resources=[FILES], scopes=["files:read"])
    world.stand_ins.rbac.rights[ann.user_id] = Rights(roles=[], permissions=["files:read"])
    world.oidc.caches.clear()
    token = (await world.tokens(app, ann, resource=NOTES, scope=" ".join(names))).access_token
    assert (await exchange.exchange(token, api, resource=FILES)).scope == "files:read"

    world.stand_ins.rbac.rights[ann.user_id] = Rights(roles=[], permissions=[])
    world.oidc.caches.clear()
    assert (await exchange.exchange(token, api, resource=FILES)).scope is None


async def test_a_binding_is_never_dropped(exchange: Exchange) -> None:
    """A token that is bound to a key becomes one that is bound to it."""
    world, cnf = exchange.world, {"jkt": "thumbprint"}
    token = (await exchange.user_tokens()).access_token
    claims = await world.claims(token, NOTES)
    key = await signing_key(world)
    bound = key.sign("at+jwt", claims | {"cnf": cnf, "jti": new_id()})

    got = await exchange.exchange(bound, resource=FILES)

    assert got.token_type == "DPoP"
    assert (await world.claims(got.access_token, FILES))["cnf"] == cnf


async def signing_key(world: World) -> Any:
    from oidc import keys

    return await keys.signing_key(world.oidc, world.ctx(), "ES256")


async def test_may_act_names_who_may(exchange: Exchange) -> None:
    """A subject token that names somebody else, or that cannot be understood, is not exchanged."""
    world = exchange.world
    token = (await exchange.user_tokens()).access_token
    claims, key = await world.claims(token, NOTES), await signing_key(world)
    notes = exchange.notes.client_id

    def with_may_act(value: Any) -> str:
        signed: str = key.sign("at+jwt", claims | {"may_act": value, "jti": new_id()})
        return signed

    for value in (
        {"sub": "somebody"},
        {"sub": notes, "iss": "https://x"},
        {"sub": notes, "x": 1},
        {},
        "x",
    ):
        assert await exchange.refusal(with_may_act(value), resource=FILES) == "invalid_request"
    for value in ({"sub": notes}, {"sub": notes, "iss": ORIGIN}):
        assert await exchange.exchange(with_may_act(value), resource=FILES)


async def test_opaque_tokens_are_exchanged_and_issued(world: World) -> None:
    """Both kinds go both ways."""
    exchange = await Exchange.start(world, policy={})
    app = await world.client(scopes=["openid", *SCOPES], access_token_format="opaque")
    api = await new_api(world, access_token_format="opaque")
    exchange.app, exchange.notes = app, api
    await exchange.allow(api, app, resources=[FILES], scopes=["files.read"])
    token = (await exchange.user_tokens()).access_token
    assert token.startswith("at_")

    got = await exchange.exchange(token, resource=FILES)

    assert got.access_token.startswith("at_")
    told = (await exchange.introspect(got.access_token)).model_dump()
    assert (told["active"], told["scope"], told["aud"]) == (True, "files.read", FILES)
    await world.admin(UpdateClient(client=app.client_id, changes={"enabled": False}))
    assert (await exchange.introspect(got.access_token)).active is False


async def test_it_never_opens_our_own_api(exchange: Exchange) -> None:
    """No exchanged token is accepted by Aero2 itself."""
    got = await exchange.exchange((await exchange.user_tokens()).access_token, resource=FILES)
    with pytest.raises(OAuthError):
        await exchange.world.call(CheckAccessToken(token=got.access_token))


# ID tokens


async def with_exchange(world: World, **fields: Any) -> Exchange:
    """Returns an exchange whose app may exchange its own ID tokens."""
    app = await world.client(
        scopes=["openid", "email", *SCOPES],
        grant_types=["authorization_code", "refresh_token", TOKEN_EXCHANGE],
        **fields,
    )
    exchange = Exchange(world, app, app)
    await exchange.allow(app, app, resources=[FILES], scopes=["files.read"])
    return exchange


@pytest.mark.parametrize("subject_type", ["public", "pairwise"])
async def test_an_id_token_is_exchanged_by_its_client(world: World, subject_type: str) -> None:
    """The new token belongs to the family of the ID token's session."""
    exchange = await with_exchange(world, subject_type=subject_type)
    ann = await world.person()
    tokens = await world.tokens(exchange.app, ann, scope="openid files.read")
    kind: dict[str, Any] = {"subject_token_type": token_types.ID_TOKEN}

    got = await exchange.exchange(tokens.id_token, resource=FILES, **kind)

    claims = await world.claims(got.access_token, FILES)
    assert claims["grant_id"] == (await world.claims(tokens.access_token))["grant_id"]
    assert (got.scope, "act" in claims) == ("files.read", False)
    other = await with_exchange(world)
    assert await other.refusal(tokens.id_token, resource=FILES, **kind) == "invalid_request"
    await world.admin(RevokeUserGrant(user_id=ann.user_id, client_id=exchange.app.client_id))
    assert await exchange.refusal(tokens.id_token, resource=FILES, **kind) == "invalid_request"
    assert (await exchange.introspect(got.access_token)).active is False


async def test_an_id_token_of_a_foreign_client_gives_what_its_user_allowed(world: World) -> None:
    """The user has consented to less than the client is registered for."""
    exchange = await with_exchange(world, first_party=False)
    ann = await world.person()
    waiting = await world.authorize(exchange.app, ann, scope="openid notes.read")
    allowed = await world.resume(waiting.request, ann, consent="allow")
    from tests.kit.oauth import fields

    tokens = await world.redeem(exchange.app, fields(allowed)["code"])
    kind: dict[str, Any] = {"subject_token_type": token_types.ID_TOKEN, "resource": FILES}

    assert (await exchange.exchange(tokens.id_token, **kind)).scope is None
    assert await exchange.refusal(tokens.id_token, scope="files.read", **kind) == "invalid_scope"


# ID-JAG: assertions for another authorization server

CHAT = "https://chat.example.net/"


async def with_audience(world: World, **policy: Any) -> Exchange:
    exchange = await with_exchange(world)
    await exchange.allow(
        exchange.app,
        exchange.app,
        audience=CHAT,
        audience_client_id="us-at-chat",
        resources=["https://api.chat.example.net/"],
        scopes=["chat.read", "chat.history"],
        **policy,
    )
    return exchange


JAG: dict[str, Any] = {
    "requested_token_type": token_types.ID_JAG,
    "subject_token_type": token_types.ID_TOKEN,
}


async def test_an_id_token_becomes_an_assertion_for_another_server(world: World) -> None:
    """It names the client as the other server knows it, and is valid for five minutes."""
    exchange, ann = await with_audience(world), await world.person()
    tokens = await world.tokens(exchange.app, ann, scope="openid")

    got = await exchange.exchange(tokens.id_token, audience=CHAT, scope="chat.read", **JAG)

    assert (got.token_type, got.issued_token_type) == ("N_A", token_types.ID_JAG)
    assert (got.scope, got.expires_in, got.refresh_token) == ("chat.read", 300, None)
    assert jwt.get_unverified_header(got.access_token)["typ"] == "oauth-id-jag+jwt"
    claims = await world.claims(got.access_token, CHAT)
    assert claims["client_id"] == "us-at-chat"
    assert (claims["sub"], claims["scope"]) == (ann.user_id, "chat.read")
    assert claims["resource"] == "https://api.chat.example.net/"
    assert claims["exp"] - claims["iat"] == 300
    assert claims["jti"]
    assert (await world.events())[-1][0] == "assertion_issued"
    with pytest.raises(OAuthError):
        await world.call(CheckAccessToken(token=got.access_token))
    assert (await exchange.introspect(got.access_token, exchange.app)).active is False
    assert await exchange.refusal(got.access_token, resource=FILES) == "invalid_request"


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"audience": "https://other.example/"}, "invalid_target"),
        ({"audience": CHAT.rstrip("/")}, "invalid_target"),
        ({}, "invalid_request"),
        ({"audience": CHAT, "scope": "chat.write"}, "invalid_scope"),
        ({"audience": CHAT, "resource": "https://x.example"}, "invalid_target"),
    ],
    ids=str,
)
async def test_an_assertion_outside_of_the_policy_is_refused(
    world: World, params: dict[str, Any], error: str
) -> None:
    exchange = await with_audience(world)
    tokens = await world.tokens(exchange.app, await world.person(), scope="openid")
    assert await exchange.refusal(tokens.id_token, **JAG, **params) == error


async def test_nobody_but_the_user_is_asserted(world: World) -> None:
    """Neither a guest, nor somebody who acts as a user, nor a client."""
    exchange = await with_audience(world)
    guest = await world.person(guest=True, email=None)
    represented, _ = await impersonated(world)
    for person in (guest, represented):
        tokens = await world.tokens(exchange.app, person, scope="openid")
        assert await exchange.refusal(tokens.id_token, audience=CHAT, **JAG) == "invalid_request"


# Policies


async def test_a_policy_needs_the_rights_that_it_gives(world: World) -> None:
    """Who does not hold a permission themselves lets no client have it."""
    from tests.kit.callers import ADMIN

    await world.permission("safe:open")
    app, api = await world.client(), await new_api(world, scopes=["notes.read"])
    poor = replace(ADMIN, permissions=frozenset({"clients:write", "clients:read"}))
    from common.contracts.exchange_policies import CreateExchangePolicy

    request = CreateExchangePolicy(
        client=api.client_id, subject_client=app.client_id, resources=[FILES], scopes=["safe:open"]
    )
    with pytest.raises(Forbidden):
        await world.call(request, poor)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"resources": []}, "resources"),
        ({"resources": ["https://unknown.example"]}, "resources.0"),
        ({"resources": [FILES], "scopes": ["account"]}, "scopes.0"),
        ({"resources": [FILES], "scopes": ["offline_access"]}, "scopes.0"),
        ({"resources": [FILES], "audience_client_id": "x"}, "audience_client_id"),
        ({"audience": "not a uri"}, "audience"),
        ({"audience": ORIGIN}, "audience"),
        ({"resources": [FILES], "subject_client": None}, "subject_client"),
    ],
    ids=str,
)
async def test_a_policy_that_could_not_work_is_refused(
    exchange: Exchange, fields: dict[str, Any], field: str
) -> None:
    from common.contracts.exchange_policies import CreateExchangePolicy

    values = {"client": exchange.app.client_id, "subject_client": exchange.app.client_id} | fields
    with pytest.raises(Invalid) as refused:
        await exchange.world.admin(CreateExchangePolicy(**values))
    assert field in [error["field"] for error in refused.value.extra["errors"]]


async def test_a_policy_is_made_once(exchange: Exchange) -> None:
    """For a source and an audience. The list has it, and deleting a client takes it along."""
    with pytest.raises(ExchangePolicyExists):
        await exchange.allow(exchange.notes, exchange.app, resources=[FILES])
    listed = await exchange.world.admin(ListExchangePolicies(client=exchange.notes.client_id))
    assert [policy.subject_client for policy in listed.policies] == [exchange.app.client_id]


# Trap 38
async def test_a_change_of_the_client_leaves_its_policies(exchange: Exchange) -> None:
    """A client's settings do not hold them, so nobody widens them by changing the client."""
    world, notes = exchange.world, exchange.notes.client_id
    before = await world.admin(ListExchangePolicies(client=notes))
    for name in ("exchange_policies", "policies", "subject_client", "resources"):
        with pytest.raises(Invalid):
            await world.admin(UpdateClient(client=notes, changes={name: [FILES]}))
        assert name not in CreateClient.model_fields
    assert await world.admin(ListExchangePolicies(client=notes)) == before


async def test_who_does_not_exchange_pays_nothing(world: World) -> None:
    """The check of an ordinary token asks the database what it asked before: once, and then not at all."""
    client, ann = await world.client(), await world.person()
    token = (await world.tokens(client, ann)).access_token
    world.oidc.caches.live_grants.clear()
    await access_tokens.find_valid(world.oidc, world.ctx(), token)
    world.oidc.caches.live_grants.clear()
    with recorded_round_trips() as made:
        assert await access_tokens.find_valid(world.oidc, world.ctx(), token)
        assert await access_tokens.find_valid(world.oidc, world.ctx(), token)
    assert len(made) == 1


async def test_an_exchange_is_counted(exchange: Exchange) -> None:
    """An exchange with warm caches: the policy, the grant, and the event with its commit."""
    token = (await exchange.user_tokens()).access_token
    await exchange.exchange(token, resource=FILES)
    with recorded_round_trips() as made:
        await exchange.exchange(token, resource=FILES)
    assert len(made) <= 4, made


def test_problems_are_declared() -> None:
    """Every error of an exchange is one of RFC 8693 section 2.2.2."""
    for problem in (InvalidTarget, InvalidScope, UnauthorizedClient, UnsupportedGrantType):
        assert issubclass(problem, Problem)
