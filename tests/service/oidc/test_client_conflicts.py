"""Two changes of one client at once are both kept, or one of them is refused."""

from __future__ import annotations

import asyncio

from tests.kit.world import World

from common.contracts.client_secrets import ListClientSecrets, RotateClientSecret
from common.contracts.clients import GetClient, UpdateClient
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
