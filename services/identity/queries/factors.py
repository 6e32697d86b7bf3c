"""Statements about all second factors of a user."""

from __future__ import annotations

from common.db import Db, run, value


async def count_passkeys(db: Db, *, app_id: str, user_id: str) -> int:
    """Returns the number of the user's passkeys."""
    number: int = await value(
        db, "SELECT count(*) FROM passkeys WHERE app_id = $1 AND user_id = $2", app_id, user_id
    )
    return number


async def delete_passkeys(db: Db, *, app_id: str, user_id: str) -> int:
    """Deletes all passkeys of a user."""
    return await run(db, "DELETE FROM passkeys WHERE app_id = $1 AND user_id = $2", app_id, user_id)


async def has_identity_link(db: Db, *, app_id: str, user_id: str) -> bool:
    """Returns whether the user can sign in through a provider that is on."""
    return bool(
        await value(
            db,
            """
            SELECT true FROM user_identity_links l
            JOIN identity_providers p ON p.app_id = l.app_id AND p.id = l.idp_id
            WHERE l.app_id = $1 AND l.user_id = $2 AND p.enabled LIMIT 1
            """,
            app_id,
            user_id,
        )
    )
