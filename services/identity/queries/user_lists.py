"""Which users a page of the list shows: one statement for each way through an index.

Each returns the place of its rows, so that the page after it starts there; `queries.users.of_ids`
fetches the users.
"""

from __future__ import annotations

from dataclasses import dataclass

from common import keyset
from common.db import Db, many, value

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


async def name_keys(db: Db, *, text: str) -> list[str]:
    """Returns words of names as they are stored: lower case, without accents."""
    words: list[str] = await value(
        db,
        """
        -- any-tenant: computes, reads no table
        SELECT array_agg(DISTINCT word)
        FROM regexp_split_to_table(search_key($1::text), '\\s+') AS searched (word)
        """,
        text,
    )
    return [word for word in words if word]


async def matching(
    db: Db,
    *,
    app_id: str,
    word: str,
    others: list[str],
    disabled: bool | None,
    email_verified: bool | None,
    after: Place,
    limit: int,
) -> list[UserListEntry]:
    """Returns users of whom one word begins with `word`, and one with each of `others`.

    They are sorted by the first word that matches: any other order would need all matches first.
    """
    place = (word, keyset.LOWEST_ID) if after[0] is None else after
    return await many(
        db,
        UserListEntry,
        """
        SELECT w.user_id AS id, w.word AS key
        FROM user_words w JOIN users u ON u.app_id = $1 AND u.id = w.user_id
        WHERE w.app_id = $1 AND (w.word, w.user_id) > ($2, $3::uuid) AND w.word < $4 || chr(1114111)
          AND NOT EXISTS (
              SELECT FROM user_words e
              WHERE e.app_id = $1 AND e.user_id = w.user_id AND e.word >= $4 AND e.word < w.word)
          AND NOT EXISTS (
              SELECT FROM unnest($5::text[]) AS other (word) WHERE NOT EXISTS (
                  SELECT FROM user_words o
                  WHERE o.app_id = $1 AND o.user_id = w.user_id
                    AND o.word >= other.word AND o.word < other.word || chr(1114111)))
          AND ($6::boolean IS NULL OR u.disabled = $6)
          AND ($7::boolean IS NULL OR u.email_verified = $7)
        ORDER BY w.word, w.user_id LIMIT $8
        """,
        app_id,
        *place,
        word,
        others,
        disabled,
        email_verified,
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
