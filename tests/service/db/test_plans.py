"""Every look-up reads one partition by the right index, even if it was planned on empty tables.

Services keep a statement's plan as long as their connection lives.
"""

from __future__ import annotations

import re

import asyncpg
import pytest
from tests.service.db.rows import fill

from common.db_errors import violated_constraint

A = "018f0000-0000-7000-8000-00000000000a"
LOOKUPS = {
    ("identity", "idx_user_sessions_token"): """
        SELECT s.user_id, s.expires_at
        FROM user_sessions s JOIN users u ON u.app_id = s.app_id AND u.id = s.user_id
        WHERE s.app_id = $1 AND s.token_hash = $2 AND s.revoked_at IS NULL AND s.expires_at > now()
          AND NOT u.disabled
    """,
    ("identity", "user_sessions_pkey"): """
        UPDATE user_sessions SET last_active_at = now() WHERE app_id = $1 AND id = $2::text::uuid
    """,
    ("identity", "users_app_id_email_key"): """
        SELECT id FROM users WHERE app_id = $1 AND email_normalized = $2
    """,
    ("identity", "users_pkey"): """
        SELECT email FROM users WHERE app_id = $1 AND id = $2::text::uuid
    """,
    ("identity", "idx_verification_codes_lookup"): """
        SELECT id FROM email_verification_codes
        WHERE app_id = $1 AND email = $2 AND type = 'email_code' AND used_at IS NULL
    """,
    ("identity", "email_verification_codes_link_hash_key"): """
        UPDATE email_verification_codes SET used_at = now()
        WHERE app_id = $1 AND link_hash = $2 AND used_at IS NULL RETURNING id
    """,
    ("identity", "rate_limits_pkey"): """
        UPDATE rate_limits SET hits = hits + 1 WHERE app_id = $1 AND key = $2
    """,
    ("oidc", "authorization_codes_pkey"): """
        SELECT content FROM authorization_codes WHERE app_id = $1 AND id = $2::text::uuid
    """,
    ("oidc", "refresh_tokens_pkey"): """
        UPDATE refresh_tokens SET used_at = now()
        WHERE app_id = $1 AND token_hash = $2 AND used_at IS NULL RETURNING family_id
    """,
    ("oidc", "token_families_pkey"): """
        UPDATE token_families SET revoked_at = now()
        WHERE app_id = $1 AND id = $2::text::uuid AND revoked_at IS NULL
    """,
    ("oidc", "idx_session_clients_user"): """
        SELECT session_id FROM session_clients WHERE app_id = $1 AND user_id = $2::text::uuid
    """,
    ("oidc", "idx_user_sessions_previous"): """
        SELECT id FROM user_sessions WHERE app_id = $1 AND previous_id = $2::text::uuid
    """,
    ("oidc", "access_tokens_pkey"): """
        SELECT expires_at FROM access_tokens WHERE app_id = $1 AND token_hash = $2
    """,
    ("oidc", "oauth_clients_app_id_client_id_key"): """
        SELECT name FROM oauth_clients WHERE app_id = $1 AND client_id = $2
    """,
    ("rbac", "role_permissions_pkey"): """
        SELECT permission_id FROM role_permissions WHERE app_id = $1 AND role_id = $2
    """,
    ("tenancy", "idx_organization_members_user"): """
        SELECT org_id FROM organization_members WHERE app_id = $1 AND user_id = $2::text::uuid
    """,
}


async def plan(dsn: str, sql: str) -> str:
    """Plans the statement as a service's pool does: once for all parameters."""
    db = await asyncpg.connect(dsn, server_settings={"plan_cache_mode": "force_generic_plan"})
    try:
        await db.execute(f"SET aero2.app_id = '{A}'; PREPARE lookup (uuid, text) AS {sql}")
        return "\n".join(row[0] for row in await db.fetch(f"EXPLAIN EXECUTE lookup('{A}', '{A}')"))
    finally:
        await db.close()


GROWN = f"""
    INSERT INTO applications (id, slug, name) VALUES ('{A}', 'swift-maple', 'A');
    INSERT INTO users (app_id, id, email, email_normalized)
        SELECT '{A}', gen_random_uuid(), i || '@example.com', i || '@example.com' FROM generate_series(1, 60) i;
    INSERT INTO user_sessions (app_id, id, user_id, token_hash, kind, expires_at)
        SELECT app_id, gen_random_uuid(), id, id::text, 'full', now() + interval '1 day' FROM users;
    INSERT INTO email_verification_codes (app_id, id, email, type, code_hash, link_hash, expires_at)
        SELECT app_id, id, email, 'email_code', 'x', id::text, now() FROM users;
    INSERT INTO rate_limits (app_id, key, expires_at) SELECT app_id, id::text, now() FROM users;
    INSERT INTO oauth_clients (app_id, id, client_id, name)
        SELECT app_id, id, id::text, 'client' FROM users;
    INSERT INTO authorization_codes (app_id, id, client_id, user_id, content, expires_at)
        SELECT app_id, id, id::text, id, '{{}}', now() + interval '1 minute' FROM users;
    INSERT INTO token_families (app_id, id, client_id, user_id, absolute_expires_at)
        SELECT app_id, id, id::text, id, now() FROM users;
    INSERT INTO refresh_tokens (app_id, token_hash, family_id, client_id, scopes, expires_at,
                                absolute_expires_at)
        SELECT app_id, id::text, id, id::text, '{{}}', now(), now() FROM users;
    INSERT INTO access_tokens (app_id, token_hash, jti, client_id, scopes, audience, expires_at)
        SELECT app_id, id::text, 'x', id::text, '{{}}', '{{}}', now() FROM users;
    ANALYZE users, user_sessions, email_verification_codes, rate_limits, oauth_clients,
        authorization_codes, token_families, refresh_tokens, access_tokens;
"""
"""Fifty rows and a few more, when autovacuum first analyzes a table."""


@pytest.mark.parametrize("state", ["empty", "grown and analyzed"])
async def test_a_lookup_uses_its_index_in_one_partition(
    database: dict[str, str], state: str
) -> None:
    """The plan has no sequential scan, no index on the application alone, and one partition of each
    table."""
    if state != "empty":
        db = await asyncpg.connect(database["owner"])
        await db.execute(GROWN)
        await db.close()
    for (service, index), sql in LOOKUPS.items():
        shown = await plan(database[service], sql)
        assert "Seq Scan" not in shown, shown
        assert f"{index}_p" in shown, shown
        assert shown.count("Subplans Removed: 15") == len(
            re.findall(r"Index (?:Only )?Scan", shown)
        )
        assert not re.search(r"Index Cond: \(app_id = \$1\)", shown), shown


async def test_violated_names_the_constraint_of_the_schema(database: dict[str, str]) -> None:
    """The name is the schema's, in every partition of the table or of one that refers to it."""
    db = await asyncpg.connect(database["owner"])
    await db.execute(
        f"INSERT INTO applications (id, slug, name) VALUES ('{A}', 'swift-maple', 'A')"
    )
    await fill(db, A)
    expected = {
        f"INSERT INTO users (app_id, id) VALUES ('{A}', '{A}')": "users_pkey",
        "INSERT INTO applications (id, slug, name) VALUES (gen_random_uuid(), 'swift-maple', 'A')": (
            "applications_slug_key"
        ),
        f"INSERT INTO passwords (app_id, user_id, phc) VALUES ('{A}', gen_random_uuid(), '')": (
            "passwords_user_id_fkey"
        ),
        "DELETE FROM organization_roles": "organization_members_role_id_fkey",
        "UPDATE users SET email = NULL, email_verified = true": "users_email_verified_check",
    }
    found = {}
    for sql in expected:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
            await db.execute(sql)
        found[sql] = violated_constraint(refused.value)
    await db.close()

    assert expected == found
