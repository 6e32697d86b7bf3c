"""API keys: shown once, revoked at once, rotated without a gap."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tests.kit.callers import secret_key_of
from tests.kit.world import World

from common.context import Caller
from common.contracts.api_keys import (
    AlreadyRotated,
    ApiKeyExists,
    ApiKeyNotFound,
    CreateApiKey,
    ListApiKeys,
    RevokeApiKey,
    RotateApiKey,
    TooManyApiKeys,
    VerifyApiKey,
)
from common.crypto import Keys
from common.ids import DASHBOARD, new_id
from common.problems import Forbidden, Invalid, Unauthenticated
from common.testing import context
from tenancy import api_keys

ANYONE = context(DASHBOARD, within=3600)


async def test_a_list_shows_prefixes_only(world: World) -> None:
    """The list has neither the key nor its digest, but its first 12 characters."""
    made = await world.create_application()

    listed = await world.call(ListApiKeys(), secret_key_of(made.id))

    assert [key.key[:12] for key in made.api_keys] == [key.key_prefix for key in listed.api_keys]
    text = listed.model_dump_json()
    assert all(key.key not in text and "hash" not in text for key in made.api_keys)


async def test_a_list_goes_on_where_the_page_ended(world: World) -> None:
    """The pages contain every key once."""
    made = await world.create_application()
    ctx = secret_key_of(made.id)
    for number in range(3):
        await world.call(CreateApiKey(name=f"key {number}"), ctx)

    first = await world.call(ListApiKeys(limit=3), ctx)
    second = await world.call(ListApiKeys(limit=3, cursor=first.next), ctx)

    names = [key.name for key in (*first.api_keys, *second.api_keys)]
    assert names == [None, None, "key 0", "key 1", "key 2"]
    assert second.next is None


async def test_a_key_with_name_and_end(world: World) -> None:
    """A key works until it expires. The gateway gets the expiry with the holder."""
    made = await world.create_application()
    ends = datetime.now(UTC) + timedelta(days=90)

    key = await world.call(
        CreateApiKey(key_type="publishable", name="Web", expires_at=ends), secret_key_of(made.id)
    )

    assert (key.key[:8], key.name, key.expires_at) == ("pk_live_", "Web", ends)
    assert (await world.call(VerifyApiKey(key=key.key), ANYONE)).expires_at == ends
    await world.owner.execute(
        "UPDATE application_api_keys SET expires_at = now() - interval '1 second' WHERE id = $1",
        key.id,
    )
    with pytest.raises(Unauthenticated):
        await world.call(VerifyApiKey(key=key.key), ANYONE)
    listed = await world.call(ListApiKeys(), secret_key_of(made.id))
    assert key.id not in [other.id for other in listed.api_keys]


@pytest.mark.parametrize(
    "ends",
    [datetime.now(UTC) - timedelta(seconds=1), datetime(9999, 12, 30, tzinfo=UTC)],
    ids=["past", "for ever"],
)
async def test_an_end_that_makes_no_sense_is_refused(world: World, ends: datetime) -> None:
    """An expiry in the past is refused. So is one that is so late that no successor could live as
    long."""
    made = await world.create_application()

    with pytest.raises(Invalid):
        await world.call(CreateApiKey(expires_at=ends), secret_key_of(made.id))


async def test_a_revoked_key_is_dead_at_once(world: World) -> None:
    """The invalidation with its id is sent before the reply. A second revocation is not found."""
    made = await world.create_application()
    ctx, key = secret_key_of(made.id), made.api_keys[1]

    await world.call(RevokeApiKey(id=key.id), ctx)

    assert world.invalidation.published[-1] == (made.id, "api_key", key.id)
    with pytest.raises(Unauthenticated):
        await world.call(VerifyApiKey(key=key.key), ANYONE)
    with pytest.raises(ApiKeyNotFound):
        await world.call(RevokeApiKey(id=key.id), ctx)
    assert (await world.event_types(app_id=made.id)).count("api_key_revoked") == 1


async def test_a_rotated_key_lives_a_day_longer(world: World) -> None:
    """Both keys work during the grace. The old one names its successor and cannot be rotated again."""
    made = await world.create_application()
    ctx, old = secret_key_of(made.id), made.api_keys[1]

    new = await world.call(RotateApiKey(id=old.id), ctx)

    for key in (old.key, new.key):
        assert (await world.call(VerifyApiKey(key=key), ANYONE)).app_id == made.id
    listed = {key.id: key for key in (await world.call(ListApiKeys(), ctx)).api_keys}
    expires_at = listed[old.id].expires_at
    assert expires_at is not None
    left = expires_at - datetime.now(UTC)
    assert timedelta(hours=23, minutes=59) < left <= timedelta(hours=24)
    assert listed[old.id].rotated_to == new.id
    assert (new.key_type, new.expires_at) == ("secret", None)
    with pytest.raises(AlreadyRotated):
        await world.call(RotateApiKey(id=old.id), ctx)
    assert "api_key_rotated" in await world.event_types(app_id=made.id)


async def test_a_key_about_to_end_does_not_live_longer_by_rotation(world: World) -> None:
    """The grace does not extend a key's lifetime. The successor gets as long a lifetime as the old
    one."""
    made = await world.create_application()
    ctx = secret_key_of(made.id)
    ends = datetime.now(UTC) + timedelta(hours=1)
    old = await world.call(CreateApiKey(expires_at=ends), ctx)

    new = await world.call(RotateApiKey(id=old.id), ctx)

    listed = {key.id: key for key in (await world.call(ListApiKeys(), ctx)).api_keys}
    assert listed[old.id].expires_at == ends
    assert new.expires_at is not None
    assert ends is not None
    assert abs(new.expires_at - ends) < timedelta(minutes=1)


async def test_racing_rotations_make_one_successor(world: World) -> None:
    """One of several simultaneous rotations succeeds."""
    made = await world.create_application()
    ctx, old = secret_key_of(made.id), made.api_keys[1]

    outcomes = await asyncio.gather(
        *(world.call(RotateApiKey(id=old.id), ctx) for _ in range(5)), return_exceptions=True
    )

    assert sum(isinstance(outcome, AlreadyRotated) for outcome in outcomes) == 4
    assert len((await world.call(ListApiKeys(), ctx)).api_keys) == 3


async def test_a_key_of_another_application_is_not_found(world: World) -> None:
    """Application A cannot revoke, rotate or see keys of B."""
    a, b = await world.create_application(), await world.create_application()
    foreign = b.api_keys[1]

    for request in (RevokeApiKey(id=foreign.id), RotateApiKey(id=foreign.id)):
        with pytest.raises(ApiKeyNotFound):
            await world.call(request, secret_key_of(a.id))
    listed = await world.call(ListApiKeys(), secret_key_of(a.id))

    assert foreign.id not in [key.id for key in listed.api_keys]
    assert (await world.call(VerifyApiKey(key=foreign.key), ANYONE)).app_id == b.id


async def test_a_reading_developer_sees_keys_and_makes_none(world: World) -> None:
    """A developer with `apps:read` may list keys and change nothing."""
    from tenancy.applications import READ_PERMISSIONS

    made = await world.create_application()
    ctx = context(made.id, Caller("developer", new_id(), frozenset(READ_PERMISSIONS)))

    assert (await world.call(ListApiKeys(), ctx)).api_keys
    for request in (CreateApiKey(), RevokeApiKey(id=made.api_keys[0].id)):
        with pytest.raises(Forbidden):
            await world.call(request, ctx)


async def test_the_number_of_keys_is_limited(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An application has a maximum number of keys."""
    monkeypatch.setattr(api_keys, "LIMIT", 3)
    made = await world.create_application()
    await world.call(CreateApiKey(), secret_key_of(made.id))

    with pytest.raises(TooManyApiKeys):
        await world.call(CreateApiKey(), secret_key_of(made.id))


@pytest.mark.parametrize("key", ["", "sk_live_x", "sk_live_" + "a" * 49, "pk_test_" + "0" * 49])
async def test_a_malformed_key_costs_no_query(
    world: World, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """A string that has not the form of a key is refused without a query."""

    def asked(*_: object) -> None:
        raise AssertionError("the database was asked")

    monkeypatch.setattr("common.db.Database.reader", asked)
    with pytest.raises(Unauthenticated):
        await world.call(VerifyApiKey(key=key), ANYONE)


async def test_the_key_itself_is_nowhere_in_the_database(world: World) -> None:
    """Only a keyed digest is stored, with the id of the master key."""
    made = await world.create_application()

    rows = await world.owner.fetch("SELECT * FROM application_api_keys")

    stored = str([dict(row) for row in rows])
    assert all(key.key[12:] not in stored for key in made.api_keys)
    assert all(row["key_hash"].startswith("k1.") for row in rows)


async def test_keys_survive_a_change_of_the_master_key(world: World) -> None:
    """Keys made under a former master key work while it is configured."""
    from dataclasses import replace

    from tenancy.handlers import HANDLERS

    made = await world.create_application()
    newer = Keys.parse("k2:" + "7xI0VniQq83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83=")
    both = Keys((*newer.masters, *world.tenancy.keys.masters))

    world.bus.serve(replace(world.tenancy, keys=both), HANDLERS)
    assert (await world.call(VerifyApiKey(key=made.api_keys[0].key), ANYONE)).app_id == made.id
    world.bus.serve(replace(world.tenancy, keys=newer), HANDLERS)
    with pytest.raises(Unauthenticated):
        await world.call(VerifyApiKey(key=made.api_keys[0].key), ANYONE)


async def test_last_use_is_written_in_batches(world: World) -> None:
    """A thousand uses are one write. The latest use is kept, even if two processes write."""
    made = await world.create_application()
    key = made.api_keys[1]
    for _ in range(20):
        await world.call(VerifyApiKey(key=key.key), ANYONE)
    before = await world.owner.fetchval(
        "SELECT last_used_at FROM application_api_keys WHERE id = $1", key.id
    )

    await world.tenancy.usage.flush()

    assert before is None
    listed = {
        row.id: row for row in (await world.call(ListApiKeys(), secret_key_of(made.id))).api_keys
    }
    last_used_at = listed[key.id].last_used_at
    assert last_used_at is not None
    assert datetime.now(UTC) - last_used_at < timedelta(seconds=30)
    assert listed[made.api_keys[0].id].last_used_at is None


async def test_a_lost_database_loses_no_use(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a write fails, the next one includes its uses."""
    made = await world.create_application()
    await world.call(VerifyApiKey(key=made.api_keys[0].key), ANYONE)

    async def lost(*_: object, **__: object) -> None:
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr("tenancy.queries.api_keys.set_last_used", lost)
        await world.tenancy.usage.flush()
    await world.tenancy.usage.flush()

    assert await world.owner.fetchval(
        "SELECT last_used_at IS NOT NULL FROM application_api_keys WHERE id = $1",
        made.api_keys[0].id,
    )


async def test_a_repeated_request_makes_no_second_key(world: World) -> None:
    """Of two requests with the same id, one creates the key, also at the same time and after the key
    was revoked."""
    made = await world.create_application()
    ctx, id = secret_key_of(made.id), new_id()
    answers = await asyncio.gather(
        *(world.call(CreateApiKey(id=id), ctx) for _ in range(2)), return_exceptions=True
    )
    await world.call(RevokeApiKey(id=id), ctx)
    with pytest.raises(ApiKeyExists):
        await world.call(CreateApiKey(id=id), ctx)

    assert sorted(type(answer).__name__ for answer in answers) == ["ApiKeyExists", "NewApiKey"]
    assert (await world.event_types(app_id=made.id)).count("api_key_created") == 3
