"""Reads and writes deleted_slugs: slugs that no application may use for a while."""

from __future__ import annotations

from common.db import Db, run, value


async def insert(db: Db, *, slug: str, days: int) -> None:
    """Keeps the slug from use for some days: cookies, links and tokens that name it still exist."""
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


async def exists(db: Db, *, slug: str) -> bool:
    """Returns whether the slug must not be used yet.

    Call it after the insert of an application: one with this slug may have been deleted meanwhile.
    """
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
