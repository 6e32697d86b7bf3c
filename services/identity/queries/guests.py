"""Statements on guests: users without credentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common.address_keys import address_key
from common.db import Db, many, run, value
from common.keyset import LOWEST_ID

PAGE: Final = 200
"""Guests; the LIMIT of the page."""


@dataclass(frozen=True)
class ExpiredGuest:
    app_id: str
    id: str


async def insert(db: Db, *, app_id: str, id: str, locale: str | None) -> None:
    """Creates a guest."""
    await run(
        db,
        "INSERT INTO users (app_id, id, locale, guest) VALUES ($1, $2, $3, true)",
        app_id,
        id,
        locale,
    )


async def upgrade(db: Db, *, app_id: str, id: str) -> bool:
    """Makes a guest a full user. Returns False if the user is no guest. Mailed codes, half sessions and
    remembered devices of before are bound to the factors of then, so they end."""
    return (
        await run(
            db,
            """
            UPDATE users SET guest = false, factor_epoch = factor_epoch + 1, updated_at = now()
            WHERE app_id = $1 AND id = $2 AND guest
            """,
            app_id,
            id,
        )
        == 1
    )


async def set_address(
    db: Db, *, app_id: str, id: str, email: str, name: str | None, locale: str | None
) -> None:
    """Gives a user a verified address, and the name and language that they lack. Raises
    UniqueViolationError (users_app_id_email_key)."""
    await run(
        db,
        """
        UPDATE users SET email = $3, email_normalized = $4, email_verified = true,
            name = coalesce(name, $5), locale = coalesce(locale, $6), updated_at = now()
        WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
        email,
        address_key(email),
        name,
        locale,
    )


async def lock(db: Db, *, app_id: str, id: str) -> bool:
    """Locks the user's row until the transaction ends. Returns whether the user is a guest who may
    sign in."""
    return bool(
        await value(
            db,
            """
            SELECT true FROM users
            WHERE app_id = $1 AND id = $2 AND guest AND NOT disabled FOR NO KEY UPDATE
            """,
            app_id,
            id,
        )
    )


async def page_of_expired(db: Db, *, after: ExpiredGuest | None) -> list[ExpiredGuest]:
    """Returns guests of all applications without activity for 30 days."""
    return await many(
        db,
        ExpiredGuest,
        """
        -- any-tenant: guests of every application; their accounts are deleted one by one, each in the
        -- context of its application
        SELECT u.app_id::text, u.id::text FROM users u
        WHERE u.guest AND u.created_at < now() - interval '30 days'
          AND (u.app_id, u.id) > ($1::uuid, $2::uuid)
          AND NOT EXISTS (SELECT FROM user_sessions s WHERE s.app_id = u.app_id AND s.user_id = u.id
                          AND s.last_active_at > now() - interval '30 days')
        ORDER BY u.app_id, u.id LIMIT 200
        """,
        after.app_id if after else LOWEST_ID,
        after.id if after else LOWEST_ID,
    )


async def is_expired(db: Db, *, app_id: str, id: str) -> bool:
    """Returns whether the user is a guest without activity for 30 days. The caller has locked the
    user's row."""
    return bool(
        await value(
            db,
            """
            SELECT true FROM users u
            WHERE u.app_id = $1 AND u.id = $2 AND u.guest
              AND u.created_at < now() - interval '30 days'
              AND NOT EXISTS (SELECT FROM user_sessions s WHERE s.app_id = $1 AND s.user_id = $2
                              AND s.last_active_at > now() - interval '30 days')
            """,
            app_id,
            id,
        )
    )
