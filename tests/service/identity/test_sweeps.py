"""The sweep deletes expired rows and leaves the others."""

from __future__ import annotations

from tests.kit.callers import ADMIN
from tests.kit.world import World

from common.contracts.email_codes import StartEmailCode
from common.contracts.invitations import InviteUser
from common.contracts.passwords import SignInWithPassword
from common.ids import new_id
from common.sweeps import sweep
from identity.queries.sweeps import EXPIRED

from .provider_stand_in import ProviderStandIn

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


UNFINISHED = {
    "oauth_state": """
        INSERT INTO oauth_state (app_id, state_hash, idp_id, purpose, redirect_uri, browser_hash, expires_at)
        SELECT $1, $2::uuid, $4::uuid, 'sign_in', '/', 'b', now() - interval '25 hours' WHERE $3::text <> ''
        """,
    "link_proofs": """
        INSERT INTO link_proofs (app_id, id, token_hash, browser_hash, user_id, idp_id, idp_user_id, sealed,
            expires_at)
        VALUES ($1, $2::uuid, $2::text, 'b', $3::text::uuid, $4::uuid, 's', '', now() - interval '1 s')
        """,
    "webauthn_challenges": """
        INSERT INTO webauthn_challenges (app_id, challenge_hash, purpose, rp_id, user_id, expires_at)
        SELECT $1, $2::uuid, 'sign_in', 'h', $3::text::uuid, now() - interval '1 s' WHERE $4::text <> ''
        """,
    "totp_factors": """
        INSERT INTO totp_factors (app_id, id, user_id, secret_sealed, created_at)
        SELECT $1, $2::uuid, $3::text::uuid, '', now() - interval '25 hours' WHERE $4::text <> ''
        """,
    "trusted_devices": """
        INSERT INTO trusted_devices (app_id, id, user_id, token_hash, factor_epoch, expires_at)
        SELECT $1, $2::uuid, $3::text::uuid, $2::uuid, 0, now() - interval '25 hours' WHERE $4::text <> ''
        """,
    "user_sessions": """
        INSERT INTO user_sessions (app_id, id, user_id, token_hash, kind, expires_at)
        SELECT $1, $2::uuid, $3::text::uuid, $2::uuid, 'mfa_required', now() - interval '31 days'
        WHERE $4::text <> ''
        """,
    "email_verification_codes": """
        INSERT INTO email_verification_codes (app_id, id, email, user_id, type, link_hash, expires_at)
        SELECT $1, $2::uuid, '', $3::text::uuid, 'impersonation', $2::uuid, now() - interval '25 hours'
        WHERE $4::text <> ''
        """,
}
"""By table: the statement that inserts an expired row: a sign-in at a provider, a proof, a passkey
ceremony, an unconfirmed secret, a remembered device, a half session, the link of an impersonation."""


async def test_nothing_unfinished_stays(world: World, providers: ProviderStandIn) -> None:
    """Whatever waits for a user who never comes back is deleted. A confirmed authenticator app stays."""
    await sweep(world.sweep_db, EXPIRED)  # what other tests left
    user = await world.user("ada@example.com")
    idp_id = await providers.add("swept")
    for statement in UNFINISHED.values():
        await world.owner.execute(statement, world.app_id, new_id(), user.id, idp_id)
    await world.owner.execute(UNFINISHED["totp_factors"], world.app_id, new_id(), user.id, idp_id)
    await world.owner.execute(
        "UPDATE totp_factors SET confirmed_at = now() WHERE id = "
        "(SELECT id FROM totp_factors WHERE app_id = $1 LIMIT 1)",
        world.app_id,
    )
    gone = await sweep(world.sweep_db, EXPIRED)

    assert {table: gone[table] for table in UNFINISHED} == dict.fromkeys(UNFINISHED, 1)
    for table in UNFINISHED:
        left = await world.owner.fetchval(
            f"SELECT count(*) FROM {table} WHERE app_id = $1", world.app_id
        )
        assert left == (table == "totp_factors"), table
