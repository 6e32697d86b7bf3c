"""Assertions of identity providers as grants (RFC 7523 section 2.1), and ID-JAG: agents of a company.

identity and oidc are real, and the provider is on a local server.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.kit.callers import ADMIN
from tests.kit.exchange import FILES, MAIL, NOTES, SCOPES, new_api, prepare
from tests.kit.identity_provider import (
    OpenIdProvider,
    hmac_token,
    local_internet,
    new_key,
    running_server,
)
from tests.kit.oauth import ORIGIN
from tests.kit.postgres import Postgres
from tests.kit.provider_sign_in import new_provider
from tests.kit.world import World

from common.circuit_breaker import CircuitBreaker
from common.context import SYSTEM_CALLER
from common.contracts.clients import NewClient, UpdateClient
from common.contracts.consents import RevokeUserGrant
from common.contracts.exchange_policies import CreateExchangePolicy
from common.contracts.identity_providers import (
    DeleteIdentityProvider,
    IdentityProvider,
    UpdateIdentityProvider,
)
from common.contracts.keys import EnsureKeys
from common.contracts.oauth_errors import InvalidGrant, OAuthError, UnsupportedGrantType
from common.contracts.provider_assertions import VerifyAssertion
from common.contracts.tokens import CheckAccessToken, IntrospectToken, Tokens
from common.ids import new_id
from identity import provider_assertions
from oidc import token_types
from oidc.oauth_switches import JWT_BEARER, TOKEN_EXCHANGE

IDP = "https://idp.corp.example"
SUBJECT = "ada-at-corp"


@pytest_asyncio.fixture(scope="module")
async def world(postgres: Postgres) -> AsyncIterator[World]:
    """identity and two replicas of oidc, with a local server that stands for the Internet."""
    name = postgres.clone()
    world = await World.start(
        postgres.dsns(name),
        "identity",
        "oidc",
        stand_ins=("rbac", "tenancy"),
        host=ORIGIN.removeprefix("https://"),
        size=10,
        request_facts={"origin": ORIGIN, "ip": "192.0.2.1", "within": 10},
    )
    world.add_oidc_replica()
    world.app_id = await world.application()
    await world.call(EnsureKeys(), SYSTEM_CALLER)
    await prepare(world)
    async with running_server() as server:
        world.replace_deps(
            "identity", http=local_internet(server), provider_breaker=CircuitBreaker()
        )
        world.replica.bus.serve(world.identity, {VerifyAssertion: provider_assertions.verify})
        world.server = server  # type: ignore[attr-defined]
        yield world
    await world.close()
    postgres.drop(name)


@dataclass
class Corp:
    """A company's identity provider, its agent at our application, and a user who is linked."""

    world: World
    op: OpenIdProvider
    provider: IdentityProvider
    agent: NewClient
    user_id: str

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        values = {
            "iss": self.op.issuer,
            "sub": SUBJECT,
            "aud": ORIGIN,
            "client_id": self.agent.client_id,
            "jti": secrets.token_hex(),
            "iat": now,
            "exp": now + 300,
            "resource": FILES,
            "scope": "files.read",
        } | changes
        return {name: value for name, value in values.items() if value is not ...}

    def assertion(self, typ: str | None = "oauth-id-jag+jwt", **changes: Any) -> str:
        """Returns an ID-JAG. A value of ... leaves a claim out."""
        key = self.op.key
        headers = {"kid": key.kid, **({} if typ is None else {"typ": typ})}
        payload = json.dumps(self.claims(**changes)).encode()
        return jwt.PyJWS().encode(payload, key.key, algorithm=key.alg, headers=headers)

    async def redeem(
        self, assertion: str | None, client: NewClient | None = None, **params: Any
    ) -> Tokens:
        bus = params.pop("bus", None)
        return await self.world.token(
            client or self.agent, bus=bus, grant_type=JWT_BEARER, assertion=assertion, **params
        )

    async def refusal(
        self, assertion: str | None, client: NewClient | None = None, **params: Any
    ) -> str:
        try:
            await self.redeem(assertion, client, **params)
        except OAuthError as error:
            return error.code
        raise AssertionError("the assertion was accepted")


async def agent_of(world: World, provider: IdentityProvider, **fields: Any) -> NewClient:
    """Creates an agent that may exchange the provider's assertions."""
    grants = ["client_credentials", JWT_BEARER, TOKEN_EXCHANGE]
    agent = await new_api(world, grant_types=grants, default_resources=[], **fields)
    await world.admin(
        CreateExchangePolicy(
            client=agent.client_id,
            provider=provider.name,
            resources=[FILES, NOTES],
            scopes=["files.read", "notes.read"],
        )
    )
    return agent


@pytest_asyncio.fixture
async def corp(world: World) -> Corp:
    op = OpenIdProvider(world.server, f"{IDP}/{secrets.token_hex(4)}").install()  # type: ignore[attr-defined]
    provider = await new_provider(world, issuer=op.issuer)
    user_id = await world.insert_user(email=f"{new_id()}@corp.example", email_verified=True)
    await world.owner.execute(
        "INSERT INTO user_identity_links (app_id, id, user_id, idp_id, iss, idp_user_id)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        world.app_id,
        new_id(),
        user_id,
        provider.id,
        op.issuer,
        SUBJECT,
    )
    return Corp(world, op, provider, await agent_of(world, provider), user_id)


async def test_an_agent_gets_a_token_of_a_person_of_its_company(corp: Corp) -> None:
    """No browser, no refresh token. The token is for the API and the scopes of the assertion."""
    world = corp.world
    tokens = await corp.redeem(corp.assertion())

    assert (tokens.token_type, tokens.scope, tokens.refresh_token) == ("Bearer", "files.read", None)
    assert (tokens.id_token, tokens.issued_token_type) == (None, None)
    claims = await world.claims(tokens.access_token, FILES)
    assert (claims["sub"], claims["aud"]) == (corp.user_id, FILES)
    assert claims["client_id"] == corp.agent.client_id
    assert "act" not in claims
    kind, event = (await world.events())[-1]
    assert (kind, event["provider_id"]) == ("assertion_exchanged", corp.provider.id)
    kept = await world.owner.fetchval(
        "SELECT absolute_expires_at < now() + interval '1 day' FROM token_families"
        " WHERE app_id = $1 AND id = $2",
        world.app_id,
        claims["grant_id"],
    )
    assert kept is True
    with pytest.raises(OAuthError):
        await world.call(CheckAccessToken(token=tokens.access_token))


async def test_a_plain_assertion_is_limited_by_the_policy(corp: Corp) -> None:
    """Without claims of its own about them, the request says for which API and scopes."""
    plain: dict[str, Any] = {"typ": "JWT", "client_id": ..., "resource": ..., "scope": ...}
    tokens = await corp.redeem(corp.assertion(**plain), resource=NOTES, scope="notes.read")
    assert tokens.scope == "notes.read"
    untyped = corp.assertion(**{**plain, "typ": None})
    assert (await corp.redeem(untyped, resource=FILES)).scope == "files.read notes.read"
    assert await corp.refusal(corp.assertion(**plain), resource=MAIL) == "invalid_target"
    assert await corp.refusal(corp.assertion(**plain)) == "invalid_target"
    wide = corp.assertion(**plain)
    assert await corp.refusal(wide, resource=FILES, scope="files.write") == "invalid_scope"


@pytest.mark.parametrize(
    ("changes", "params", "error"),
    [
        ({}, {"resource": NOTES}, "invalid_target"),
        ({}, {"scope": "notes.read"}, "invalid_scope"),
        ({"resource": MAIL}, {}, "invalid_target"),
        ({"resource": [FILES, MAIL]}, {}, "invalid_target"),
        ({"scope": "files.write"}, {"scope": "files.write"}, "invalid_scope"),
    ],
    ids=str,
)
async def test_an_id_jag_limits_what_is_asked(
    corp: Corp, changes: dict[str, Any], params: dict[str, Any], error: str
) -> None:
    """Its `resource` and `scope` are a ceiling, below that of the policy."""
    assertion = corp.assertion(**changes)
    assert await corp.refusal(assertion, **params) == error
    if not changes:  # nothing was used up
        assert await corp.redeem(assertion)


NOW = int(time.time())


# Traps 37 and others of RFC 7523 section 3
WRONG: list[dict[str, Any]] = [
    {"aud": [ORIGIN, "https://other.example"]},
    {"aud": [ORIGIN, ORIGIN]},
    {"aud": "https://other.example"},
    {"aud": f"{ORIGIN}/oauth2/token"},
    {"aud": f"{ORIGIN}/"},
    {"aud": []},
    {"aud": ...},
    {"iss": "https://other.example"},
    {"iss": ORIGIN},
    {"iss": ...},
    {"iss": 7},
    {"sub": "somebody"},
    {"sub": ...},
    {"sub": {"x": 1}},
    {"exp": NOW - 3600},
    {"exp": ...},
    {"exp": "soon"},
    {"exp": NOW + 4000},
    {"exp": 2**60},
    {"iat": NOW + 3600},
    {"iat": NOW - 3600},
    {"iat": ...},
    {"nbf": NOW + 3600},
    {"jti": ...},
    {"jti": ""},
    {"jti": 7},
    {"jti": "x" * 300},
    {"client_id": ...},
    {"client_id": "another"},
    {"client_id": ["x"]},
    {"typ": "at+jwt"},
    {"typ": "logout+jwt"},
    {"scope": 7},
    {"scope": "x" * 5000},
    {"resource": 7},
    {"resource": []},
    {"resource": [7]},
    {"resource": [f"https://{n}.example" for n in range(50)]},
    {"act": "x"},
    {"act": {"sub": 7}},
    {
        "act": {
            "sub": "a",
            "act": {"sub": "b", "act": {"sub": "c", "act": {"sub": "d", "act": {"sub": "e"}}}},
        }
    },
]


async def test_a_wrong_assertion_is_invalid_grant(corp: Corp) -> None:
    """Each claim of section 3 is checked, and the type of the JWT."""
    for changes in WRONG:
        assert await corp.refusal(corp.assertion(**changes)) == "invalid_grant", changes


async def test_one_audience_may_be_in_a_list(corp: Corp) -> None:
    assert await corp.redeem(corp.assertion(aud=[ORIGIN]))


async def test_what_is_no_assertion_is_refused(corp: Corp) -> None:
    """Texts that are no signed JWT, or too long."""
    for text in ("x", "a.b.c", "x" * 30_000, "eyJhbGciOiJub25lIn0.e30."):
        assert await corp.refusal(text) == "invalid_grant", text
    assert await corp.refusal("") == "invalid_request"


# Trap 34
async def test_a_disabled_provider_asserts_nothing(corp: Corp) -> None:
    """Nor does a deleted one."""
    world = corp.world
    await world.call(
        UpdateIdentityProvider(provider=corp.provider.id, changes={"enabled": False}), ADMIN
    )
    assert await corp.refusal(corp.assertion()) == "invalid_grant"
    await world.call(
        UpdateIdentityProvider(provider=corp.provider.id, changes={"enabled": True}), ADMIN
    )
    assert await corp.redeem(corp.assertion())
    await world.call(DeleteIdentityProvider(provider=corp.provider.id), ADMIN)
    assert await corp.refusal(corp.assertion()) == "invalid_grant"


# Trap 35
@pytest.mark.parametrize("column", ["disabled = true", "epoch = epoch + 1"])
async def test_a_disabled_user_gets_no_token(corp: Corp, column: str) -> None:
    """Their tokens stop working, too. A new epoch ends the tokens of before, and only those."""
    world, token = corp.world, (await corp.redeem(corp.assertion())).access_token
    await world.owner.execute(
        f"UPDATE users SET {column} WHERE app_id = $1 AND id = $2", world.app_id, corp.user_id
    )
    world.oidc.caches.clear()
    if "disabled" in column:
        assert await corp.refusal(corp.assertion()) == "invalid_grant"
    else:
        assert await corp.redeem(corp.assertion())
    assert not await active(corp, token)


async def active(corp: Corp, token: str) -> bool:
    from tests.kit.oauth import basic_of

    request = IntrospectToken(
        params=[("token", token)],
        basic=basic_of(corp.agent.client_id, corp.agent.client_secret or ""),
    )
    told: bool = (await corp.world.call(request)).active
    return told


async def test_the_user_takes_it_back(corp: Corp) -> None:
    """Revoking what the client was granted ends its tokens at once. A new assertion is a new grant."""
    token = (await corp.redeem(corp.assertion())).access_token
    assert await active(corp, token)
    await corp.world.admin(RevokeUserGrant(user_id=corp.user_id, client_id=corp.agent.client_id))
    assert not await active(corp, token)
    assert await corp.redeem(corp.assertion())


# Trap 36
async def test_no_shared_secret_signs(corp: Corp) -> None:
    """Neither the public key as a secret of HS256, nor the client's secret, nor another key."""
    key = corp.op.key
    public = key.key.public_key()
    for secret in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        b"our-secret",
        (corp.agent.client_secret or "").encode(),
    ):
        forged = hmac_token(corp.claims(), secret, key.kid)
        assert await corp.refusal(forged) == "invalid_grant"
    stranger = new_key(key.kid, "ES256")
    forged = jwt.encode(corp.claims(), stranger.key, "ES256", headers={"kid": key.kid})
    assert await corp.refusal(forged) == "invalid_grant"


async def test_an_assertion_is_used_once_over_all_replicas(corp: Corp) -> None:
    """Twenty at once at two replicas give one token. Another issuer may use the same jti."""
    world, assertion = corp.world, corp.assertion(jti="once")
    buses = (world.bus, world.replica.bus)
    outcomes = await asyncio.gather(
        *(corp.redeem(assertion, bus=buses[n % 2]) for n in range(20)), return_exceptions=True
    )
    assert len([one for one in outcomes if isinstance(one, Tokens)]) == 1
    assert len([one for one in outcomes if isinstance(one, InvalidGrant)]) == 19
    assert await corp.refusal(assertion) == "invalid_grant"
    assert await corp.refusal(corp.assertion(jti="once")) == "invalid_grant"


# Trap 32
async def test_an_external_token_has_the_same_policy_as_ours(corp: Corp) -> None:
    """In an exchange it needs a policy of the client, target and scope, and is used once."""
    world = corp.world
    sent: dict[str, Any] = {"grant_type": TOKEN_EXCHANGE, "subject_token_type": token_types.JWT}
    assertion = corp.assertion()
    got = await world.token(corp.agent, subject_token=assertion, **sent)
    claims = await world.claims(got.access_token, FILES)
    assert claims["act"] == {"sub": corp.agent.client_id}
    assert (got.issued_token_type, got.scope) == (token_types.ACCESS_TOKEN, "files.read")

    async def error(token: str, client: NewClient, **params: Any) -> str:
        with pytest.raises(OAuthError) as refused:
            await world.token(client, subject_token=token, **sent, **params)
        return refused.value.code

    stranger = await new_api(world)
    assert await error(assertion, corp.agent) == "invalid_request"
    assert await error(corp.assertion(client_id=stranger.client_id), stranger) == "invalid_request"
    assert await error(corp.assertion(), corp.agent, audience=MAIL) == "invalid_target"
    assert await error(corp.assertion(), corp.agent, scope="files.write") == "invalid_scope"
    may_act = corp.assertion(may_act={"sub": "somebody"})
    assert await error(may_act, corp.agent) == "invalid_request"


async def test_who_has_no_policy_is_refused(corp: Corp) -> None:
    """The grant type alone is not enough, and a policy for one provider is none for another."""
    world = corp.world
    agent = await new_api(world, grant_types=["client_credentials", JWT_BEARER])
    assertion = corp.assertion(client_id=agent.client_id)
    assert await corp.refusal(assertion, agent) == "invalid_grant"
    other = await new_provider(world, issuer=f"{IDP}/other")
    agent = await agent_of(world, other)
    assertion = corp.assertion(client_id=agent.client_id)
    assert await corp.refusal(assertion, agent) == "invalid_grant"
    assert await corp.refusal(corp.assertion(), agent) == "invalid_grant"


async def test_it_is_off_until_it_is_switched_on(corp: Corp) -> None:
    world = corp.world
    world.configure(world.app_id, token_exchange=True)
    try:
        with pytest.raises(UnsupportedGrantType):
            await corp.redeem(corp.assertion())
    finally:
        world.configure(world.app_id, token_exchange=True, jwt_bearer=True)


@pytest.mark.parametrize(
    ("setting", "fix"),
    [
        ({"require_verified_email": True}, "UPDATE users SET email_verified = true WHERE id = $1"),
        ({"mfa_policy": "required"}, None),
    ],
    ids=str,
)
async def test_the_rules_of_a_sign_in_count(
    corp: Corp, setting: dict[str, Any], fix: str | None
) -> None:
    """A user whose address is not verified, and two factors that the provider does not report."""
    world = corp.world
    world.configure(world.app_id, jwt_bearer=True, token_exchange=True, **setting)
    try:
        await world.owner.execute(
            "UPDATE users SET email_verified = false WHERE id = $1", corp.user_id
        )
        assert await corp.refusal(corp.assertion(amr=["pwd", "mfa"])) == "invalid_grant"
        if fix is not None:
            await world.owner.execute(fix, corp.user_id)
        else:
            change = UpdateIdentityProvider(
                provider=corp.provider.id, changes={"trusts_factors": True}
            )
            await world.call(change, ADMIN)
            assert await corp.refusal(corp.assertion(amr=["pwd"])) == "invalid_grant"
        assert await corp.redeem(corp.assertion(amr=["pwd", "mfa"]))
    finally:
        world.configure(world.app_id, token_exchange=True, jwt_bearer=True)


async def test_actors_of_an_assertion_are_kept(corp: Corp) -> None:
    """The token names who acts at the provider. Members that identify nobody are left out."""
    got = await corp.redeem(corp.assertion(act={"sub": "agent-7", "x": 1, "act": {"sub": "boss"}}))
    claims = await corp.world.claims(got.access_token, FILES)
    assert claims["act"] == {"sub": "agent-7", "act": {"sub": "boss"}}


async def test_an_agent_exchanges_its_token_on(corp: Corp) -> None:
    """A token of an assertion is one of ours. It is exchanged in its own family."""
    world = corp.world
    files = await new_api(world, FILES)
    await world.admin(
        CreateExchangePolicy(
            client=files.client_id,
            subject_client=corp.agent.client_id,
            resources=[NOTES],
            scopes=["files.read"],
        )
    )
    token = (await corp.redeem(corp.assertion())).access_token
    got = await world.token(
        files,
        grant_type=TOKEN_EXCHANGE,
        subject_token=token,
        subject_token_type=token_types.ACCESS_TOKEN,
    )
    claims = await world.claims(got.access_token, NOTES)
    assert (claims["sub"], claims["act"]) == (corp.user_id, {"sub": files.client_id})
    await world.admin(UpdateClient(client=corp.agent.client_id, changes={"enabled": False}))
    request = IntrospectToken(params=[("token", got.access_token)], basic=_basic(files))
    assert (await world.call(request)).active is False


def _basic(client: NewClient) -> str:
    from tests.kit.oauth import basic_of

    return basic_of(client.client_id, client.client_secret or "")


async def test_random_kids_fetch_the_keys_once(corp: Corp) -> None:
    """Assertions that nobody signed do not make us call the provider again and again."""
    assert await corp.redeem(corp.assertion())
    fetched = corp.op.server.count(f"{corp.op.place}/jwks")
    for _ in range(20):
        forged = jwt.encode(
            corp.claims(), new_key("k", "ES256").key, "ES256", headers={"kid": secrets.token_hex()}
        )
        assert await corp.refusal(forged) == "invalid_grant"
    assert corp.op.server.count(f"{corp.op.place}/jwks") <= fetched + 1


def test_all_scopes_are_registered() -> None:
    assert set(SCOPES) >= {"files.read", "files.write", "notes.read"}
