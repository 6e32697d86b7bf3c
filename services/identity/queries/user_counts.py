"""How many users match a filter: statements that read a bounded number of rows.

Each reads the first `limit` rows on the same way through an index as the list, and counts those that
match.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common.db import Db, one, value
from identity.queries.user_lists import HAS_ALL, PASSES, begin


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


FIRST: Final = """
    user_words_from(
        app_id => $1, word => $2, user_id => $3::uuid, beginning => $4, firsts => true, most => $5
    ) AS found
    """
"""The first users of whom a word begins with $4, each once."""
WITH_WORD: Final = f"""
    SELECT count(*) AS seen, count(*) AS matching FROM {FIRST}
    """
WITH_WORDS: Final = f"""
    SELECT count(*) AS seen, count(*) FILTER (WHERE {PASSES} AND {HAS_ALL}) AS matching
    FROM {FIRST}
    """


async def with_word(db: Db, *, app_id: str, word: str, limit: int) -> Sample:
    """Counts the users of whom a word begins with `word`, up to `limit`."""
    return await one(db, Sample, WITH_WORD, app_id, *begin(word), word, limit)


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
        WITH_WORDS,
        app_id,
        *begin(word),
        word,
        limit,
        others,
        disabled,
        email_verified,
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
