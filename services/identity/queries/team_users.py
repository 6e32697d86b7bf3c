"""Which members of a few teams a page of the list of users shows."""

from __future__ import annotations

from common import keyset
from common.db import Db, many
from identity.queries.user_lists import Place, UserListEntry


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
