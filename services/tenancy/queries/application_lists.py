"""Lists of applications."""

from __future__ import annotations

from typing import Final

from common import keyset
from common.db import Db, many
from tenancy.queries.applications import COLUMNS, ApplicationRow

PAGE: Final = f"""
    -- any-tenant: an operator sees every application
    SELECT {COLUMNS}
    FROM applications a
    WHERE a.state <> 'deleting' AND (a.created_at, a.id) > ($1::timestamptz, $2::uuid)
    ORDER BY a.created_at, a.id LIMIT $3
    """
PAGE_OF_TEAMS: Final = f"""
    -- any-tenant: the applications that a team owns
    SELECT {COLUMNS}
    FROM applications a
    WHERE a.state <> 'deleting' AND a.owner_org_id = ANY($3::uuid[])
      AND (a.created_at, a.id) > ($1::timestamptz, $2::uuid)
      AND NOT EXISTS (
          SELECT FROM unnest($4::text[]) AS searched (word) WHERE NOT EXISTS (
              SELECT FROM application_words w
              WHERE w.app_id = a.id
                AND w.word >= searched.word AND w.word < searched.word || chr(1114111)))
    ORDER BY a.created_at, a.id LIMIT $5
    """
OF_IDS: Final = f"""
    -- any-tenant: an operator searched every application
    SELECT {COLUMNS}
    FROM applications a WHERE a.id = ANY($1::uuid[]) AND a.state <> 'deleting'
    """
Place = tuple[str | None, str | None]
"""Time of creation and id of the last application of the page before; (None, None) before the first."""


async def page(db: Db, *, after: Place, limit: int) -> list[ApplicationRow]:
    """Returns all applications after a place, the oldest first."""
    return await many(db, ApplicationRow, PAGE, *keyset.forward(*after), limit)


async def page_of_teams(
    db: Db, *, teams: list[str], words: list[str], after: Place, limit: int
) -> list[ApplicationRow]:
    """Returns the applications of these teams after a place, the oldest first: those with each of `words` at
    the beginning of a word of their name or slug."""
    place = keyset.forward(*after)
    return await many(db, ApplicationRow, PAGE_OF_TEAMS, *place, teams, words, limit)


async def of_ids(db: Db, *, ids: list[str]) -> list[ApplicationRow]:
    """Returns the applications with these ids, in no order."""
    return await many(db, ApplicationRow, OF_IDS, ids)
