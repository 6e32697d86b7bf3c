"""The search of organizations and applications by words of their names and slugs."""

from __future__ import annotations

from typing import Final

from common.db import Db
from tenancy.queries import name_words

MOST_WORDS: Final = 7
"""Words of a search that count: each but the first costs a lookup per row."""


async def searched_words(db: Db, search: str | None) -> list[str]:
    """Returns what words of a name or slug must begin with, at most MOST_WORDS. The longest comes first,
    because it is probably the rarest: the others are only checked. Without letters and digits there are
    none."""
    text = (search or "").strip()
    words = await name_words.of_text(db, text=text) if text else []
    return sorted(words, key=lambda word: (-len(word), word))[:MOST_WORDS]
