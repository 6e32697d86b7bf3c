"""The sweep deletes expired rows and leaves the others."""

from __future__ import annotations

from tests.kit.callers import ADMIN
from tests.kit.world import World

from common.contracts.email_codes import StartEmailCode
from common.contracts.invitations import InviteUser
from common.contracts.passwords import SignInWithPassword
from common.sweeps import sweep
from identity.queries.sweeps import EXPIRED

TABLES = {
    "user_sessions": "expires_at = expires_at - interval '60 days'",
    "known_devices": "last_seen_at = last_seen_at - interval '366 days'",
    "email_verification_codes": "expires_at = expires_at - interval '2 days'",
    "user_invitations": "expires_at = expires_at - interval '100 days'",
    "sign_in_guards": "expires_at = now() - interval '1 s'",
    "rate_limits": "expires_at = now() - interval '1 h'",
    "mail_outbox": "failed_at = now() - interval '31 days'",
}


async def test_sweeps(world: World) -> None:
    """The sweep empties each table of one application's expired rows. It leaves the valid rows of
    another application."""
    for app in (world.app_id, world.other_app_id):
        user = await world.user(app_id=app)
        await world.sign_in(user, app)
        await world.call(StartEmailCode(email=user.email or ""), app_id=app)
        await world.call(InviteUser(email="eve@example.com"), ADMIN, app)
        await world.refused(SignInWithPassword(email=user.email or "", password="x"), app_id=app)
    for table, ageing in TABLES.items():
        await world.owner.execute(f"UPDATE {table} SET {ageing} WHERE app_id = $1", world.app_id)
    gone = await sweep(world.sweep_db, EXPIRED)

    for table in TABLES:
        left = {
            app: await world.owner.fetchval(f"SELECT count(*) FROM {table} WHERE app_id = $1", app)
            for app in (world.app_id, world.other_app_id)
        }
        assert (left[world.app_id], left[world.other_app_id] > 0) == (0, True), table
        assert gone[table] >= 1, table
    assert set(gone) == set(EXPIRED)
