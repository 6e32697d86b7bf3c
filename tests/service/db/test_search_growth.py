"""A search of users reads a bounded number of rows, whatever Postgres believes about the table.

A plan depends on statistics: with few rows for each word, it seems cheaper to read all entries of a
word and to sort them than to walk along the index. So 20,000 users say nothing about a million. Here the
statistics are set by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from functools import partial

import asyncpg
import pytest
from tests.service.db.kept_plans import buffers, statement

from common.keyset import LOWEST_ID
from identity.queries.user_lists import STRETCH

APP = "018f0000-0000-7000-8000-00000000000d"
MANY = 20_000
FILL = """
    INSERT INTO user_words (app_id, user_id, word, shared)
    SELECT $1, user_id, word, shared
    FROM generate_series(1, $2::integer) i
    CROSS JOIN LATERAL (SELECT md5(i::text)::uuid AS user_id) u
    CROSS JOIN LATERAL (VALUES
        ('anna', 0), ('anna.lee' || i, 4), ('corp.example', 0), ('lee', 0), ('lee' || i, 3), ('x' || i, 0)
    ) AS w (word, shared)
"""
"""Users that all have the same three words, and the beginnings of two of them twice."""

STATISTICS = {
    "of the table as it is": None,
    "never analyzed": (0, -1.0, None, None),
    "of a few rows": (1, 5.0, 2.0, 2.0),
    "of a million users with one word each": (0, 6e6, -1.0, -0.17),
    "of a million users with a thousand words": (0, 6e6, 1000.0, -0.17),
    "of a million users with one word": (0, 6e6, 1.0, -0.17),
    "of a million rows of one user": (0, 6e6, -1.0, 1.0),
}
"""Pages (0 for those that there are), rows, and the numbers of distinct words and users."""
MIDDLE_ID = "7" * 8 + LOWEST_ID[8:]
PLACES = [("anna", LOWEST_ID), ("anna", MIDDLE_ID), ("anna.lee5", MIDDLE_ID)]
MATCHING = "WHERE found.is_first AND"
STRETCH_END = "count(*) OVER () < $5 AS is_last"
RAREST = "count(*) AS seen FROM user_words_from("
WITH_WORD, WITH_WORDS = "count(*) AS seen, count(*) AS matching", "count(*) FILTER (WHERE ($7"
DESCENT = 15
"""Buffers of a few ways down an index. The table was not vacuumed, so an entry costs one more."""


@pytest.fixture(scope="module")
async def filled(module_database: dict[str, str]) -> AsyncIterator[dict[str, str]]:
    owner = await asyncpg.connect(module_database["owner"])
    await owner.execute("INSERT INTO applications (id, slug, name) VALUES ($1, 'large', 'A')", APP)
    await owner.execute(FILL, APP, MANY)
    yield module_database
    await owner.close()


async def _believe(
    owner: asyncpg.Connection[asyncpg.Record],
    pages: int,
    rows: float,
    words: float | None,
    users: float | None,
) -> None:
    """Gives user_words and its partitions statistics, or takes them away."""
    tables = await owner.fetch(
        "SELECT c.relname::text AS name, c.relkind = 'p' AS whole, c.relpages AS pages FROM pg_class c"
        " WHERE c.relname ~ '^user_words(_p\\d+)?$' AND c.relkind IN ('r', 'p')"
    )
    for table in tables:
        await owner.execute(
            "SELECT pg_restore_relation_stats('schemaname', 'public'::text, 'relname', $1::text,"
            " 'relpages', $2::integer, 'reltuples', $3::real)",
            table["name"],
            0 if rows < 0 else pages or max(table["pages"], 1),
            rows,
        )
        for column, distinct in (("word", words), ("user_id", users), ("app_id", 1.0)):
            await owner.execute(
                "SELECT pg_clear_attribute_stats('public', $1, $2, $3)",
                table["name"],
                column,
                table["whole"],
            )
            if distinct is not None:
                await owner.execute(
                    "SELECT pg_restore_attribute_stats('schemaname', 'public'::text, 'relname', $1::text,"
                    " 'attname', $2::text, 'inherited', $3::boolean, 'null_frac', 0::real,"
                    " 'avg_width', 16, 'n_distinct', $4::real)",
                    table["name"],
                    column,
                    table["whole"],
                    distinct,
                )


@pytest.fixture
async def believing(
    filled: dict[str, str], request: pytest.FixtureRequest
) -> AsyncIterator[dict[str, str]]:
    """Gives the database with the statistics that the test names."""
    owner = await asyncpg.connect(filled["owner"])
    await owner.execute("ANALYZE user_words")
    if request.param is not None:
        await _believe(owner, *request.param)
    yield filled
    await owner.close()


def cost(dsn: str, file: str, part: str, *values: object) -> Awaitable[int]:
    """Returns the buffers that a statement of identity reads."""
    return buffers(dsn, statement("identity", file, part), APP, values)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("believing", STATISTICS.values(), ids=STATISTICS, indirect=True)
async def test_a_search_reads_a_stretch(believing: dict[str, str], place: tuple[str, str]) -> None:
    """Among 20,000 users with the word, and as many second matches. For another word it also reads the
    words of each user in the stretch."""
    asked = partial(cost, believing["identity"], "user_lists.py")
    one, other, end = [
        await asked(MATCHING, *place, "anna", STRETCH, [], None, None, 51),
        await asked(MATCHING, *place, "anna", STRETCH, ["unknown"], None, None, 51),
        await asked(STRETCH_END, *place, "anna", STRETCH),
    ]

    assert max(one, end) <= STRETCH + DESCENT
    assert other <= STRETCH + DESCENT + 5 * STRETCH


@pytest.mark.parametrize("believing", STATISTICS.values(), ids=STATISTICS, indirect=True)
async def test_a_search_for_an_unknown_word_reads_nothing(believing: dict[str, str]) -> None:
    """Also beside a word that all users have: the search walks along the rarest."""
    asked = partial(cost, believing["identity"], "user_lists.py")
    nobody = ("unknown", LOWEST_ID, "unknown", STRETCH)

    assert await asked(MATCHING, *nobody, ["anna"], None, None, 51) <= DESCENT
    assert await asked(STRETCH_END, *nobody) <= DESCENT
    assert await asked(RAREST, ["unknown", "anna"], LOWEST_ID, STRETCH) <= STRETCH + DESCENT


@pytest.mark.parametrize("believing", STATISTICS.values(), ids=STATISTICS, indirect=True)
async def test_a_count_reads_as_many_as_it_counts(believing: dict[str, str]) -> None:
    """A count of 1,001 of 20,000 users, and one of nobody."""
    asked = partial(cost, believing["identity"], "user_counts.py")
    anna, nobody = [(word, LOWEST_ID, word, 1001) for word in ("anna", "unknown")]

    assert await asked(WITH_WORD, *anna) <= 1001 + DESCENT
    assert await asked(WITH_WORDS, *anna, ["unknown"], None, None) <= 1001 + DESCENT + 5 * 1001
    assert await asked(WITH_WORD, *nobody) <= DESCENT


async def test_a_sort_is_seen(filled: dict[str, str]) -> None:
    """A sample that must be caught: the user of each entry of a word is read, to return the first. (The
    entries alone are few pages of the index after a VACUUM.)"""
    sql = """
        SELECT user_id FROM (
            SELECT user_id FROM user_words WHERE app_id = $1 AND word = $2 OFFSET 0) AS whole
        ORDER BY (SELECT u.created_at FROM users u WHERE u.app_id = $1 AND u.id = whole.user_id), user_id
        LIMIT 500
    """

    assert await buffers(filled["identity"], sql, APP, ("anna",)) > 2 * STRETCH


async def test_a_search_stays_in_its_application(filled: dict[str, str]) -> None:
    """The function has the rights of its caller: naming another application is no way into it."""
    found = {}
    for bound in (APP, LOWEST_ID):
        db = await asyncpg.connect(filled["identity"], server_settings={"aero2.app_id": bound})
        found[bound] = await db.fetchval(
            "SELECT count(*) FROM user_words_from($1, 'anna', $2, 'anna', false, 10)",
            APP,
            LOWEST_ID,
        )
        await db.close()

    assert found == {APP: 10, LOWEST_ID: 0}
