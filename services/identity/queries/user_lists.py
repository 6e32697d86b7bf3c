"""Which users a page of the list shows: one statement for each way through an index.

Each returns the place of its rows, so that the page after it starts there; `queries.users.of_ids`
fetches the users.
"""

from __future__ import annotations

from dataclasses import dataclass

from common import keyset
from common.db import Db, many

Place = tuple[str | None, str | None]
"""The sort key of the row before the page; (None, None) before the first."""


@dataclass(frozen=True)
class UserListEntry:
    """A user's id and what the list is sorted by: the time of creation, or the word that matched."""

    id: str
    key: str


async def newest(
    db: Db,
    *,
    app_id: str,
    disabled: bool | None,
    email_verified: bool | None,
    before: Place,
    limit: int,
) -> list[UserListEntry]:
    """Returns users, the newest first. The filters are for values that most users have."""
    return await many(
        db,
        UserListEntry,
        """
        SELECT id, created_at::text AS key FROM users
        WHERE app_id = $1 AND (created_at, id) < ($2::timestamptz, $3::uuid)
          AND ($4::boolean IS NULL OR disabled = $4)
          AND ($5::boolean IS NULL OR email_verified = $5)
        ORDER BY created_at DESC, id DESC LIMIT $6
        """,
        app_id,
        *keyset.backward(*before),
        disabled,
        email_verified,
        limit,
    )


async def disabled(
    db: Db, *, app_id: str, email_verified: bool | None, before: Place, limit: int
) -> list[UserListEntry]:
    """Returns disabled users, the newest first."""
    return await many(
        db,
        UserListEntry,
        """
        SELECT id, created_at::text AS key FROM users
        WHERE app_id = $1 AND disabled AND (created_at, id) < ($2::timestamptz, $3::uuid)
          AND ($4::boolean IS NULL OR email_verified = $4)
        ORDER BY created_at DESC, id DESC LIMIT $5
        """,
        app_id,
        *keyset.backward(*before),
        email_verified,
        limit,
    )


async def unverified(
    db: Db, *, app_id: str, disabled: bool | None, before: Place, limit: int
) -> list[UserListEntry]:
    """Returns users without a verified address, the newest first."""
    return await many(
        db,
        UserListEntry,
        """
        SELECT id, created_at::text AS key FROM users
        WHERE app_id = $1 AND NOT email_verified
          AND (created_at, id) < ($2::timestamptz, $3::uuid)
          AND ($4::boolean IS NULL OR disabled = $4)
        ORDER BY created_at DESC, id DESC LIMIT $5
        """,
        app_id,
        *keyset.backward(*before),
        disabled,
        limit,
    )


async def of_teams(
    db: Db,
    *,
    app_id: str,
    teams: list[str],
    words: list[str],
    disabled: bool | None,
    email_verified: bool | None,
    before: Place,
    limit: int,
) -> list[UserListEntry]:
    """Returns members of these organizations, the newest first; with `words`, those of whom one
    word begins with each of them."""
    return await many(
        db,
        UserListEntry,
        """
        -- whole: reads the members of a few teams
        SELECT u.id, u.created_at::text AS key FROM users u
        WHERE u.app_id = $1 AND (u.created_at, u.id) < ($2::timestamptz, $3::uuid)
          AND u.id IN (
              SELECT m.user_id FROM organization_members m
              WHERE m.app_id = $1 AND m.org_id = ANY($4::uuid[]))
          AND NOT EXISTS (
              SELECT FROM unnest($5::text[]) AS searched (word) WHERE NOT EXISTS (
                  SELECT FROM user_words o
                  WHERE o.app_id = $1 AND o.user_id = u.id
                    AND o.word >= searched.word AND o.word < searched.word || chr(1114111)))
          AND ($6::boolean IS NULL OR u.disabled = $6)
          AND ($7::boolean IS NULL OR u.email_verified = $7)
        ORDER BY u.created_at DESC, u.id DESC LIMIT $8
        """,
        app_id,
        *keyset.backward(*before),
        teams,
        words,
        disabled,
        email_verified,
        limit,
    )
