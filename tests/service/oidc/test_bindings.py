"""What tokens are bound to (RFC 7800): it follows the token, and is never dropped."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.kit.factories import CALLBACK, Person
from tests.kit.oauth import VERIFIER, basic_of
from tests.kit.world import World

from common.contracts.clients import NewClient
from common.contracts.oauth_errors import InvalidDpopProof, InvalidGrant, InvalidToken
from common.contracts.tokens import CheckAccessToken, IntrospectToken, Tokens
from common.contracts.userinfo import GetUserinfo
from oidc import oauth_parameters
from oidc.client_cache import find_registered
from oidc.grants import GRANTS
from oidc.token_request import TokenRequest

KEY, OTHER_KEY = {"jkt": "a" * 43}, {"jkt": "b" * 43}
CERTIFICATE = {"x5t#S256": "c" * 43}
DETAILS = [{"type": "payment", "amount": "12.00"}]


async def exchange(
    world: World, client: NewClient, cnf: dict[str, str] | None, **params: str
) -> Tokens:
    """Redeems a grant as a request that has proven `cnf`."""
    ctx = world.ctx()
    registered = await find_registered(world.oidc, ctx, client.client_id)
    assert registered is not None
    parameters = oauth_parameters.without_repeats(list(params.items()))
    return await GRANTS[params["grant_type"]](
        world.oidc, ctx, TokenRequest(registered, parameters, cnf)
    )


async def bound_tokens(
    world: World, client: NewClient, person: Person, cnf: dict[str, str] = KEY
) -> Tokens:
    return await exchange(
        world,
        client,
        cnf,
        grant_type="authorization_code",
        code=await world.code(client, person),
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    )


async def refresh(
    world: World, client: NewClient, tokens: Tokens, cnf: dict[str, str] | None
) -> Tokens:
    token = tokens.refresh_token or ""
    return await exchange(world, client, cnf, grant_type="refresh_token", refresh_token=token)


async def public_client(world: World, **more: Any) -> NewClient:
    return await world.client(
        type="spa", token_endpoint_auth_method="none", require_pkce=True, **more
    )


@pytest.mark.parametrize("form", ["jwt", "opaque"])
async def test_tokens_and_introspection_show_the_binding(shared: World, form: str) -> None:
    """`cnf` is in the access token, and in the introspection of it and of the refresh token."""
    client = await shared.client(access_token_format=form)
    tokens = await bound_tokens(shared, client, await shared.person())
    basic = basic_of(client.client_id, client.client_secret or "")

    assert tokens.token_type == "DPoP"
    if form == "jwt":
        assert (await shared.claims(tokens.access_token))["cnf"] == KEY
    for token in (tokens.access_token, tokens.refresh_token or ""):
        told = await shared.call(IntrospectToken(params=[("token", token)], basic=basic))
        assert told.active
        assert told.model_dump()["cnf"] == KEY
    told = await shared.call(IntrospectToken(params=[("token", tokens.access_token)], basic=basic))
    assert told.model_dump()["token_type"] == "DPoP"


async def test_a_certificate_leaves_the_type_bearer(shared: World) -> None:
    """RFC 8705 has no token type of its own."""
    tokens = await bound_tokens(shared, await shared.client(), await shared.person(), CERTIFICATE)

    assert tokens.token_type == "Bearer"
    assert (await shared.claims(tokens.access_token))["cnf"] == CERTIFICATE


@pytest.mark.parametrize("form", ["jwt", "opaque"])
async def test_a_bound_token_is_no_bearer_token(shared: World, form: str) -> None:
    """Trap: a bound token as Bearer is refused by our own API and by UserInfo."""
    client = await shared.client(access_token_format=form)
    token = (await bound_tokens(shared, client, await shared.person())).access_token
    with pytest.raises(InvalidToken):
        await shared.call(CheckAccessToken(token=token))
    with pytest.raises(InvalidToken):
        await shared.call(GetUserinfo(token=token))


@pytest.mark.parametrize("rotates", [True, False])
async def test_a_bound_refresh_token_needs_a_proof(shared: World, rotates: bool) -> None:
    """Without one the answer says so, and the token is not used up."""
    client = await shared.client(rotate_refresh_tokens=rotates)
    tokens = await bound_tokens(shared, client, await shared.person())
    with pytest.raises(InvalidDpopProof):
        await shared.refresh(client, tokens.refresh_token)

    second = await refresh(shared, client, tokens, KEY)
    assert (await shared.claims(second.access_token))["cnf"] == KEY
    with pytest.raises(InvalidDpopProof):
        await shared.refresh(client, second.refresh_token)


async def test_a_repeated_refresh_needs_the_proof_too(shared: World) -> None:
    """The grace for a lost answer is no way around the key."""
    client = await public_client(shared)
    tokens = await bound_tokens(shared, client, await shared.person())
    second = await refresh(shared, client, tokens, KEY)
    with pytest.raises(InvalidDpopProof):
        await shared.refresh(client, tokens.refresh_token)
    with pytest.raises(InvalidGrant):
        await refresh(shared, client, tokens, OTHER_KEY)

    assert (await refresh(shared, client, tokens, KEY)).refresh_token == second.refresh_token


async def test_a_public_client_keeps_its_key(shared: World) -> None:
    """Its refresh tokens are worth nothing with another key (RFC 9449 section 5)."""
    client = await public_client(shared)
    tokens = await bound_tokens(shared, client, await shared.person())
    for other in (OTHER_KEY, CERTIFICATE):
        with pytest.raises(InvalidGrant):
            await refresh(shared, client, tokens, other)

    assert (await refresh(shared, client, tokens, KEY)).access_token


@pytest.mark.parametrize("rotates", [True, False])
async def test_a_confidential_client_may_change_its_key(shared: World, rotates: bool) -> None:
    """It has authenticated, so its new tokens are bound to the new key; never to a certificate
    instead."""
    client = await shared.client(rotate_refresh_tokens=rotates)
    tokens = await bound_tokens(shared, client, await shared.person())
    with pytest.raises(InvalidGrant):
        await refresh(shared, client, tokens, CERTIFICATE)

    second = await refresh(shared, client, tokens, OTHER_KEY)
    assert (await shared.claims(second.access_token))["cnf"] == OTHER_KEY


async def test_an_unbound_refresh_token_is_bound_from_then_on(shared: World) -> None:
    """A client that begins to prove a key gets bound tokens, and its next refresh needs the key."""
    client = await public_client(shared)
    tokens = await shared.tokens(client, await shared.person())
    second = await refresh(shared, client, tokens, KEY)

    assert (await shared.claims(second.access_token))["cnf"] == KEY
    with pytest.raises(InvalidDpopProof):
        await shared.refresh(client, second.refresh_token)


@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize("unknown", [{"kid": "x"}, {"jkt": KEY["jkt"], "kid": "x"}])
async def test_a_binding_of_unknown_kind_is_refused(
    world: World, public: bool, unknown: dict[str, str]
) -> None:
    """Trap: something that a newer version has bound the token to is not ignored."""
    client = await (public_client(world) if public else world.client())
    tokens = await bound_tokens(world, client, await world.person())
    await world.owner.execute(
        "UPDATE refresh_tokens SET cnf = $1::text::jsonb", json.dumps(unknown)
    )
    for cnf in (None, KEY, OTHER_KEY):
        with pytest.raises(InvalidGrant):
            await refresh(world, client, tokens, cnf)


async def test_details_follow_the_grant(world: World) -> None:
    """`authorization_details` of a refresh token come back in the answer, in the token and in
    introspection (RFC 9396 sections 7 and 9), and in the next refresh."""
    client = await world.client()
    tokens = await world.tokens(client, await world.person())
    await world.owner.execute(
        "UPDATE refresh_tokens SET authorization_details = $1::text::jsonb", json.dumps(DETAILS)
    )
    basic = basic_of(client.client_id, client.client_secret or "")
    for _ in range(2):
        tokens = await world.refresh(client, tokens.refresh_token)
        assert tokens.authorization_details == DETAILS
        assert (await world.claims(tokens.access_token))["authorization_details"] == DETAILS
        request = IntrospectToken(params=[("token", tokens.access_token)], basic=basic)
        assert (await world.call(request)).model_dump()["authorization_details"] == DETAILS


async def test_a_client_that_proves_nothing_gets_bearer_tokens(shared: World) -> None:
    """Nothing in the answer or in the token speaks of bindings."""
    tokens = await shared.tokens(await shared.client(), await shared.person())
    claims = await shared.claims(tokens.access_token)

    assert tokens.token_type == "Bearer"
    assert not {"cnf", "authorization_details"} & claims.keys()
    assert tokens.authorization_details is None
