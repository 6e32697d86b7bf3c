"""The words of names and slugs, as searches compare them."""

from __future__ import annotations

from common.db import Db, value


async def of_text(db: Db, *, text: str) -> list[str]:
    """Returns the words as they are stored: in lower case, without accents, each once."""
    words: list[str] | None = await value(
        db,
        """
        -- any-tenant: computes, reads no table
        SELECT array_agg(word) FROM words_of_names(ARRAY[$1::text]) AS searched (word)
        """,
        text,
    )
    return words or []
