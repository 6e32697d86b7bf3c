"""Statements on deleted_slugs: slugs that nobody may take for a while."""

from __future__ import annotations

from common.db import Db, run, value


async def quarantine(db: Db, *, slug: str, days: int) -> None:
    """Cookies, links and tokens that name the slug still exist: it goes to nobody for a while."""
    await run(
        db,
        """
        -- any-tenant: slugs are unique over all applications
        INSERT INTO deleted_slugs (slug, free_at) VALUES ($1, now() + make_interval(days => $2))
        ON CONFLICT (slug) DO UPDATE SET deleted_at = now(), free_at = excluded.free_at
        """,
        slug,
        days,
    )


async def quarantined(db: Db, *, slug: str) -> bool:
    """Asked after the insert: an application with this slug may have gone in between."""
    return bool(
        await value(
            db,
            """
            -- any-tenant: slugs are unique over all applications
            SELECT EXISTS (SELECT FROM deleted_slugs
                           WHERE slug = $1 AND (free_at IS NULL OR free_at > now()))
            """,
            slug,
        )
    )
