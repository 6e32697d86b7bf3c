"""Revocation (RFC 7009) and introspection (RFC 7662): a revoked token is refused at once."""

from __future__ import annotations

from typing import Any

import pytest
from tests.kit.oauth import basic_of, fields
from tests.kit.world import World

from common.contracts.clients import NewClient, UpdateClient
from common.contracts.oauth_errors import InvalidClient, InvalidGrant, InvalidToken
from common.contracts.rights import Rights
from common.contracts.tokens import CheckAccessToken, Introspection, IntrospectToken, RevokeToken
from common.contracts.userinfo import GetUserinfo
from oidc.client_cache import find_registered


def told(client: NewClient, token: str | None, **more: str) -> dict[str, Any]:
    assert token is not None
    assert client.client_secret is not None
    return {
        "params": [("token", token), *more.items()],
        "basic": basic_of(client.client_id, client.client_secret),
    }


async def introspected(world: World, client: NewClient, token: str | None) -> Introspection:
    answer = await world.call(IntrospectToken(**told(client, token)))
    assert isinstance(answer, Introspection)
    return answer


async def test_a_live_token_is_described(shared: World) -> None:
    """Its own client learns the user, the audience and the expiry."""
    client, ann = await shared.client(), await shared.person()
    tokens = await shared.tokens(client, ann)
    access = (await introspected(shared, client, tokens.access_token)).model_dump()
    refresh = (await introspected(shared, client, tokens.refresh_token)).model_dump()

    assert access["active"] is True
    assert (access["sub"], access["scope"]) == (ann.user_id, "openid email")
    assert access["client_id"] == client.client_id
    assert refresh["active"] is True
    assert refresh["exp"] > access["exp"]


async def test_another_clients_token_is_inactive_and_nothing_more(shared: World) -> None:
    """Random text gets the same answer."""
    client, other, ann = await shared.client(), await shared.client(), await shared.person()
    tokens = await shared.tokens(client, ann)

    for token in (tokens.access_token, tokens.refresh_token, tokens.id_token, "x", "rt_x", "at_x"):
        answer = await introspected(shared, other, token)
        assert answer.model_dump() == {"active": False}


async def test_an_api_introspects_tokens_for_it(shared: World) -> None:
    """The client of an API sees the tokens whose audience the API is."""
    from common.contracts.resources import CreateResource

    identifier = "https://api.introspects.test"
    await shared.admin(CreateResource(identifier=identifier, name="API"))
    api = await shared.client(
        type="service", redirect_uris=[], scopes=[], default_resources=[identifier]
    )
    client, ann = await shared.client(), await shared.person()
    tokens = await shared.tokens(client, ann, resource=identifier)

    assert (await introspected(shared, api, tokens.access_token)).active


async def test_introspection_needs_a_secret(shared: World) -> None:
    """A public client may not introspect, nor may a caller without credentials."""
    public = await shared.client(type="spa")
    with pytest.raises(InvalidClient):
        await shared.call(IntrospectToken(params=[("token", "x"), ("client_id", public.client_id)]))
    with pytest.raises(InvalidClient):
        await shared.call(IntrospectToken(params=[("token", "x")]))


async def test_a_revoked_access_token_is_dead_at_once(shared: World) -> None:
    """Our endpoints and their caches refuse it. Its sibling stays valid."""
    client, ann = await shared.client(), await shared.person()
    tokens = await shared.tokens(client, ann)
    await shared.call(CheckAccessToken(token=tokens.access_token))
    await shared.call(RevokeToken(**told(client, tokens.access_token)))

    with pytest.raises(InvalidToken):
        await shared.call(CheckAccessToken(token=tokens.access_token))
    assert not (await introspected(shared, client, tokens.access_token)).active
    assert (await shared.refresh(client, tokens.refresh_token)).access_token


async def test_a_revoked_refresh_token_takes_its_access_tokens_along(shared: World) -> None:
    """The hint does not matter. The other replica refuses them too."""
    client, ann = await shared.client(), await shared.person()
    tokens = await shared.tokens(client, ann)
    await shared.replica.bus.call(shared.ctx(), CheckAccessToken(token=tokens.access_token))
    hint = {"token_type_hint": "access_token"}
    await shared.call(RevokeToken(**told(client, tokens.refresh_token, **hint)))

    with pytest.raises(InvalidGrant):
        await shared.refresh(client, tokens.refresh_token)
    with pytest.raises(InvalidToken):
        await shared.replica.bus.call(shared.ctx(), CheckAccessToken(token=tokens.access_token))


async def test_another_clients_token_is_not_revoked(shared: World) -> None:
    """The answer is the same, and nothing happens."""
    client, other, ann = await shared.client(), await shared.client(), await shared.person()
    tokens = await shared.tokens(client, ann)
    for token in (tokens.access_token, tokens.refresh_token, "nonsense"):
        await shared.call(RevokeToken(**told(other, token)))

    assert (await introspected(shared, client, tokens.access_token)).active
    assert await shared.refresh(client, tokens.refresh_token)


async def test_a_disabled_clients_tokens_are_dead(shared: World) -> None:
    """Tokens for users and the client's own are refused."""
    client, ann = await shared.client(), await shared.person()
    tokens = await shared.tokens(client, ann)
    await shared.call(CheckAccessToken(token=tokens.access_token))
    await shared.admin(UpdateClient(client=client.id, changes={"enabled": False}))

    with pytest.raises(InvalidToken):
        await shared.call(CheckAccessToken(token=tokens.access_token))


@pytest.mark.parametrize("format", ["jwt", "opaque"])
async def test_a_disabled_client_gets_nothing(shared: World, format: str) -> None:
    """Its code, refresh token and secret are refused, and so are its tokens of both forms."""
    client, ann = await shared.client(access_token_format=format), await shared.person()
    tokens, code = await shared.tokens(client, ann), await shared.code(client, ann)
    await shared.admin(UpdateClient(client=client.id, changes={"enabled": False}))
    for attempt in (
        shared.redeem(client, code),
        shared.refresh(client, tokens.refresh_token),
        introspected(shared, client, tokens.access_token),
    ):
        with pytest.raises(InvalidClient):
            await attempt

    with pytest.raises(InvalidToken):
        await shared.call(CheckAccessToken(token=tokens.access_token))


@pytest.mark.parametrize("rotating", [True, False])
@pytest.mark.parametrize("format", ["jwt", "opaque"])
async def test_a_client_enabled_again_gets_nothing_back(
    shared: World, format: str, rotating: bool
) -> None:
    """Codes, refresh tokens (also within the grace) and access tokens stay revoked on each replica.
    Consents stay."""
    client = await shared.client(
        access_token_format=format,
        rotate_refresh_tokens=rotating,
        first_party=False,
        grant_types=["authorization_code", "refresh_token", "client_credentials"],
        scopes=["openid", "email", "offline_access", "reports"],
    )
    ann = await shared.person()
    asked = await shared.authorize(client, ann, scope="openid offline_access")
    done = await shared.resume(asked.request, ann, consent="allow")
    first = await shared.redeem(client, fields(done)["code"])
    second = await shared.refresh(client, first.refresh_token)
    code = await shared.code(client, ann, scope="openid offline_access")
    own = await shared.token(client, grant_type="client_credentials", scope="reports")
    access = [first.access_token, second.access_token, own.access_token]
    for token in access:
        await shared.replica.bus.call(shared.ctx(), CheckAccessToken(token=token))

    await shared.admin(UpdateClient(client=client.id, changes={"enabled": False}))
    await shared.admin(UpdateClient(client=client.id, changes={"enabled": True}))

    for bus in (shared.bus, shared.replica.bus):
        for refresh in (first.refresh_token, second.refresh_token):
            with pytest.raises(InvalidGrant):
                await shared.refresh(client, refresh, bus=bus)
        with pytest.raises(InvalidGrant):
            await shared.redeem(client, code, bus=bus)
        for token in access:
            with pytest.raises(InvalidToken):
                await bus.call(shared.ctx(), CheckAccessToken(token=token))
            with pytest.raises(InvalidToken):
                await bus.call(shared.ctx(), GetUserinfo(token=token))
    for dead in [*access, first.refresh_token, second.refresh_token]:
        assert (await introspected(shared, client, dead)).model_dump() == {"active": False}

    again = await shared.tokens(client, ann, scope="openid offline_access")
    assert (await introspected(shared, client, again.access_token)).active
    assert (await introspected(shared, client, again.refresh_token)).active
    assert (await shared.refresh(client, again.refresh_token)).access_token
    own = await shared.token(client, grant_type="client_credentials")
    assert (await introspected(shared, client, own.access_token)).active


async def test_a_replica_that_has_not_heard_yet_revives_nothing(shared: World) -> None:
    """Tokens that it still issues for the disabled client have the old epoch, and are refused with
    it."""
    client, ann = await shared.client(), await shared.person()
    code = await shared.code(client, ann)
    key = (shared.app_id, "client", client.client_id)
    stale = await find_registered(shared.replica.oidc, shared.ctx(), client.client_id)
    assert stale is not None
    await shared.admin(UpdateClient(client=client.id, changes={"enabled": False}))
    shared.replica.oidc.caches.clients.put(key, stale, [("client", client.client_id)])
    late = await shared.redeem(client, code, bus=shared.replica.bus)
    await shared.admin(UpdateClient(client=client.id, changes={"enabled": True}))

    with pytest.raises(InvalidToken):
        await shared.call(CheckAccessToken(token=late.access_token))
    with pytest.raises(InvalidGrant):
        await shared.refresh(client, late.refresh_token)


async def test_disabling_and_enabling_a_client_are_in_the_log(world: World) -> None:
    """Each is recorded once, beside the change. Repeating it is not recorded."""
    client = await world.client()
    for enabled in (False, False, True, True):
        await world.admin(UpdateClient(client=client.id, changes={"enabled": enabled}))

    told = await world.event_types("client_disabled", "client_enabled")
    assert told == ["client_disabled", "client_enabled"]


async def test_opaque_tokens(shared: World) -> None:
    """They carry no data, and are checked, introspected and revoked like the others."""
    client, ann = await shared.client(access_token_format="opaque"), await shared.person()
    tokens = await shared.tokens(client, ann)
    assert tokens.access_token.count(".") == 0
    held = await shared.call(CheckAccessToken(token=tokens.access_token))
    assert held.user_id == ann.user_id
    assert (await introspected(shared, client, tokens.access_token)).active

    await shared.call(RevokeToken(**told(client, tokens.access_token)))
    with pytest.raises(InvalidToken):
        await shared.call(CheckAccessToken(token=tokens.access_token))


async def test_a_lost_permission_is_lost_in_tokens_too(shared: World) -> None:
    """The token carries the permission, but its user no longer holds it."""
    client = await shared.client(scopes=["openid", "users:read"])
    ann = await shared.person()
    shared.stand_ins.rbac.rights[ann.user_id] = Rights(permissions=["users:read"])
    tokens = await shared.tokens(client, ann, scope="openid users:read")
    held = await shared.call(CheckAccessToken(token=tokens.access_token))
    assert held.permissions == ["users:read"]

    shared.stand_ins.rbac.rights[ann.user_id] = Rights()
    shared.oidc.caches.drop(shared.app_id, "rights", ann.user_id)
    held = await shared.call(CheckAccessToken(token=tokens.access_token))
    assert held.permissions == []


async def test_a_token_for_an_api_is_not_one_for_us(shared: World) -> None:
    """Its audience is that API alone, so our own endpoints refuse it."""
    from common.contracts.resources import CreateResource
    from common.contracts.userinfo import GetUserinfo

    identifier = "https://api.example.test"
    await shared.admin(CreateResource(identifier=identifier, name="API", access_token_lifetime=120))
    client, ann = await shared.client(), await shared.person()
    tokens = await shared.tokens(client, ann, resource=identifier)
    assert (await shared.claims(tokens.access_token, identifier))["aud"] == identifier
    assert tokens.expires_in == 120

    for asked in (
        CheckAccessToken(token=tokens.access_token),
        GetUserinfo(token=tokens.access_token),
    ):
        with pytest.raises(InvalidToken):
            await shared.call(asked)
