"""Reads users, as far as rbac needs them."""

from __future__ import annotations

from common.db import Db, value


async def exists(db: Db, *, app_id: str, user_id: str) -> bool:
    """Returns whether the application has this user."""
    return bool(
        await value(
            db,
            "SELECT EXISTS (SELECT FROM users WHERE app_id = $1 AND id = $2)",
            app_id,
            user_id,
        )
    )
