"""Searches users by the beginnings of their words (user_words), a bounded number at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common import keyset
from common.db import Db, many, maybe, value
from identity.queries.user_lists import Place, UserListEntry


async def name_keys(db: Db, *, text: str) -> list[str]:
    """Returns words of names as they are stored: lower case, without accents."""
    words: list[str] = await value(
        db,
        """
        -- any-tenant: computes, reads no table
        SELECT array_agg(DISTINCT word)
        FROM regexp_split_to_table(search_key($1::text), '\\s+') AS searched (word)
        """,
        text,
    )
    return [word for word in words if word]


CANDIDATES: Final = """
    SELECT user_id, word FROM (
        (SELECT user_id, word FROM user_words
         WHERE app_id = $1 AND word = $2 AND user_id > $3::uuid AND shared < length($4)
         ORDER BY user_id LIMIT 500)
        UNION ALL
        (SELECT user_id, word FROM user_words
         WHERE app_id = $1 AND word > $2 AND word < $4 || chr(1114111) AND shared < length($4)
         ORDER BY word, user_id LIMIT 500)
    ) AS next ORDER BY word, user_id LIMIT 500
    """
"""The next users of whom a word begins with $4, after the word $2 of the user $3: each once, with the
first such word. The two parts are ranges of the index. One comparison of (word, user_id) is none,
since app_id stands between them."""
MOST_CANDIDATES: Final = 500
"""Users that one statement looks at: the LIMIT of CANDIDATES."""
MATCHING: Final = f"""
    SELECT c.user_id AS id, c.word AS key
    FROM ({CANDIDATES}) AS c
    CROSS JOIN LATERAL (  -- by its key: with OFFSET 0 no other condition can lead to it
        SELECT u.disabled, u.email_verified FROM users u
        WHERE u.app_id = $1 AND u.id = c.user_id OFFSET 0
    ) AS u
    WHERE ($5::boolean IS NULL OR u.disabled = $5)
      AND ($6::boolean IS NULL OR u.email_verified = $6)
      AND NOT EXISTS (
          SELECT FROM unnest($7::text[], $8::text[]) AS other (word, until) WHERE NOT EXISTS (
              SELECT FROM user_words o
              WHERE o.app_id = $1 AND o.user_id = c.user_id
                AND o.word >= other.word AND o.word < other.until))
    ORDER BY c.word, c.user_id LIMIT $9
    """
LAST_CANDIDATE: Final = f"""
    SELECT c.user_id AS id, c.word AS key, count(*) OVER () AS seen FROM ({CANDIDATES}) AS c
    ORDER BY c.word DESC, c.user_id DESC LIMIT 1
    """


async def rarest(db: Db, *, app_id: str, words: list[str]) -> str:
    """Returns the word that the fewest users' words begin with. Words that many have count as equal,
    and the longest of them is returned."""
    rarest: str = await value(
        db,
        """
        SELECT s.word FROM unnest($2::text[], $3::text[]) AS s (word, until)
        CROSS JOIN LATERAL (
            SELECT count(*) AS seen FROM (
                SELECT FROM user_words w
                WHERE w.app_id = $1 AND w.word >= s.word AND w.word < s.until LIMIT 500
            ) AS first
        ) AS c
        ORDER BY c.seen, length(s.word) DESC, s.word LIMIT 1
        """,
        app_id,
        words,
        _ends(words),
    )
    return rarest


async def matching(
    db: Db,
    *,
    app_id: str,
    word: str,
    others: list[str],
    disabled: bool | None,
    email_verified: bool | None,
    after: Place,
    limit: int,
) -> list[UserListEntry]:
    """Returns those of the next MOST_CANDIDATES users who match: of whom one word begins with `word`, and
    one with each of `others`.

    They are sorted by the first word that matches: any other order would need all matches first.
    """
    return await many(
        db,
        UserListEntry,
        MATCHING,
        app_id,
        *_begin(word, after),
        word,
        disabled,
        email_verified,
        others,
        _ends(others),
        limit,
    )


@dataclass(frozen=True)
class Candidate(UserListEntry):
    """The last user that `matching` looked at, and how many it looked at."""

    seen: int


async def last_candidate(db: Db, *, app_id: str, word: str, after: Place) -> Candidate | None:
    """Returns where `matching` ends, or None if it looks at nobody."""
    return await maybe(db, Candidate, LAST_CANDIDATE, app_id, *_begin(word, after), word)


def _begin(word: str, after: Place) -> Place:
    return (word, keyset.LOWEST_ID) if after[0] is None else after


def _ends(words: list[str]) -> list[str]:
    """Returns the ends of the ranges of words that begin with these."""
    return [f"{word}\U0010ffff" for word in words]
