"""Tokens of guests, and tokens of somebody who acts as a user."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.kit.factories import Person
from tests.kit.oauth import fields
from tests.kit.world import World

from common.contracts.clients import NewClient
from common.contracts.oauth_errors import OAuthError
from common.contracts.tokens import CheckAccessToken
from common.contracts.userinfo import GetUserinfo
from common.ids import DASHBOARD, new_id

OFFLINE = "openid email offline_access account"


async def client_of(world: World, **more: Any) -> NewClient:
    more = {"first_party": True, **more}
    return await world.client(
        scopes=OFFLINE.split(), grant_types=["authorization_code", "refresh_token"], **more
    )


async def guest_of(world: World) -> Person:
    guest = await world.person(guest=True, email=None)
    return Person(guest.user_id, guest.session.model_copy(update={"guest": True}))


async def impersonated(world: World, app_id: str | None = None) -> tuple[Person, str]:
    """Returns a user with a session in which somebody acts as them, and the id of that somebody."""
    person, actor = await world.person(), new_id()
    await world.owner.execute(
        "UPDATE user_sessions SET actor_id = $3, actor_app_id = $4, actor_session = $5,"
        " actor_reason = 'ticket' WHERE app_id = $1 AND id = $2",
        world.app_id,
        person.session.session_id,
        actor,
        app_id or world.app_id,
        new_id(),
    )
    return replace(person, session=person.session.model_copy(update={"impersonated": True})), actor


async def test_tokens_tell_that_the_user_is_a_guest(shared: World) -> None:
    """ID token, access token, UserInfo and our own check say `guest`. A guest gets no
    `offline_access`; the refresh token ends with the session."""
    client = await client_of(shared)
    tokens = await shared.tokens(client, await guest_of(shared), scope=OFFLINE)

    assert (await shared.claims(tokens.id_token, client.client_id))["guest"] is True
    assert (await shared.claims(tokens.access_token))["guest"] is True
    userinfo = await shared.call(GetUserinfo(token=tokens.access_token))
    assert userinfo.model_dump()["guest"] is True
    assert (await shared.call(CheckAccessToken(token=tokens.access_token))).guest
    assert "offline_access" not in (tokens.scope or "")
    refreshed = await shared.refresh(client, tokens.refresh_token)
    assert (await shared.claims(refreshed.access_token))["guest"] is True


async def test_other_users_have_no_such_claims(shared: World) -> None:
    """Without a guest or an actor no token speaks of them."""
    client = await client_of(shared)
    tokens = await shared.tokens(client, await shared.person(), scope=OFFLINE)

    for claims in (
        await shared.claims(tokens.id_token, client.client_id),
        await shared.claims(tokens.access_token),
        (await shared.call(GetUserinfo(token=tokens.access_token))).model_dump(),
    ):
        assert not {"guest", "act"} & set(claims)
    assert "offline_access" in (tokens.scope or "")


async def test_a_stale_gateway_does_not_give_a_guest_offline_access(shared: World) -> None:
    """The row of the user decides, whatever the caller says of the session."""
    client = await client_of(shared)
    guest = await shared.person(guest=True)
    tokens = await shared.tokens(client, guest, scope=OFFLINE)

    assert "offline_access" not in (tokens.scope or "")


async def test_tokens_name_the_actor(shared: World) -> None:
    """`act` is an administrator of the application (RFC 8693 section 4.1). The subject stays the
    user. There is no refresh token."""
    client = await client_of(shared)
    person, actor = await impersonated(shared)
    tokens = await shared.tokens(client, person, scope=OFFLINE)

    for token, audience in ((tokens.id_token, client.client_id), (tokens.access_token, None)):
        claims = await shared.claims(token, audience)
        assert (claims["sub"], claims["act"]) == (person.user_id, {"sub": actor})
    assert tokens.refresh_token is None
    assert "offline_access" not in (tokens.scope or "")
    count = "SELECT count(*) FROM refresh_tokens WHERE app_id = $1 AND user_id = $2"
    assert await shared.owner.fetchval(count, shared.app_id, person.user_id) == 0
    checked = await shared.call(CheckAccessToken(token=tokens.access_token))
    assert (checked.actor_id, checked.actor_kind) == (actor, "user")


async def test_a_developer_is_named_with_the_issuer_of_the_dashboard(shared: World) -> None:
    """Subjects are unique at an issuer, so `act` of a developer has both."""
    client = await client_of(shared)
    person, actor = await impersonated(shared, DASHBOARD)
    tokens = await shared.tokens(client, person)

    act = (await shared.claims(tokens.access_token))["act"]
    assert act == {"iss": "https://dashboard.id.example.org", "sub": actor}
    checked = await shared.call(CheckAccessToken(token=tokens.access_token))
    assert (checked.actor_id, checked.actor_kind) == (actor, "developer")


@pytest.mark.parametrize("stale", [False, True])
async def test_a_third_party_gets_no_code(shared: World, stale: bool) -> None:
    """An actor signs in to first-party clients only, even if the user has consented before. Nothing
    is stored for the user."""
    client = await client_of(shared, first_party=False)
    person, _ = await impersonated(shared)
    await shared.owner.execute(
        "INSERT INTO consents (app_id, user_id, client_id, scopes) VALUES ($1, $2, $3, $4)",
        shared.app_id,
        person.user_id,
        client.client_id,
        OFFLINE.split(),
    )
    if stale:  # the gateway does not say that somebody acts
        person = replace(person, session=person.session.model_copy(update={"impersonated": False}))
        assert (await shared.authorize(client, person)).kind == "sign_in"
    else:
        assert fields(await shared.authorize(client, person))["error"] == "access_denied"
    codes = "SELECT count(*) FROM authorization_codes WHERE app_id = $1 AND user_id = $2"
    assert await shared.owner.fetchval(codes, shared.app_id, person.user_id) == 0


async def test_an_actor_consents_to_nothing(shared: World) -> None:
    """A client that wants to ask the user gets an error, and no consent is stored."""
    client = await client_of(shared)
    person, _ = await impersonated(shared)
    answer = fields(await shared.authorize(client, person, prompt="consent"))

    assert answer["error"] == "access_denied"
    count = "SELECT count(*) FROM consents WHERE app_id = $1 AND user_id = $2"
    assert await shared.owner.fetchval(count, shared.app_id, person.user_id) == 0


async def test_tokens_end_with_the_impersonation(shared: World) -> None:
    """The access token dies with the session in which it was issued."""
    client = await client_of(shared)
    person, _ = await impersonated(shared)
    tokens = await shared.tokens(client, person)
    await shared.owner.execute(
        "UPDATE user_sessions SET revoked_at = now() WHERE app_id = $1 AND id = $2",
        shared.app_id,
        person.session.session_id,
    )
    await shared.invalidation.publish(shared.ctx(), "session", person.session.session_id)

    refusal = await shared.refused(CheckAccessToken(token=tokens.access_token))
    assert isinstance(refusal, OAuthError)
