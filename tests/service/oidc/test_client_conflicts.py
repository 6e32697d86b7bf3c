"""Two changes of one client at once are both kept, or one of them is refused."""

from __future__ import annotations

import asyncio

import pytest
from tests.kit.factories import CALLBACK
from tests.kit.world import World

from common.contracts.client_secrets import (
    ClientSecretExists,
    ListClientSecrets,
    RotateClientSecret,
)
from common.contracts.clients import ClientExists, CreateClient, GetClient, UpdateClient
from common.ids import new_id
from common.problems import Conflict


async def test_two_changes_of_different_fields_are_both_kept(shared: World) -> None:
    """A new name and disabling the client at once are both kept, and so is a removed scope."""
    for number in range(20):
        client = await shared.client(scopes=["openid", "users:write"])
        changes = ({"enabled": False, "scopes": ["openid"]}, {"name": f"R{number}"})
        await asyncio.gather(
            *(shared.admin(UpdateClient(client=client.id, changes=one)) for one in changes)
        )
        after = await shared.admin(GetClient(client=client.id))
        assert (after.enabled, after.scopes) == (False, ["openid"])
        assert after.name == f"R{number}"


async def test_of_rotations_at_once_one_wins(world: World) -> None:
    """One rotation succeeds, and its secret is valid. The others get a conflict."""
    client = await world.client()
    answers = await asyncio.gather(
        *(world.admin(RotateClientSecret(client=client.id)) for _ in range(3)),
        return_exceptions=True,
    )
    won = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert all(isinstance(answer, Conflict) for answer in answers if answer not in won)
    held = (await world.admin(ListClientSecrets(client=client.id))).secrets

    assert [one.id for one in held] == [won[-1].id]
    assert len(won) == 1


async def test_a_client_is_not_created_twice(shared: World) -> None:
    """A request that is sent again, with the same id, creates no second client and no event."""
    new = CreateClient(id=new_id(), name="Twice", redirect_uris=[CALLBACK])
    client = await shared.admin(new)
    before = await shared.owner.fetchval("SELECT count(*) FROM audit_outbox")
    with pytest.raises(ClientExists):
        await shared.admin(new)

    assert client.id == new.id
    count = "SELECT count(*) FROM oauth_clients WHERE name = 'Twice'"
    assert await shared.owner.fetchval(count) == 1
    assert await shared.owner.fetchval("SELECT count(*) FROM audit_outbox") == before


async def test_a_secret_is_not_created_twice(shared: World) -> None:
    """A rotation that is sent again creates no second secret, and ends none. The id of another
    client's secret is refused too."""
    client, other = await shared.client(), await shared.client()
    rotation = RotateClientSecret(client=client.client_id, id=new_id(), overlap=3600)
    new = await shared.admin(rotation)
    for repeated in (rotation, RotateClientSecret(client=other.client_id, id=rotation.id)):
        with pytest.raises(ClientSecretExists):
            await shared.admin(repeated)
    listed = await shared.admin(ListClientSecrets(client=client.client_id))

    assert new.id == rotation.id
    assert len(listed.secrets) == 2
    assert listed.secrets[0].expires_at is None
