"""Sweeps delete expired rows and keep the others."""

from __future__ import annotations

from tests.kit.world import World

from common.sweeps import sweep
from oidc.queries.sweeps import EXPIRED

OWNED = {
    "authorization_codes": "expires_at = now() - interval '1 second'",
    "token_families": "absolute_expires_at = now() - interval '3 days'",
    "refresh_tokens": "expires_at = now() - interval '31 days'",
    "session_clients": "expires_at = now() - interval '3 days'",
}
"""How the rows of one user come to be too old."""


async def test_sweeps(world: World) -> None:
    """The expired rows of one user are deleted with the sweep's role. Another user's rows stay, and
    their tokens still work."""
    client, ann, ben = await world.client(), await world.person(), await world.person()
    large = "n" * 2000  # such a code keeps a row
    await world.tokens(client, ann, nonce=large)
    of_ben = await world.tokens(client, ben, nonce=large)
    old = await world.authorize(client, None)
    await world.owner.execute("UPDATE authorization_requests SET expires_at = now()")
    new = await world.authorize(client, None)
    for table, ageing in OWNED.items():
        await world.owner.execute(f"UPDATE {table} SET {ageing} WHERE user_id = $1", ann.user_id)
    await world.owner.execute(
        "UPDATE user_sessions SET expires_at = now() - interval '3 days' WHERE user_id = $1",
        ann.user_id,
    )
    gone = await sweep(world.sweep_db, EXPIRED)

    assert set(gone) == set(EXPIRED), "one that fails is left out"
    assert {table: gone[table] for table in OWNED} == {
        "authorization_codes": 1,
        "token_families": 1,
        "refresh_tokens": 0,  # gone with its family
        "session_clients": 1,
    }
    assert gone["authorization_requests"] == 1
    assert old.request != new.request
    for table in OWNED:
        left = await world.owner.fetch(f"SELECT user_id FROM {table}")
        assert [row["user_id"] for row in left] == [ben.user_id], table
    assert (await world.refresh(client, of_ben.refresh_token)).access_token
