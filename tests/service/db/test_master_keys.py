"""After a master key is replaced, sealed values and hashes stay valid. A missing key is named."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest
import pytest_asyncio
from tests.kit.postgres import Postgres

from aero2.failures import CommandError
from aero2.master_key_rotation import MasterKeyStatus, retire, rewrap, status
from common.audit_chain import public_keys
from common.context import system_context
from common.crypto import Keys
from common.db import Database
from common.ids import new_id
from common.master_keys import MasterKeyMissing, recognize
from common.sealing import Sealer

PLACE = ("mail_providers", "password", "1")


def master(id: str) -> str:
    return f"{id}:{base64.b64encode(os.urandom(32)).decode()}"


OLD, NEW = master("old"), master("new")


@dataclass
class Sealing:
    db: Database
    owner: asyncpg.Connection[asyncpg.Record]
    app_id: str

    async def keys(self, text: str) -> Keys:
        """Returns the keys of a service that starts with these master keys."""
        return await recognize(self.db, Keys.parse(text))

    async def seal(self, keys: Keys, plain: bytes) -> str:
        async with self.db.transaction(system_context(self.app_id)) as tx:
            return await Sealer(keys).seal(tx, self.app_id, PLACE, plain)

    async def open(self, keys: Keys, text: str) -> bytes:
        async with self.db.transaction(system_context(self.app_id)) as tx:
            return await Sealer(keys).open(tx, self.app_id, PLACE, text)

    async def statuses(self, text: str) -> dict[str, MasterKeyStatus]:
        return {each.id: each for each in await status(self.owner, Keys.parse(text))}


@pytest_asyncio.fixture
async def world(postgres: Postgres) -> AsyncIterator[Sealing]:
    name = postgres.clone()
    owner = await asyncpg.connect(postgres.dsn("owner", name))
    app_id = new_id()
    await owner.execute(
        "INSERT INTO applications (id, slug, name, state) VALUES ($1, 'shop', 'Shop', 'active')",
        app_id,
    )
    db = await Database.connect(postgres.dsn("tenancy", name), name="tenancy", size=2)
    yield Sealing(db, owner, app_id)
    await db.close()
    await owner.close()
    postgres.drop(name)


async def test_everything_lives_on_under_the_new_key_alone(world: Sealing) -> None:
    """Add a new key, rewrap, retire the old one, start with the new one only. Secrets open, tokens
    are found, pseudonyms stay, and old checkpoints verify."""
    before = await world.keys(OLD)
    sealed = await world.seal(before, b"secret")
    hashed = before.hash("session", "token")
    pseudonym = before.digest("pairwise", b"user", before.first)
    checkpoints = public_keys(before)

    await world.keys(f"{NEW},{OLD}")
    both = Keys.parse(f"{NEW},{OLD}")
    await rewrap(world.owner, both)
    await retire(world.owner, both, "old")
    after = await world.keys(NEW)

    assert await world.open(after, sealed) == b"secret"
    assert hashed in after.hashes("session", "token")
    assert after.digest("pairwise", b"user", after.first) == pseudonym
    assert checkpoints.items() <= public_keys(after).items()
    assert after.hash("session", "token").startswith("new.")
    with pytest.raises(KeyError):
        after.derive("kek", "old")


async def test_a_third_key_keeps_what_the_first_has_hashed(world: Sealing) -> None:
    """The recognition key of a retired master key is wrapped again too."""
    hashed = (await world.keys(OLD)).hash("session", "token")
    third, previous = master("third"), OLD
    for fresh in (NEW, third):
        await world.keys(f"{fresh},{previous}")
        await rewrap(world.owner, Keys.parse(f"{fresh},{previous}"))
        await retire(world.owner, Keys.parse(f"{fresh},{previous}"), previous.partition(":")[0])
        previous = fresh

    after = await world.keys(third)

    assert hashed in after.hashes("session", "token")
    assert after.first == "old"
    with pytest.raises(MasterKeyMissing, match="lacks the key 'third'"):
        await world.keys(master("other"))


async def test_a_missing_key_is_named(world: Sealing) -> None:
    """A service does not start if a key was removed too early, replaced under its id, or taken from
    another deployment."""
    await world.keys(OLD)

    with pytest.raises(MasterKeyMissing, match="lacks the key 'old'"):
        await world.keys(NEW)
    with pytest.raises(MasterKeyMissing, match=r"'old' .* is not the one"):
        await world.keys(master("old"))
    assert (await world.keys(OLD)).masters[0][0] == "old"


async def test_a_refused_start_notes_nothing(world: Sealing) -> None:
    """A refused start does not store its key."""
    await world.keys(OLD)
    with pytest.raises(MasterKeyMissing):
        await world.keys(NEW)

    assert [row["id"] for row in await world.owner.fetch("SELECT id FROM master_keys")] == ["old"]


async def test_nothing_is_wrapped_under_a_key_that_no_service_has(world: Sealing) -> None:
    """Services that run with the old key alone could not open it."""
    await world.seal(await world.keys(OLD), b"secret")

    with pytest.raises(CommandError, match="Restart them first"):
        await rewrap(world.owner, Keys.parse(f"{NEW},{OLD}"))


async def test_a_key_in_use_is_not_retired(world: Sealing) -> None:
    """The active key, a key that still wraps, and an unknown key cannot be retired."""
    await world.seal(await world.keys(OLD), b"secret")
    await world.keys(f"{NEW},{OLD}")
    both = Keys.parse(f"{NEW},{OLD}")

    with pytest.raises(CommandError, match="is the active"):
        await retire(world.owner, both, "new")
    with pytest.raises(CommandError, match="aero2 secrets rewrap"):
        await retire(world.owner, both, "old")
    with pytest.raises(CommandError, match="knows no master key"):
        await retire(world.owner, both, "other")


async def test_status_counts_what_depends_on_each_key(world: Sealing) -> None:
    """The status counts data keys and hashes by table, before and after."""
    keys = await world.keys(OLD)
    await world.seal(keys, b"secret")
    await world.owner.execute(
        """
        INSERT INTO application_api_keys (id, app_id, key_type, key_prefix, key_hash)
        VALUES (gen_random_uuid(), $1, 'secret', 'sk_live_abcd', $2)
        """,
        world.app_id,
        keys.hash("api_key", "x"),
    )
    before = (await world.statuses(f"{NEW},{OLD}"))["old"]
    await world.keys(f"{NEW},{OLD}")
    await rewrap(world.owner, Keys.parse(f"{NEW},{OLD}"))
    after = await world.statuses(f"{NEW},{OLD}")

    assert (before.state, before.data_keys) == ("configured", 1)
    assert (after["old"].data_keys, after["new"].data_keys) == (0, 1)
    assert after["old"].hashes == {"application_api_keys": 1}
    assert after["new"].state == "active"


async def test_a_role_that_sees_nothing_is_refused(world: Sealing, postgres: Postgres) -> None:
    """With row level security a role without rights would rewrap nothing and report success."""
    name = await world.owner.fetchval("SELECT current_database()")
    db = await asyncpg.connect(postgres.dsn("tenancy", name))
    try:
        with pytest.raises(CommandError, match="BYPASSRLS"):
            await rewrap(db, Keys.parse(OLD))
    finally:
        await db.close()
