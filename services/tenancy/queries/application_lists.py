"""Lists of applications, and the search in them."""

from __future__ import annotations

from typing import Final

from common import keyset
from common.db import Db, many
from tenancy.queries.applications import COLUMNS, ApplicationRow

HAS_WORDS: Final = """($1::text IS NULL OR NOT EXISTS (
        SELECT FROM regexp_split_to_table(search_key($1), '\\s+') AS wanted (word)
        WHERE position(wanted.word IN search_key(a.name)) = 0
          AND position(wanted.word IN a.slug) = 0))"""
"""Whether each word of $1 occurs in the name or the slug of an application `a`."""
PAGE: Final = f"""
    -- any-tenant: an operator sees every application
    SELECT {COLUMNS}
    FROM applications a
    WHERE a.state <> 'deleting' AND (a.created_at, a.id) > ($2::timestamptz, $3::uuid)
      AND {HAS_WORDS}
    ORDER BY a.created_at, a.id LIMIT $4
    """
PAGE_OF_TEAMS: Final = f"""
    -- any-tenant: the applications that a team owns
    SELECT {COLUMNS}
    FROM applications a
    WHERE a.state <> 'deleting' AND a.owner_org_id = ANY($2::uuid[])
      AND (a.created_at, a.id) > ($3::timestamptz, $4::uuid) AND {HAS_WORDS}
    ORDER BY a.created_at, a.id LIMIT $5
    """
Place = tuple[str | None, str | None]
"""Time of creation and id of the last application of the page before; (None, None) before the first."""


async def page(
    db: Db, *, teams: list[str] | None, search: str | None, after: Place, limit: int
) -> list[ApplicationRow]:
    """Returns the applications of these teams, or all, after a place, the oldest first. With `search`, only
    those in whose name or slug each word of it occurs."""
    place = keyset.forward(*after)
    if teams is None:
        return await many(db, ApplicationRow, PAGE, search, *place, limit)
    return await many(db, ApplicationRow, PAGE_OF_TEAMS, search, teams, *place, limit)
