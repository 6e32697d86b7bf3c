"""The FAPI 2.0 security profile: settings that contradict it are refused, and so is each request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, get_args

import jwt
import pytest
import pytest_asyncio
from tests.kit.client_keys import ClientKey
from tests.kit.dpop import DpopKey
from tests.kit.factories import CALLBACK
from tests.kit.oauth import ORIGIN, VERIFIER, fields
from tests.kit.postgres import Postgres
from tests.kit.world import World
from tests.service.oidc.conftest import start_world

from common.contracts.authorization import Authorize
from common.contracts.client_secrets import ListClientSecrets, RotateClientSecret
from common.contracts.clients import Client, GrantType, NewClient, UpdateClient
from common.contracts.oauth_errors import (
    InvalidClient,
    InvalidDpopProof,
    InvalidToken,
    OAuthError,
    UseDpopNonce,
)
from common.contracts.pushed_requests import PushAuthorization
from common.contracts.tokens import CheckAccessToken, ExchangeToken, IntrospectToken, RevokeToken
from common.problems import Conflict, Invalid
from common.security_profiles import ALG_FIELDS, DEMANDS

KEY = ClientKey()
MEETS: dict[str, Any] = {
    "security_profile": "fapi2",
    "token_endpoint_auth_method": "private_key_jwt",
    "jwks": KEY.jwks,
    "id_token_alg": "ES256",
    "rotate_refresh_tokens": False,
}


@pytest_asyncio.fixture(scope="module")
async def shared(postgres: Postgres) -> AsyncIterator[World]:
    """An application that takes pushed and signed requests."""
    name = postgres.clone()
    world = await start_world(postgres.dsns(name), code_lifetime=600)
    world.app_id = await world.application(
        pushed_authorization_requests=True,
        request_objects=True,
        signed_authorization_responses=True,
    )
    yield world
    await world.close()
    postgres.drop(name)


def mistakes(refused: pytest.ExceptionInfo[Invalid]) -> set[tuple[str, str]]:
    return {(error["field"], error["code"]) for error in refused.value.extra["errors"]}


async def push(world: World, client: NewClient, *, key: ClientKey = KEY, **params: Any) -> Any:
    assertion = params.pop("assertion", {})
    sent = world.request(client, **params) | key.assertion(client.client_id, ORIGIN, **assertion)
    return await world.call(PushAuthorization(params=list(sent.items())))


async def test_defaults_follow_from_it(shared: World) -> None:
    """A name, keys and an https redirect URI are enough."""
    client = await shared.client(security_profile="fapi2", jwks=KEY.jwks)
    assert client.token_endpoint_auth_method == "private_key_jwt"
    assert (client.id_token_alg, client.rotate_refresh_tokens) == ("ES256", False)
    assert client.client_secret is None


@pytest.mark.parametrize(
    ("contradiction", "field", "code"),
    [
        (
            {"token_endpoint_auth_method": "client_secret_basic"},
            "token_endpoint_auth_method",
            "fapi_needs_key_authentication",
        ),
        (
            {"token_endpoint_auth_method": "client_secret_jwt"},
            "token_endpoint_auth_method",
            "fapi_needs_key_authentication",
        ),
        (
            {"token_endpoint_auth_method": "none", "type": "spa"},
            "token_endpoint_auth_method",
            "fapi_needs_key_authentication",
        ),
        ({"jwks": None}, "jwks", "jwks_required"),
        *(({name: "RS256"}, name, "fapi_algorithm_refused") for name in ALG_FIELDS),
        ({"redirect_uris": ["http://127.0.0.1/cb"]}, "redirect_uris.0", "fapi_needs_https"),
        (
            {"redirect_uris": [CALLBACK, "com.example.app:/cb"], "type": "native"},
            "redirect_uris.1",
            "fapi_needs_https",
        ),
        ({"require_pkce": False}, "require_pkce", "fapi_needs_pkce"),
        ({"rotate_refresh_tokens": True}, "rotate_refresh_tokens", "fapi_does_not_rotate"),
    ],
)
async def test_a_contradiction_is_refused(
    shared: World, contradiction: dict[str, Any], field: str, code: str
) -> None:
    """By name, when the client is created and when it is changed."""
    with pytest.raises(Invalid) as refused:
        await shared.client(**MEETS | contradiction)
    assert (field, code) in mistakes(refused)
    client = await shared.client(**MEETS)
    if "type" in contradiction and contradiction["type"] == "spa":
        return
    with pytest.raises(Invalid) as refused:
        await shared.admin(UpdateClient(client=client.id, changes=contradiction))
    assert (field, code) in mistakes(refused)


async def test_the_application_must_take_pushed_requests(world: World) -> None:
    with pytest.raises(Invalid) as refused:
        await world.client(**MEETS)
    assert ("security_profile", "fapi_needs_pushed_requests") in mistakes(refused)
    machine = {"grant_types": ["client_credentials"], "redirect_uris": [], "scopes": []}
    assert (await world.client(**MEETS | machine)).security_profile == "fapi2"


async def test_the_loopback_of_a_native_app_is_good(shared: World) -> None:
    """RFC 8252 section 7.3 is the profile's one exception."""
    uris = ["http://127.0.0.1/cb", "http://[::1]:8080/cb"]
    client = await shared.client(**MEETS | {"type": "native", "redirect_uris": uris})
    assert client.redirect_uris == uris


async def test_old_secrets_and_tokens_die_with_the_switch(shared: World) -> None:
    """Nothing that was issued without the profile outlives it."""
    client, ann = await shared.client(), await shared.person()
    tokens = await shared.tokens(client, ann, scope="openid offline_access")
    changed = await shared.admin(UpdateClient(client=client.id, changes=MEETS))
    assert isinstance(changed, Client)
    listed = await shared.admin(ListClientSecrets(client=client.id))
    assert listed.secrets == []
    with pytest.raises(Conflict):
        await shared.admin(RotateClientSecret(client=client.id))
    with pytest.raises(InvalidClient):
        await shared.refresh(client, tokens.refresh_token)
    with pytest.raises(InvalidToken):
        await shared.call(CheckAccessToken(token=tokens.access_token))
    deleted = await shared.owner.fetchval(
        "SELECT count(*) FROM audit_logs WHERE app_id = $1 AND event_type = 'client_secret_deleted'"
        " AND event_data ->> 'client_id' = $2",
        shared.app_id,
        client.client_id,
    )
    assert deleted == 1


async def test_switching_it_off_ends_nothing(shared: World) -> None:
    client = await shared.client(**MEETS)
    epoch = "SELECT epoch FROM oauth_clients WHERE client_id = $1"
    before = await shared.owner.fetchval(epoch, client.client_id)
    await shared.admin(UpdateClient(client=client.id, changes={"security_profile": None}))
    assert await shared.owner.fetchval(epoch, client.client_id) == before


async def test_a_secret_that_is_left_does_not_authenticate(shared: World) -> None:
    """Whatever the table holds: each endpoint that authenticates clients asks the profile."""
    client = await shared.client()
    await shared.owner.execute(
        "UPDATE oauth_clients SET security_profile = 'fapi2' WHERE client_id = $1",
        client.client_id,
    )
    await shared.oidc.invalidate(shared.ctx(), "client", client.client_id)
    shared.replica.oidc.caches.clear()
    sent = [("client_id", client.client_id), ("client_secret", client.client_secret or "")]
    token = [*sent, ("token", "x")]
    grant = [*sent, ("grant_type", "client_credentials")]
    for call in (
        PushAuthorization(params=[*shared.request(client).items(), sent[1]]),
        ExchangeToken(params=grant),
        IntrospectToken(params=token),
        RevokeToken(params=token),
    ):
        with pytest.raises(InvalidClient, match="key"):
            await shared.call(call)


@pytest.mark.parametrize("alg", ["ES256", "PS256", "EdDSA", "RS256"])
async def test_algorithms_of_the_client(shared: World, alg: str) -> None:
    """RS256 is refused, also for a key that has no `alg`."""
    key = ClientKey(alg)
    jwk = {name: value for name, value in key.jwks["keys"][0].items() if name != "alg"}
    client = await shared.client(**MEETS | {"jwks": {"keys": [jwk]}})
    if alg == "RS256":
        with pytest.raises(InvalidClient, match="profile"):
            await push(shared, client, key=key)
    else:
        assert (await push(shared, client, key=key)).expires_in == 60


@pytest.mark.parametrize("aud", [ORIGIN + "/oauth2/token", ORIGIN + "/oauth2/par", [ORIGIN]])
async def test_the_audience_is_the_issuer_alone(shared: World, aud: Any) -> None:
    client = await shared.client(**MEETS)
    with pytest.raises(InvalidClient):
        await push(shared, client, assertion={"aud": aud})
    assert (await push(shared, client, assertion={"aud": ORIGIN})).expires_in == 60


async def test_requests_are_pushed_with_their_redirect_uri(shared: World) -> None:
    client, ann = await shared.client(**MEETS), await shared.person()
    refused = fields(await shared.authorize(client, ann))
    assert refused["error"] == "invalid_request"
    with pytest.raises(OAuthError, match="redirect_uri"):
        await push(shared, client, redirect_uri=None, scope="email")
    with pytest.raises(OAuthError, match="code_challenge"):
        await push(shared, client, code_challenge=None, code_challenge_method=None, nonce="n")


async def test_a_code_lives_for_60_seconds(shared: World) -> None:
    """The deployment's setting is 600."""
    client, ann = await shared.client(**MEETS), await shared.person()
    pushed = await push(shared, client)
    params = [("client_id", client.client_id), ("request_uri", pushed.request_uri)]
    assert "code" in fields(await shared.call(Authorize(params=params, session=ann.session)))
    left = "SELECT extract(epoch FROM expires_at - now()) FROM authorization_codes WHERE client_id = $1"
    assert 50 < await shared.owner.fetchval(left, client.client_id) <= 60


async def test_every_grant_needs_a_binding(shared: World) -> None:
    """The endpoint asks the profile before any handler, so a grant type that comes later is bound, too."""
    types = list(get_args(GrantType))
    client = await shared.client(**MEETS | {"grant_types": types})
    for grant_type in types:
        sent = {"grant_type": grant_type} | KEY.assertion(client.client_id, ORIGIN)
        with pytest.raises(OAuthError) as refused:
            await shared.call(ExchangeToken(params=list(sent.items())))
        assert "DPoP" in refused.value.detail, grant_type


async def proven(world: World, key: DpopKey, path: str, call: Any) -> Any:
    """Sends a request with a proof, and once more with the nonce that is demanded."""
    nonce = None
    for _ in range(2):
        proof = key.proof("POST", ORIGIN + path, nonce=nonce)
        try:
            return await world.call(call(proof))
        except UseDpopNonce as demand:
            nonce = demand.extra["nonce"]
    raise AssertionError("the second nonce was refused")


@pytest.mark.parametrize("other", [False, True])
async def test_a_proof_at_the_push_binds_the_code(shared: World, other: bool) -> None:
    """RFC 9449 section 10.1: only that key redeems it. The tokens are bound."""
    client, ann, key = await shared.client(**MEETS), await shared.person(), DpopKey()

    def push_call(proof: str) -> PushAuthorization:
        sent = shared.request(client) | KEY.assertion(client.client_id, ORIGIN)
        return PushAuthorization(params=list(sent.items()), dpop=proof)

    pushed = await proven(shared, key, "/oauth2/par", push_call)
    params = [("client_id", client.client_id), ("request_uri", pushed.request_uri)]
    code = fields(await shared.call(Authorize(params=params, session=ann.session)))["code"]

    def exchange(proof: str) -> ExchangeToken:
        sent = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        sent |= {"code_verifier": VERIFIER} | KEY.assertion(client.client_id, ORIGIN)
        return ExchangeToken(params=list(sent.items()), dpop=proof)

    holder = DpopKey() if other else key
    if other:
        with pytest.raises(OAuthError) as refused:
            await proven(shared, holder, "/oauth2/token", exchange)
        assert refused.value.code in ("invalid_grant", "invalid_dpop_proof")
        return
    tokens = await proven(shared, holder, "/oauth2/token", exchange)
    assert tokens.token_type == "DPoP"
    assert (await shared.claims(tokens.access_token))["cnf"] == key.cnf


async def test_a_proof_and_dpop_jkt_of_different_keys(shared: World) -> None:
    client = await shared.client(**MEETS)

    def call(proof: str) -> PushAuthorization:
        sent = shared.request(client, dpop_jkt=DpopKey().thumbprint)
        sent |= KEY.assertion(client.client_id, ORIGIN)
        return PushAuthorization(params=list(sent.items()), dpop=proof)

    with pytest.raises(InvalidDpopProof):
        await proven(shared, DpopKey(), "/oauth2/par", call)


async def test_signed_answers_are_never_rs256(shared: World) -> None:
    """RS256 is the default of JARM, and the profile does not allow it."""
    client = await shared.client(**MEETS)
    answer = await shared.authorize(client, None, response_mode="jwt")
    assert jwt.get_unverified_header(fields(answer)["response"])["alg"] == "ES256"


def test_each_demand_has_a_name_of_its_own() -> None:
    names = [demand.name for demand in DEMANDS]
    assert len(names) == len(set(names))
