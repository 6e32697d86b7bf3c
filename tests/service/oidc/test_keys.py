"""Signing keys are published before they sign, and kept until their last token has expired."""

from __future__ import annotations

import asyncio

import jwt
import pytest
from tests.kit.world import World

from common.context import SYSTEM_CALLER, Caller
from common.contracts.keys import (
    EnsureKeys,
    GetJwks,
    ListSigningKeys,
    PublishedKey,
    RotateKeys,
    RotateSigningKeys,
    TooManySigningKeys,
)
from common.contracts.sessions import FreshSignInNeeded
from common.contracts.tokens import CheckAccessToken
from common.ids import new_id
from common.problems import Forbidden, Unauthenticated


async def kids(world: World) -> list[str]:
    return [key["kid"] for key in (await world.call(GetJwks())).keys]


def kid_of(token: str | None) -> str:
    assert token is not None
    return str(jwt.get_unverified_header(token)["kid"])


async def test_an_application_starts_with_two_keys(world: World) -> None:
    """They are RS256 and ES256. A second call creates none, nor do two replicas at once."""
    await asyncio.gather(
        *(
            bus.call(world.ctx(SYSTEM_CALLER), EnsureKeys())
            for bus in (world.bus, world.replica.bus) * 5
        )
    )
    jwks = (await world.call(GetJwks())).keys

    assert sorted(key["alg"] for key in jwks) == ["ES256", "RS256"]


async def test_private_parts_are_sealed(world: World) -> None:
    """Without the master key nobody can sign with the stored keys."""
    rows = await world.owner.fetch("SELECT private_sealed, public_jwk FROM signing_keys")

    assert all(row["private_sealed"].startswith("v1.k1.") for row in rows)
    assert all('"d"' not in row["public_jwk"] for row in rows)


async def test_the_next_key_is_published_and_does_not_sign_yet(world: World) -> None:
    """Relying parties have a day to fetch it."""
    client, ann = await world.client(), await world.person()
    before = kid_of((await world.tokens(client, ann)).id_token)
    await world.call(RotateKeys(), SYSTEM_CALLER)

    assert len(await kids(world)) == 4
    assert kid_of((await world.tokens(client, ann)).id_token) == before


async def test_the_next_key_signs_when_its_time_comes_and_the_old_one_goes_last(
    world: World,
) -> None:
    """Tokens of both keys verify until the last token of the old key has expired."""
    client, ann = await world.client(), await world.person()
    old = await world.tokens(client, ann)
    await world.call(RotateKeys(), SYSTEM_CALLER)
    await world.owner.execute("UPDATE signing_keys SET not_before = now() WHERE state = 'next'")
    world.oidc.caches.clear()
    new = await world.tokens(client, ann)
    assert kid_of(new.id_token) != kid_of(old.id_token)
    for token in (old.access_token, new.access_token):
        await world.call(CheckAccessToken(token=token))
        await world.claims(token)

    await world.owner.execute("UPDATE signing_keys SET retire_at = now() WHERE state = 'retiring'")
    world.oidc.caches.clear()
    assert kid_of(old.id_token) not in await kids(world)
    gone = await world.owner.fetch(
        "SELECT private_sealed FROM signing_keys WHERE state = 'retired'"
    )
    assert [row["private_sealed"] for row in gone] == [None, None]


async def test_keys_rotate_by_themselves(world: World) -> None:
    """The next key is published a day before the active one is too old."""
    await world.owner.execute("UPDATE signing_keys SET activated_at = now() - interval '89.5 days'")
    world.oidc.caches.clear()
    assert len(await kids(world)) == 4

    world.oidc.caches.clear()
    assert len(await kids(world)) == 4


async def test_a_leaked_key_is_replaced_at_once(world: World) -> None:
    """With `now`, the next token is signed by another key."""
    client, ann = await world.client(), await world.person()
    before = kid_of((await world.tokens(client, ann)).access_token)
    await world.call(RotateKeys(alg="ES256", now=True), SYSTEM_CALLER)

    assert kid_of((await world.tokens(client, ann)).access_token) != before
    assert await world.event_types("signing_keys_rotated") == ["signing_keys_rotated"]


async def test_a_second_rotation_says_that_the_first_still_waits(world: World) -> None:
    """It publishes nothing, names the keys that wait, and records no event."""
    first = await world.call(RotateKeys(), SYSTEM_CALLER)
    second = await world.call(RotateKeys(), SYSTEM_CALLER)

    assert len(first.published) == 2
    assert first.waiting == []
    assert second.published == []
    assert sorted(key.kid for key in second.waiting) == sorted(first.published)
    assert second.keys == first.keys
    assert await world.event_types("signing_keys_rotated") == ["signing_keys_rotated"]


async def test_only_the_algorithm_that_waits_is_left_out(world: World) -> None:
    """The others get their next key."""
    await world.call(RotateKeys(alg="ES256"), SYSTEM_CALLER)
    both = await world.call(RotateKeys(), SYSTEM_CALLER)

    assert [key.alg for key in both.waiting] == ["ES256"]
    assert len(both.published) == 1


async def test_a_key_that_waits_signs_at_once_where_it_must(world: World) -> None:
    """With `now` after a rotation, the published key signs, and the event names it."""
    client, ann = await world.client(), await world.person()
    waiting = await world.call(RotateKeys(alg="ES256"), SYSTEM_CALLER)
    now = await world.call(RotateKeys(alg="ES256", now=True), SYSTEM_CALLER)

    assert (now.published, now.waiting) == ([], [])
    assert kid_of((await world.tokens(client, ann)).access_token) == waiting.published[0]
    assert await world.event_types("signing_keys_rotated") == ["signing_keys_rotated"] * 2


async def test_rotation_is_not_for_strangers(world: World) -> None:
    """Only the system and the command line may rotate keys."""
    with pytest.raises(Unauthenticated):
        await world.call(RotateKeys())


async def test_two_replicas_rotate_once(world: World) -> None:
    """Rows are locked, so any number of replicas at once creates one key."""
    await world.owner.execute("UPDATE signing_keys SET activated_at = now() - interval '89.5 days'")
    world.oidc.caches.clear()
    world.replica.oidc.caches.clear()
    await asyncio.gather(
        *(bus.call(world.ctx(), GetJwks()) for bus in (world.bus, world.replica.bus) * 4)
    )

    states = await world.owner.fetch("SELECT alg, state FROM signing_keys ORDER BY alg, state")
    assert [(row["alg"], row["state"]) for row in states] == [
        ("ES256", "active"),
        ("ES256", "next"),
        ("RS256", "active"),
        ("RS256", "next"),
    ]


async def test_keys_are_listed_with_their_rotation(world: World) -> None:
    """The list has state and times of each key, and no private part."""
    await world.call(EnsureKeys(), SYSTEM_CALLER)
    await world.call(RotateKeys(alg="ES256"), SYSTEM_CALLER)
    reader = Caller("secret_key", new_id(), frozenset({"settings:read"}))
    listed = (await world.call(ListSigningKeys(), reader)).signing_keys
    states = {(key.alg, key.state) for key in listed}

    assert states == {("ES256", "active"), ("ES256", "next"), ("RS256", "active")}
    for key in listed:
        if key.state == "active":
            assert key.replaced_at is not None
            assert key.replaced_at > key.signs_at
        else:
            assert key.replaced_at is None
            assert key.signs_at > key.created_at
    assert set(PublishedKey.model_fields).isdisjoint({"private_sealed", "public_jwk", "d"})
    with pytest.raises(Forbidden):
        await world.call(ListSigningKeys(), Caller("user", new_id(), frozenset({"users:read"})))


OWNER = Caller("secret_key", new_id(), frozenset({"*"}))


async def aged(world: World) -> None:
    """Creates the keys, and lets them sign for an hour."""
    await world.call(EnsureKeys(), SYSTEM_CALLER)
    await world.owner.execute(
        "UPDATE signing_keys SET activated_at = now() - interval '1 hour' WHERE state = 'active'"
    )


async def test_an_application_rotates_its_own_keys(world: World) -> None:
    """Its secret key publishes the next keys once, or lets them sign at once. The event names them."""
    await aged(world)
    first = (await world.call(RotateSigningKeys(), OWNER)).signing_keys
    again = (await world.call(RotateSigningKeys(), OWNER)).signing_keys
    now = (await world.call(RotateSigningKeys(alg="ES256", now=True), OWNER)).signing_keys

    waiting = {key.kid for key in first if key.state == "next"}
    assert len(waiting) == 2
    assert again == first
    signing = {key.kid for key in now if key.state == "active" and key.alg == "ES256"}
    assert signing < waiting
    assert sorted(key.state for key in now) == ["active", "active", "next", "retiring"]
    assert await world.event_types("signing_keys_rotated") == ["signing_keys_rotated"] * 2


async def test_a_rotation_that_is_sent_twice_rotates_once(world: World) -> None:
    """Neither one after the other nor at the same moment is there a second new key, or a second event."""
    await aged(world)
    call = RotateSigningKeys(alg="ES256", now=True)
    await asyncio.gather(
        *(bus.call(world.ctx(OWNER), call) for bus in (world.bus, world.replica.bus) * 3)
    )
    await world.call(call, OWNER)

    states = await world.owner.fetch(
        "SELECT state FROM signing_keys WHERE alg = 'ES256' ORDER BY state"
    )
    assert [row["state"] for row in states] == ["active", "retiring"]
    assert await world.event_types("signing_keys_rotated") == ["signing_keys_rotated"]


async def test_rotations_do_not_fill_the_published_set(world: World) -> None:
    """Everybody fetches all keys. The command line can still replace one that has leaked."""
    await aged(world)
    await world.owner.execute(
        "INSERT INTO signing_keys (app_id, kid, alg, public_jwk, private_sealed, state, retire_at)"
        " SELECT app_id, kid || n, alg, public_jwk, private_sealed, 'retiring', now() + '1 day'"
        " FROM signing_keys, generate_series(1, 6) n WHERE app_id = $1",
        world.app_id,
    )
    with pytest.raises(TooManySigningKeys):
        await world.call(RotateSigningKeys(now=True), OWNER)
    assert await world.event_types("signing_keys_rotated") == []
    await world.call(RotateSigningKeys(), OWNER)
    await world.call(RotateKeys(now=True), SYSTEM_CALLER)


async def test_people_rotate_keys_after_a_fresh_sign_in(world: World) -> None:
    """A developer with an old sign-in, and one who may only read, rotate nothing."""
    await aged(world)
    before = await kids(world)
    writer = Caller("developer", new_id(), frozenset({"settings:read", "settings:write"}))
    reader = Caller("developer", new_id(), frozenset({"settings:read"}))
    with pytest.raises(FreshSignInNeeded):
        await world.call(RotateSigningKeys(), writer)
    with pytest.raises(Forbidden):
        await world.call(RotateSigningKeys(), reader)
    assert await kids(world) == before
