"""Statements on the ways in which a user can sign in."""

from __future__ import annotations

from common.db import Db, value


async def count(
    db: Db,
    *,
    app_id: str,
    user_id: str,
    methods: list[str],
    requires_verified: bool,
    without: str | None = None,
) -> int:
    """Returns in how many ways the user can sign in with these methods of their application: by
    password, by mail, and by each passkey and each account at an enabled provider. `without` is the id
    of a passkey or a link that does not count. `requires_verified`: a password is valid only with a
    verified address. It is called after `accounts.lock`, in a statement of its own, so that it sees
    what was committed before the lock."""
    ways: int | None = await value(
        db,
        """
        SELECT ('password' = ANY($3::text[]) AND u.email IS NOT NULL
                AND (u.email_verified OR NOT $4)
                AND EXISTS (SELECT FROM passwords p WHERE p.app_id = $1 AND p.user_id = $2))::int
             + (u.email_verified AND $3::text[] && ARRAY['email_code', 'magic_link'])::int
             + (SELECT count(*) FROM passkeys k WHERE k.app_id = $1 AND k.user_id = $2
                  AND 'passkey' = ANY($3::text[]) AND k.id IS DISTINCT FROM $5)
             + (SELECT count(*) FROM user_identity_links l
                JOIN identity_providers i ON i.app_id = l.app_id AND i.id = l.idp_id
                WHERE l.app_id = $1 AND l.user_id = $2 AND i.enabled
                  AND 'oauth' = ANY($3::text[]) AND l.id IS DISTINCT FROM $5)
        FROM users u WHERE u.app_id = $1 AND u.id = $2
        """,
        app_id,
        user_id,
        methods,
        requires_verified,
        without,
    )
    return ways or 0
