"""Two changes of one client at once are both kept, or one of them is refused."""

from __future__ import annotations

import asyncio

from tests.service.oidc.conftest import World

from common.contracts.clients import GetClient, UpdateClient


async def test_two_changes_of_different_fields_are_both_kept(shared: World) -> None:
    """Disabling is not lost to a new name, nor a scope taken away given back."""
    for number in range(20):
        client = await shared.client(scopes=["openid", "users:write"])
        changes = ({"enabled": False, "scopes": ["openid"]}, {"name": f"R{number}"})
        await asyncio.gather(
            *(shared.admin(UpdateClient(client=client.id, changes=one)) for one in changes)
        )
        after = await shared.admin(GetClient(client=client.id))
        assert (after.enabled, after.scopes) == (False, ["openid"])
        assert after.name == f"R{number}"
