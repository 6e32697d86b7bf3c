"""Refresh tokens (RFC 6749 section 6, RFC 9700 section 4.14): one valid successor, and no false
sign-out."""

from __future__ import annotations

import asyncio

import pytest
from tests.kit.factories import Person
from tests.kit.oauth import basic_of
from tests.kit.world import World

from common.contracts.oauth_errors import (
    InvalidGrant,
    InvalidScope,
    InvalidTarget,
    InvalidToken,
    OAuthError,
)
from common.contracts.resources import CreateResource
from common.contracts.tokens import CheckAccessToken, RevokeToken, Tokens
from common.ids import new_id


async def aged(world: World, seconds: float) -> None:
    """Makes all rotations older by this time."""
    await world.owner.execute(
        """UPDATE refresh_tokens SET rotated_at = rotated_at - make_interval(secs => $1),
                                     used_at = used_at - make_interval(secs => $1)
           WHERE used_at IS NOT NULL""",
        seconds,
    )


@pytest.mark.fault("F26")
async def test_a_hundred_at_once_over_two_replicas(world: World) -> None:
    """One request rotates the token. All get the same successor, and it is valid."""
    client, ann = await world.client(), await world.person()
    first = await world.tokens(client, ann)
    answers = await asyncio.gather(
        *(
            world.refresh(client, first.refresh_token, bus=(world.bus, world.replica.bus)[n % 2])
            for n in range(100)
        )
    )

    assert len({answer.refresh_token for answer in answers}) == 1
    assert await world.owner.fetchval("SELECT count(*) FROM refresh_tokens") == 2
    assert [made.event_type for made in world.activity_of(ann.user_id)].count(
        "token_refreshed"
    ) == 1
    assert (await world.refresh(client, answers[0].refresh_token)).access_token


async def test_a_repeated_refresh_gets_the_same_successor(world: World) -> None:
    """A client that lost the answer repeats the request and gets the same successor with the same
    jti."""
    client, ann = await world.client(), await world.person()
    first = await world.tokens(client, ann)
    once = await world.refresh(client, first.refresh_token)
    again = await world.refresh(client, first.refresh_token)

    assert again.refresh_token == once.refresh_token
    hers, same = await world.claims(once.access_token), await world.claims(again.access_token)
    assert (hers["jti"], hers["exp"]) == (same["jti"], same["exp"])


@pytest.mark.parametrize("rotates", [True, False])
async def test_tokens_that_differ_have_two_identifiers(world: World, rotates: bool) -> None:
    """One refresh token gives a narrower token and then a wider one. Revoking one does not revoke
    the other (RFC 7519 section 4.1.7)."""
    client = await world.client(rotate_refresh_tokens=rotates)
    tokens = await world.tokens(client, await world.person(), scope="openid email")
    narrow = await world.refresh(client, tokens.refresh_token, scope="openid")
    wide = await world.refresh(client, tokens.refresh_token)
    assert narrow.refresh_token == wide.refresh_token
    found = [await world.claims(one.access_token) for one in (tokens, narrow, wide)]
    assert len({claims["jti"] for claims in found}) == 3

    credentials = basic_of(client.client_id, client.client_secret or "")
    revoked = RevokeToken(params=[("token", narrow.access_token)], basic=credentials)
    await world.call(revoked)
    with pytest.raises(InvalidToken):
        await world.call(CheckAccessToken(token=narrow.access_token))
    await world.call(CheckAccessToken(token=wide.access_token))


async def test_reuse_after_the_grace_revokes_the_family(world: World) -> None:
    """The reuse is audited, and every token of the family is revoked."""
    client, ann = await world.client(), await world.person()
    first = await world.tokens(client, ann)
    second = await world.refresh(client, first.refresh_token)
    await aged(world, 11)

    with pytest.raises(InvalidGrant):
        await world.refresh(client, first.refresh_token)
    with pytest.raises(InvalidGrant):
        await world.refresh(client, second.refresh_token)
    with pytest.raises(InvalidToken):
        await world.call(CheckAccessToken(token=second.access_token))
    assert await world.event_types("refresh_token_reused") == ["refresh_token_reused"]
    assert (world.app_id, "token") in {(app, noun) for app, noun, _ in world.invalidation.published}


@pytest.mark.fault("F26")
async def test_reuse_of_an_older_token_revokes_the_family_within_the_grace(world: World) -> None:
    """Once the successor was used, the token before it has no grace."""
    client, ann = await world.client(), await world.person()
    first = await world.tokens(client, ann)
    second = await world.refresh(client, first.refresh_token)
    third = await world.refresh(client, second.refresh_token)

    with pytest.raises(InvalidGrant):
        await world.refresh(client, first.refresh_token)
    with pytest.raises(InvalidGrant):
        await world.refresh(client, third.refresh_token)


async def test_a_stolen_token_of_another_client_ends_nothing(world: World) -> None:
    """Another client that presents a used token cannot sign anybody out."""
    client, thief, ann = await world.client(), await world.client(), await world.person()
    first = await world.tokens(client, ann)
    second = await world.refresh(client, first.refresh_token)
    await aged(world, 60)
    with pytest.raises(InvalidGrant):
        await world.refresh(thief, first.refresh_token)

    assert await world.refresh(client, second.refresh_token)


async def test_the_successor_cannot_be_computed_without_the_key(world: World) -> None:
    """The successor depends on our key, so nobody who has a token can compute the next."""
    client, ann = await world.client(), await world.person()
    first = await world.tokens(client, ann)
    second = await world.refresh(client, first.refresh_token)
    assert first.refresh_token is not None
    assert second.refresh_token is not None

    rows = await world.owner.fetch("SELECT token_hash FROM refresh_tokens")
    assert all(second.refresh_token[3:] not in row["token_hash"] for row in rows)
    assert len(second.refresh_token) == len(first.refresh_token) == 46


async def test_scopes_may_be_fewer_never_more(world: World) -> None:
    """The next refresh still has all granted scopes."""
    client, ann = await world.client(), await world.person()
    first = await world.tokens(client, ann, scope="openid email")
    narrow = await world.refresh(client, first.refresh_token, scope="openid")
    assert narrow.scope == "openid"
    whole = await world.refresh(client, narrow.refresh_token)
    assert whole.scope == "openid email"

    with pytest.raises(InvalidScope):
        await world.refresh(client, whole.refresh_token, scope="openid profile")


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"scope": "openid email phone"}, InvalidScope),
        ({"resource": "https://b.refresh.test"}, InvalidTarget),
        ({"resource": "https://unknown.test"}, InvalidTarget),
    ],
)
async def test_a_refused_refresh_keeps_the_token(
    world: World, more: dict[str, str], problem: type[OAuthError]
) -> None:
    """A refused request does not rotate the token: long after, the same token still works."""
    for name in ("a", "b"):
        request = CreateResource(identifier=f"https://{name}.refresh.test", name=name)
        await world.admin(request)
    client, ann = await world.client(), await world.person()
    tokens = await world.tokens(client, ann, resource="https://a.refresh.test")
    for _ in range(2):
        with pytest.raises(problem):
            await world.refresh(client, tokens.refresh_token, **more)
    await aged(world, 11)

    again = await world.refresh(client, tokens.refresh_token, resource="https://a.refresh.test")
    assert (await world.claims(again.access_token, "https://a.refresh.test"))["aud"]
    assert await world.event_types("refresh_token_reused") == []


async def test_the_absolute_lifetime_holds(world: World) -> None:
    """Using a token never extends it beyond the absolute lifetime."""
    client = await world.client(refresh_token_lifetime=100, refresh_token_max_lifetime=100)
    first = await world.tokens(client, await world.person())
    await world.owner.execute(
        """UPDATE refresh_tokens SET absolute_expires_at = now() + interval '40 seconds',
                                     expires_at = now() + interval '40 seconds'"""
    )
    await world.refresh(client, first.refresh_token)
    left = await world.owner.fetchval(
        "SELECT extract(epoch FROM max(expires_at) - now()) FROM refresh_tokens WHERE generation = 1"
    )
    assert left <= 40


async def test_an_expired_token_is_dead_and_ends_nothing(world: World) -> None:
    """It is only old, and no sign of theft."""
    client, ann = await world.client(), await world.person()
    first = await world.tokens(client, ann)
    await world.owner.execute("UPDATE refresh_tokens SET expires_at = now()")
    with pytest.raises(InvalidGrant):
        await world.refresh(client, first.refresh_token)

    assert await world.owner.fetchval(
        "SELECT count(*) FROM token_families WHERE revoked_at IS NULL"
    )


async def test_online_grants_end_with_the_session_and_offline_ones_go_on(world: World) -> None:
    """`offline_access` lets a grant outlive its session."""
    client, ann = await world.client(), await world.person()
    online = await world.tokens(client, ann, scope="openid")
    offline = await world.tokens(client, ann, scope="openid offline_access")
    await world.owner.execute("UPDATE user_sessions SET revoked_at = now()")

    with pytest.raises(InvalidGrant):
        await world.refresh(client, online.refresh_token)
    assert await world.refresh(client, offline.refresh_token)


async def test_a_replaced_session_takes_its_grants_along(world: World) -> None:
    """A new session id after a change of password is no sign-out, even twice."""
    client, ann = await world.client(), await world.person()
    tokens = await world.tokens(client, ann, scope="openid")
    before = ann.session.session_id
    for _ in range(2):
        after = (await world.session(ann.user_id)).session_id
        await world.owner.execute(
            "UPDATE user_sessions SET previous_id = $2 WHERE id = $1", after, before
        )
        await world.owner.execute(
            """UPDATE user_sessions SET revoked_at = now(), revoked_reason = 'replaced'
               WHERE id = $1""",
            before,
        )
        before = after

    world.oidc.caches.clear()
    held = await world.call(CheckAccessToken(token=tokens.access_token))
    assert held.session_id == before
    fresh = await world.refresh(client, tokens.refresh_token)
    await world.owner.execute("UPDATE user_sessions SET revoked_at = now()")
    with pytest.raises(InvalidGrant):
        await world.refresh(client, fresh.refresh_token)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE users SET disabled = true",
        "UPDATE users SET epoch = epoch + 1",
        "DELETE FROM users",
        "UPDATE token_families SET revoked_at = now()",
    ],
)
async def test_no_token_survives_its_revocation(world: World, statement: str) -> None:
    """After disabling, reset, deletion or revocation no token is accepted, offline or not."""
    client, ann = await world.client(), await world.person()
    tokens = await world.tokens(client, ann, scope="openid offline_access")
    await world.owner.execute(statement)

    with pytest.raises(InvalidGrant):
        await world.refresh(client, tokens.refresh_token)
    with pytest.raises(InvalidToken):
        await world.call(CheckAccessToken(token=tokens.access_token))


async def test_a_public_client_rotates_too(world: World) -> None:
    """It sends its client_id only."""
    client, ann = await world.client(type="spa"), await world.person()
    assert client.client_secret is None
    first = await world.tokens(client, ann)

    assert await world.refresh(client, first.refresh_token)


async def test_a_client_may_keep_its_token(world: World) -> None:
    """Without rotation the token stays the same, and presenting it again is no reuse (FAPI 2.0)."""
    client, ann = await world.client(rotate_refresh_tokens=False), await world.person()
    first = await world.tokens(client, ann)
    for _ in range(3):
        answer = await world.refresh(client, first.refresh_token)
        assert answer.refresh_token == first.refresh_token


async def test_the_user_and_application_are_their_own(world: World) -> None:
    """A token of another application is unknown, even if both have the same client_id."""
    client, ann = await world.client(), await world.person()
    tokens = await world.tokens(client, ann)
    other = await world.application()
    await world.owner.execute(
        """INSERT INTO oauth_clients (app_id, id, client_id, name, redirect_uris,
                                      token_endpoint_auth_method)
           VALUES ($1, $2, $3, 'twin', '{https://rp.example.com/cb}', 'none')""",
        other,
        new_id(),
        client.client_id,
    )
    twin = client.model_copy(update={"client_secret": None})
    here, world.app_id = world.app_id, other
    try:
        with pytest.raises(InvalidGrant):
            await world.refresh(twin, tokens.refresh_token)
        with pytest.raises(InvalidToken):
            await world.call(CheckAccessToken(token=tokens.access_token))
    finally:
        world.app_id = here

    assert isinstance(await world.refresh(client, tokens.refresh_token), Tokens)
    assert isinstance(ann, Person)
