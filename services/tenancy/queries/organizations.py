"""Reads and writes organizations. `role` in a row is the role of one user there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from common import keyset
from common.db import Db, many, maybe, run, value


@dataclass(frozen=True)
class OrganizationRow:
    """An organization, and the role of the user who reads it, or None."""

    id: str
    slug: str
    name: str
    logo_url: str | None
    is_personal: bool
    sso_required: bool
    public_metadata: dict[str, Any]
    private_metadata: dict[str, Any]
    role: str | None
    created_at: datetime
    updated_at: datetime


COLUMNS: Final = """
    o.id, o.slug, o.name, o.logo_url, o.is_personal, o.sso_required, o.public_metadata,
    o.private_metadata, m.role_id AS role, o.created_at, o.updated_at"""
"""Of `organizations o` and `organization_members m`, for a `OrganizationRow`."""

BY_ID: Final = f"""
    SELECT {COLUMNS}
    FROM organizations o
    LEFT JOIN organization_members m ON m.app_id = $1 AND m.org_id = o.id AND m.user_id = $3
    WHERE o.app_id = $1 AND o.id = $2
    """
PERSONAL_TEAM: Final = f"""
    SELECT {COLUMNS}
    FROM organizations o
    LEFT JOIN organization_members m ON m.app_id = $1 AND m.org_id = o.id AND m.user_id = $2
    WHERE o.app_id = $1 AND o.created_by = $2 AND o.is_personal
    """
PAGE: Final = f"""
    SELECT {COLUMNS}
    FROM organizations o
    LEFT JOIN organization_members m ON m.app_id = $1 AND m.org_id = o.id AND m.user_id = $2
    WHERE o.app_id = $1 AND o.id > $3::uuid
    ORDER BY o.id LIMIT $4
    """
PAGE_OF_USER: Final = f"""
    SELECT {COLUMNS}
    FROM organization_members m
    JOIN organizations o ON o.app_id = $1 AND o.id = m.org_id
    WHERE m.app_id = $1 AND m.user_id = $2 AND m.org_id > $4::uuid
      AND NOT EXISTS (
          SELECT FROM unnest($3::text[]) AS searched (word) WHERE NOT EXISTS (
              SELECT FROM organization_words w
              WHERE w.app_id = $1 AND w.org_id = m.org_id
                AND w.word >= searched.word AND w.word < searched.word || chr(1114111)))
    ORDER BY m.org_id LIMIT $5
    """
SEARCH: Final = f"""
    SELECT {COLUMNS}, found.key
    FROM (
        SELECT w.org_id AS id, w.word AS key FROM organization_words w
        WHERE w.app_id = $1 AND (w.word, w.org_id) > ($3, $4::uuid) AND w.word < $5 || chr(1114111)
          AND NOT EXISTS (
              SELECT FROM organization_words e
              WHERE e.app_id = $1 AND e.org_id = w.org_id AND e.word >= $5 AND e.word < w.word)
          AND NOT EXISTS (
              SELECT FROM unnest($6::text[]) AS other (word) WHERE NOT EXISTS (
                  SELECT FROM organization_words o
                  WHERE o.app_id = $1 AND o.org_id = w.org_id
                    AND o.word >= other.word AND o.word < other.word || chr(1114111)))
        ORDER BY w.word, w.org_id LIMIT $7
    ) AS found
    JOIN organizations o ON o.app_id = $1 AND o.id = found.id
    LEFT JOIN organization_members m ON m.app_id = $1 AND m.org_id = o.id AND m.user_id = $2
    ORDER BY found.key, found.id LIMIT $7
    """


async def by_id(db: Db, *, app_id: str, id: str, user_id: str | None) -> OrganizationRow | None:
    """Returns the organization as this user sees it, or None."""
    return await maybe(db, OrganizationRow, BY_ID, app_id, id, user_id)


async def personal_team(db: Db, *, app_id: str, user_id: str) -> OrganizationRow | None:
    """Returns the user's personal team, or None."""
    return await maybe(db, OrganizationRow, PERSONAL_TEAM, app_id, user_id)


async def page(
    db: Db, *, app_id: str, user_id: str | None, after: str | None, limit: int
) -> list[OrganizationRow]:
    """Returns the application's organizations after that id, as this user sees them."""
    return await many(db, OrganizationRow, PAGE, app_id, user_id, after or keyset.LOWEST_ID, limit)


async def page_of_user(
    db: Db, *, app_id: str, user_id: str, words: list[str], after: str | None, limit: int
) -> list[OrganizationRow]:
    """Returns the user's organizations after that id; of those with each of `words` at the beginning of
    a word of their name or slug."""
    return await many(
        db, OrganizationRow, PAGE_OF_USER, app_id, user_id, words, after or keyset.LOWEST_ID, limit
    )


@dataclass(frozen=True)
class OrganizationMatch(OrganizationRow):
    """An organization and the word of its name or slug that matched the search."""

    key: str


Place = tuple[str | None, str | None]
"""Key and id of the last organization of the page before; (None, None) before the first."""


async def search(
    db: Db, *, app_id: str, user_id: str | None, words: list[str], after: Place, limit: int
) -> list[OrganizationMatch]:
    """Returns organizations with each of `words` at the beginning of a word of their name or slug.

    They are sorted by what the first of `words` matched: any other order would need all matches first.
    """
    word, *others = words
    place = (word, keyset.LOWEST_ID) if after[0] is None else after
    return await many(db, OrganizationMatch, SEARCH, app_id, user_id, *place, word, others, limit)


async def insert(
    db: Db,
    *,
    app_id: str,
    id: str,
    slug: str,
    name: str,
    logo_url: str | None = None,
    is_personal: bool = False,
    created_by: str | None = None,
    public_metadata: dict[str, Any] | None = None,
    private_metadata: dict[str, Any] | None = None,
    request_key: str | None = None,
) -> bool:
    """Adds an organization. Returns False if the slug or `request_key` is in use, or the user has a
    personal team.

    Raises ForeignKeyViolationError for an unknown creator.
    """
    return (
        await run(
            db,
            """
            INSERT INTO organizations (app_id, id, slug, name, logo_url, is_personal, created_by,
                                       public_metadata, private_metadata, request_key)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            ON CONFLICT DO NOTHING
            """,
            app_id,
            id,
            slug,
            name,
            logo_url,
            is_personal,
            created_by,
            public_metadata or {},
            private_metadata or {},
            request_key,
        )
        == 1
    )


async def id_of_request(db: Db, *, app_id: str, request_key: str) -> str | None:
    """Returns the id of the organization that was created by this request, or None."""
    id: str | None = await value(
        db,
        "SELECT id FROM organizations WHERE app_id = $1 AND request_key = $2",
        app_id,
        request_key,
    )
    return id


async def lock(db: Db, *, app_id: str, id: str) -> bool:
    """Locks the organization's row, and with it the roles of its members.

    Returns False if it is missing. The lock is not FOR UPDATE: a new member, whose row refers to
    this one, need not wait.
    """
    return (
        await run(
            db,
            "SELECT FROM organizations WHERE app_id = $1 AND id = $2 FOR NO KEY UPDATE",
            app_id,
            id,
        )
        == 1
    )


async def update(
    db: Db,
    *,
    app_id: str,
    id: str,
    slug: str,
    name: str,
    logo_url: str | None,
    sso_required: bool,
    public_metadata: dict[str, Any],
    private_metadata: dict[str, Any],
) -> None:
    """Sets all fields that can change. Raises UniqueViolationError if the slug is in use."""
    await run(
        db,
        """
        UPDATE organizations
        SET slug = $3, name = $4, logo_url = $5, public_metadata = $6, private_metadata = $7,
            sso_required = $8, updated_at = now()
        WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
        slug,
        name,
        logo_url,
        public_metadata,
        private_metadata,
        sso_required,
    )


async def delete(db: Db, *, app_id: str, id: str) -> None:
    """Deletes the organization. Raises ForeignKeyViolationError if it owns applications."""
    await run(db, "DELETE FROM organizations WHERE app_id = $1 AND id = $2", app_id, id)
