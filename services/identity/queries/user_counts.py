"""How many users match a filter: statements that read a bounded number of rows.

Each reads the first `limit` rows on the same way through an index as the list, and counts those that
match.
"""

from __future__ import annotations

from dataclasses import dataclass

from common.db import Db, one, value


@dataclass(frozen=True)
class Sample:
    """`matching` of the `seen` rows match. If fewer rows than the limit were seen, there are no
    others."""

    matching: int
    seen: int


async def newest(
    db: Db, *, app_id: str, disabled: bool | None, email_verified: bool | None, limit: int
) -> Sample:
    """Counts among the newest users."""
    return await one(
        db,
        Sample,
        """
        SELECT count(*) AS seen, count(*) FILTER (
            WHERE ($2::boolean IS NULL OR disabled = $2)
              AND ($3::boolean IS NULL OR email_verified = $3)) AS matching
        FROM (
            SELECT disabled, email_verified FROM users
            WHERE app_id = $1 ORDER BY created_at DESC, id DESC LIMIT $4) sample
        """,
        app_id,
        disabled,
        email_verified,
        limit,
    )


async def disabled(db: Db, *, app_id: str, email_verified: bool | None, limit: int) -> Sample:
    """Counts among the newest disabled users."""
    return await one(
        db,
        Sample,
        """
        SELECT count(*) AS seen, count(*) FILTER (
            WHERE $2::boolean IS NULL OR email_verified = $2) AS matching
        FROM (
            SELECT email_verified FROM users
            WHERE app_id = $1 AND disabled ORDER BY created_at DESC, id DESC LIMIT $3) sample
        """,
        app_id,
        email_verified,
        limit,
    )


async def unverified(db: Db, *, app_id: str, disabled: bool | None, limit: int) -> Sample:
    """Counts among the newest users without a verified address."""
    return await one(
        db,
        Sample,
        """
        SELECT count(*) AS seen, count(*) FILTER (
            WHERE $2::boolean IS NULL OR disabled = $2) AS matching
        FROM (
            SELECT disabled FROM users
            WHERE app_id = $1 AND NOT email_verified
            ORDER BY created_at DESC, id DESC LIMIT $3) sample
        """,
        app_id,
        disabled,
        limit,
    )


async def with_word(db: Db, *, app_id: str, word: str, limit: int) -> Sample:
    """Counts the users of whom a word begins with `word`, up to `limit`."""
    return await one(
        db,
        Sample,
        """
        SELECT count(*) AS seen, count(*) AS matching FROM (
            SELECT FROM user_words
            WHERE app_id = $1 AND word >= $2 AND word < $2 || chr(1114111) AND shared < length($2)
            ORDER BY word, user_id LIMIT $3) w
        """,
        app_id,
        word,
        limit,
    )


async def with_words(
    db: Db,
    *,
    app_id: str,
    word: str,
    others: list[str],
    disabled: bool | None,
    email_verified: bool | None,
    limit: int,
) -> Sample:
    """Counts among the first users of whom a word begins with `word` those of whom one begins with each
    of `others`."""
    return await one(
        db,
        Sample,
        """
        SELECT count(*) AS seen, count(u.id) AS matching
        FROM (
            SELECT user_id FROM user_words
            WHERE app_id = $1 AND word >= $2 AND word < $2 || chr(1114111) AND shared < length($2)
            ORDER BY word, user_id LIMIT $6) w
        LEFT JOIN LATERAL (  -- by its key: with OFFSET 0 no other condition can lead to it
            SELECT u.id, u.disabled, u.email_verified FROM users u
            WHERE u.app_id = $1 AND u.id = w.user_id OFFSET 0
        ) AS u ON ($4::boolean IS NULL OR u.disabled = $4)
            AND ($5::boolean IS NULL OR u.email_verified = $5)
            AND NOT EXISTS (
                SELECT FROM unnest($3::text[]) AS other (word) WHERE NOT EXISTS (
                    SELECT FROM user_words o
                    WHERE o.app_id = $1 AND o.user_id = u.id
                      AND o.word >= other.word AND o.word < other.word || chr(1114111)))
        """,
        app_id,
        word,
        others,
        disabled,
        email_verified,
        limit,
    )


async def estimate(
    db: Db, *, app_id: str, disabled: bool | None, email_verified: bool | None
) -> int:
    """Returns what the database's statistics say. It reads no row."""
    count: int = await value(
        db,
        "SELECT estimated_users(app_id => $1, disabled => $2, email_verified => $3)",
        app_id,
        disabled,
        email_verified,
    )
    return count
