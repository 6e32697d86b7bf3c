"""Recovery codes: shown once, used once."""

from __future__ import annotations

import asyncio

import pytest
from tests.kit.world import World

from common.contracts.profiles import User
from identity import recovery_codes


async def created(world: World, user: User) -> list[str] | None:
    """Creates recovery codes for a user who has none, as an enrolment does."""
    ctx = world.ctx()
    async with world.identity.db.transaction(ctx) as tx:
        return await recovery_codes.create_if_none(world.identity, ctx, tx, user.id)


async def used(world: World, user: User, code: str) -> bool:
    """Tries to use a code, in a transaction of its own."""
    ctx = world.ctx()
    async with world.identity.db.transaction(ctx) as tx:
        return await recovery_codes.consume(world.identity, ctx, tx, user.id, code=code)


async def test_a_user_gets_ten_codes_once(world: World) -> None:
    """Ten different codes of at least 112 random bits. A user who has some gets no more. The
    database holds none of them."""
    user = await world.user()
    codes = await created(world, user)
    assert codes is not None

    assert len(set(codes)) == 10
    assert all(len(code.replace("-", "")) * 5 >= 112 for code in codes)
    assert await created(world, user) is None
    stored = await world.owner.fetch(
        "SELECT code_hash FROM recovery_codes WHERE user_id = $1", user.id
    )
    assert len(stored) == 10
    texts = " ".join(row["code_hash"] for row in stored)
    assert not any(code in texts or code.replace("-", "") in texts for code in codes)


@pytest.mark.fault("F27")
async def test_a_code_works_once_at_thirty_at_once(world: World) -> None:
    """Of thirty simultaneous uses of one code, one succeeds. The other nine codes stay."""
    user = await world.user()
    codes = await created(world, user)
    assert codes is not None

    outcomes = await asyncio.gather(*(used(world, user, codes[0]) for _ in range(30)))

    assert sum(outcomes) == 1
    assert [await used(world, user, code) for code in codes[1:]] == [True] * 9
    assert await created(world, user) is not None


async def test_people_type_codes_as_they_like(world: World) -> None:
    """Capitals, spaces, no hyphens, and letters that look like digits: the code is the same."""
    user = await world.user()
    codes = await created(world, user)
    assert codes is not None
    typed = codes[0].upper().replace("-", " ").replace("0", "O").replace("1", "l")

    assert await used(world, user, f"  {typed} ")


async def test_a_code_of_another_user_is_wrong(world: World) -> None:
    """A code belongs to its user, and to its application."""
    user, other = await world.user(), await world.user()
    codes = await created(world, user)
    assert codes is not None

    assert not await used(world, other, codes[0])
    ctx = world.ctx(app_id=world.other_app_id)
    async with world.identity.db.transaction(ctx) as tx:
        assert not await recovery_codes.consume(world.identity, ctx, tx, user.id, code=codes[0])
    assert await used(world, user, codes[0])


async def test_new_codes_replace_the_old(world: World) -> None:
    """Regenerating ends every code that was there before."""
    user = await world.user()
    old = await created(world, user)
    assert old is not None
    ctx = world.ctx()
    async with world.identity.db.transaction(ctx) as tx:
        new = await recovery_codes.regenerate(world.identity, ctx, tx, user.id)

    assert not set(old) & set(new)
    assert not await used(world, user, old[0])
    assert await used(world, user, new[0])
