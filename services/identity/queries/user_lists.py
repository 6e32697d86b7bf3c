"""Which users a page of the list shows: one statement for each way through an index.

Each returns the place of its rows, so that the page after it starts there; `queries.users.of_ids`
fetches the users.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common import keyset
from common.db import Db, many, maybe, value

Place = tuple[str | None, str | None]
"""The sort key of the row before the page; (None, None) before the first."""


@dataclass(frozen=True)
class UserListEntry:
    """A user's id and what the list is sorted by: the time of creation, or the word that matched."""

    id: str
    key: str


async def newest(
    db: Db,
    *,
    app_id: str,
    disabled: bool | None,
    email_verified: bool | None,
    before: Place,
    limit: int,
) -> list[UserListEntry]:
    """Returns users, the newest first. The filters are for values that most users have."""
    return await many(
        db,
        UserListEntry,
        """
        SELECT id, created_at::text AS key FROM users
        WHERE app_id = $1 AND (created_at, id) < ($2::timestamptz, $3::uuid)
          AND ($4::boolean IS NULL OR disabled = $4)
          AND ($5::boolean IS NULL OR email_verified = $5)
        ORDER BY created_at DESC, id DESC LIMIT $6
        """,
        app_id,
        *keyset.backward(*before),
        disabled,
        email_verified,
        limit,
    )


async def disabled(
    db: Db, *, app_id: str, email_verified: bool | None, before: Place, limit: int
) -> list[UserListEntry]:
    """Returns disabled users, the newest first."""
    return await many(
        db,
        UserListEntry,
        """
        SELECT id, created_at::text AS key FROM users
        WHERE app_id = $1 AND disabled AND (created_at, id) < ($2::timestamptz, $3::uuid)
          AND ($4::boolean IS NULL OR email_verified = $4)
        ORDER BY created_at DESC, id DESC LIMIT $5
        """,
        app_id,
        *keyset.backward(*before),
        email_verified,
        limit,
    )


async def unverified(
    db: Db, *, app_id: str, disabled: bool | None, before: Place, limit: int
) -> list[UserListEntry]:
    """Returns users without a verified address, the newest first."""
    return await many(
        db,
        UserListEntry,
        """
        SELECT id, created_at::text AS key FROM users
        WHERE app_id = $1 AND NOT email_verified
          AND (created_at, id) < ($2::timestamptz, $3::uuid)
          AND ($4::boolean IS NULL OR disabled = $4)
        ORDER BY created_at DESC, id DESC LIMIT $5
        """,
        app_id,
        *keyset.backward(*before),
        disabled,
        limit,
    )


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


STRETCH: Final = 500
"""Entries of the index of words that one statement of a search reads at most."""
ENTRIES: Final = """
    user_words_from(
        app_id => $1, word => $2, user_id => $3::uuid, beginning => $4, firsts => false, most => $5
    ) WITH ORDINALITY AS found (id, key, is_first, place)
    """
"""The next words that begin with $4, after the word $2 of the user $3. A user counts at the first of them."""
HAS_ALL: Final = """NOT EXISTS (
        SELECT FROM unnest($6::text[]) AS other (word) WHERE NOT EXISTS (
            SELECT FROM (
                SELECT o.word FROM user_words o
                WHERE o.app_id = $1 AND o.user_id = found.id OFFSET 0
            ) AS own
            WHERE own.word >= other.word AND own.word < other.word || chr(1114111)))"""
"""Whether a user `found` has, for each of $6, a word that begins with it. OFFSET 0 lets only the user lead
to their words: otherwise Postgres may take the range of words for the shorter way."""
PASSES: Final = """($7::boolean IS NULL AND $8::boolean IS NULL OR EXISTS (
        SELECT FROM users u
        WHERE u.app_id = $1 AND u.id = found.id
          AND ($7 IS NULL OR u.disabled = $7) AND ($8 IS NULL OR u.email_verified = $8) OFFSET 0))"""
"""Whether a user `found` passes the filters $7 and $8. Without filters nothing is looked up."""
MATCHING: Final = f"""
    SELECT found.id, found.key FROM {ENTRIES}
    WHERE found.is_first AND {PASSES} AND {HAS_ALL}
    ORDER BY found.place LIMIT $9
    """
STRETCH_END: Final = f"""
    SELECT found.id, found.key, count(*) OVER () < $5 AS is_last,
           count(*) FILTER (WHERE found.is_first) OVER () AS users
    FROM {ENTRIES}
    ORDER BY found.place DESC LIMIT 1
    """


async def rarest(db: Db, *, app_id: str, words: list[str]) -> str:
    """Returns the word that the fewest users' words begin with. Words that many have count as equal,
    and the longest of them is returned."""
    rarest: str = await value(
        db,
        """
        SELECT s.word FROM unnest($2::text[]) AS s (word)
        CROSS JOIN LATERAL (
            SELECT count(*) AS seen FROM user_words_from(
                app_id => $1, word => s.word, user_id => $3::uuid, beginning => s.word, firsts => false,
                most => $4)
        ) AS c
        ORDER BY c.seen, length(s.word) DESC, s.word LIMIT 1
        """,
        app_id,
        words,
        keyset.LOWEST_ID,
        STRETCH,
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
    entries: int,
    limit: int,
) -> list[UserListEntry]:
    """Returns the users of the next entries who match: of whom one word begins with `word`, and one with
    each of `others`.

    They are sorted by the first word that matches: any other order would need all matches first.
    """
    return await many(
        db,
        UserListEntry,
        MATCHING,
        app_id,
        *begin(word, after),
        word,
        entries,
        others,
        disabled,
        email_verified,
        limit,
    )


@dataclass(frozen=True)
class StretchEnd(UserListEntry):
    """The last entry that `matching` reads, whether no entry follows, and how many users it looks at."""

    is_last: bool
    users: int


async def stretch_end(
    db: Db, *, app_id: str, word: str, after: Place, entries: int
) -> StretchEnd | None:
    """Returns where `matching` ends, or None if it reads nothing."""
    return await maybe(db, StretchEnd, STRETCH_END, app_id, *begin(word, after), word, entries)


def begin(word: str, after: Place = (None, None)) -> Place:
    """Returns the place that a search for the word starts behind."""
    return (word, keyset.LOWEST_ID) if after[0] is None else after
