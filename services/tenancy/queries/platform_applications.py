"""Statements on the applications of all teams, as operators see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from common import keyset
from common.contracts.platform_applications import ApplicationLabel
from common.db import Db, many, value

Place = tuple[str | None, str | None]
"""The sort key and the id of the last row of the page before; (None, None) before the first."""


@dataclass(frozen=True)
class PlatformApplicationRow:
    """An application and the team that owns it."""

    id: str
    slug: str
    name: str
    state: Literal["creating", "active", "deleting"]
    is_dashboard: bool
    custom_domain: str | None
    custom_domain_verified: bool
    created_at: datetime
    home: str
    owner_id: str | None
    owner_slug: str | None
    owner_name: str | None


@dataclass(frozen=True)
class ApplicationMatch(PlatformApplicationRow):
    """An application and the word of its name or slug that matched the search."""

    key: str


COLUMNS: Final = """
    a.id, a.slug, a.name, a.state, a.is_dashboard, a.custom_domain, a.custom_domain_verified,
    a.created_at, a.home, o.id AS owner_id, o.slug AS owner_slug, o.name AS owner_name"""
"""Of `applications a` and `organizations o`, for a `PlatformApplicationRow`."""

NEWEST: Final = f"""
    -- any-tenant: an operator sees every application
    SELECT {COLUMNS}
    FROM applications a
    LEFT JOIN organizations o ON o.app_id = $1 AND o.id = a.owner_org_id
    WHERE (a.created_at, a.id) < ($2::timestamptz, $3::uuid)
    ORDER BY a.created_at DESC, a.id DESC LIMIT $4
    """
OF_TEAM: Final = f"""
    -- any-tenant: the applications that a team owns
    SELECT {COLUMNS}
    FROM applications a
    LEFT JOIN organizations o ON o.app_id = $1 AND o.id = a.owner_org_id
    WHERE a.owner_org_id = $2 AND (a.created_at, a.id) < ($3::timestamptz, $4::uuid)
    ORDER BY a.created_at DESC, a.id DESC LIMIT $5
    """
NAMED: Final = f"""
    -- any-tenant: an operator searches every application
    SELECT {COLUMNS}, found.key
    FROM (
        SELECT w.app_id AS id, w.word AS key FROM application_words w
        WHERE (w.word, w.app_id) > ($2, $3::uuid) AND w.word < $4 || chr(1114111)
          AND w.app_id <> ALL ($6::uuid[])
          AND NOT EXISTS (
              SELECT FROM application_words e
              WHERE e.app_id = w.app_id AND e.word >= $4 AND e.word < w.word)
          AND NOT EXISTS (
              SELECT FROM unnest($5::text[]) AS other (word) WHERE NOT EXISTS (
                  SELECT FROM application_words n
                  WHERE n.app_id = w.app_id
                    AND n.word >= other.word AND n.word < other.word || chr(1114111)))
        ORDER BY w.word, w.app_id LIMIT $7
    ) AS found
    JOIN applications a ON a.id = found.id
    LEFT JOIN organizations o ON o.app_id = $1 AND o.id = a.owner_org_id
    ORDER BY found.key, found.id LIMIT $7
    """
EXACT: Final = f"""
    -- any-tenant: an operator searches every application
    SELECT {COLUMNS}
    FROM (
        SELECT s.id FROM applications s WHERE s.slug = $2
        UNION SELECT i.id FROM applications i WHERE i.id = $3::uuid
        UNION SELECT d.app_id FROM custom_domains d
              WHERE d.domain = $4 AND d.verified_at IS NOT NULL
    ) AS found
    JOIN applications a ON a.id = found.id
    LEFT JOIN organizations o ON o.app_id = $1 AND o.id = a.owner_org_id
    ORDER BY a.created_at DESC, a.id DESC
    """
OF_USER: Final = f"""
    -- any-tenant: the applications of a developer's teams
    SELECT {COLUMNS}
    FROM organization_members m
    JOIN applications a ON a.owner_org_id = m.org_id
    JOIN organizations o ON o.app_id = $1 AND o.id = m.org_id
    WHERE m.app_id = $1 AND m.user_id = $2
    ORDER BY a.created_at DESC, a.id DESC LIMIT $3
    """


async def newest(db: Db, *, app_id: str, before: Place, limit: int) -> list[PlatformApplicationRow]:
    """Returns the applications before (created_at, id), the newest first."""
    return await many(db, PlatformApplicationRow, NEWEST, app_id, *keyset.backward(*before), limit)


async def of_team(
    db: Db, *, app_id: str, team: str, before: Place, limit: int
) -> list[PlatformApplicationRow]:
    """Returns the applications of a team before (created_at, id), the newest first."""
    place = keyset.backward(*before)
    return await many(db, PlatformApplicationRow, OF_TEAM, app_id, team, *place, limit)


async def named(
    db: Db, *, app_id: str, words: list[str], after: Place, without: list[str], limit: int
) -> list[ApplicationMatch]:
    """Returns applications with each of `words` at the beginning of a word of their name or slug, after
    (key, id). They are sorted by what the first of `words` matched."""
    word, *others = words
    place = (word, keyset.LOWEST_ID) if after[0] is None else after
    return await many(db, ApplicationMatch, NAMED, app_id, *place, word, others, without, limit)


async def exact(
    db: Db, *, app_id: str, slug: str | None, id: str | None, domain: str | None
) -> list[PlatformApplicationRow]:
    """Returns the applications with this slug, this id or this verified domain."""
    return await many(db, PlatformApplicationRow, EXACT, app_id, slug, id, domain)


async def of_user(db: Db, *, app_id: str, user_id: str, limit: int) -> list[PlatformApplicationRow]:
    """Returns the applications of a developer's teams, the newest first."""
    return await many(db, PlatformApplicationRow, OF_USER, app_id, user_id, limit)


async def count_users(db: Db, *, app_id: str, limit: int) -> int:
    """Returns the number of the application's users, `limit` at most."""
    counted: int = await value(
        db,
        """
        SELECT count(*) FROM (SELECT FROM users WHERE app_id = $1 LIMIT $2) AS counted
        """,
        app_id,
        limit,
    )
    return counted


async def labels(db: Db, *, ids: list[str]) -> list[ApplicationLabel]:
    """Returns the slugs and names of these applications."""
    return await many(
        db,
        ApplicationLabel,
        """
        -- any-tenant: an operator found users of these applications
        SELECT id, slug, name, home FROM applications WHERE id = ANY($1::uuid[])
        """,
        ids,
    )
