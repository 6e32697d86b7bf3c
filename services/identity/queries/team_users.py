"""Which members of a few teams a page of the list of users shows."""

from __future__ import annotations

from typing import Final

from common import keyset
from common.db import Db, many
from identity.queries.user_lists import HAS_ALL, Place, UserListEntry

OF_TEAMS: Final = f"""
    -- whole: reads the members of a few teams
    SELECT found.id, found.created_at::text AS key FROM users found
    WHERE found.app_id = $1 AND (found.created_at, found.id) < ($2::timestamptz, $3::uuid)
      AND found.id IN (
          SELECT m.user_id FROM organization_members m
          WHERE m.app_id = $1 AND m.org_id = ANY($4::uuid[]))
      AND ($7::boolean IS NULL OR found.disabled = $7)
      AND ($8::boolean IS NULL OR found.email_verified = $8)
      AND {HAS_ALL}
    ORDER BY found.created_at DESC, found.id DESC LIMIT $5
    """


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
        OF_TEAMS,
        app_id,
        *keyset.backward(*before),
        teams,
        limit,
        words,
        disabled,
        email_verified,
    )
