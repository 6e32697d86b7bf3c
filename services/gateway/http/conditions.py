"""Conditions of requests: `If-Match` and `If-None-Match` (RFC 9110 section 13.1)."""

from __future__ import annotations

import re
from typing import Final

from common.problems import BadRequest

ETAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
"""One entity tag (RFC 9110 section 8.8.3)."""
MAX_LENGTH: Final = 2000
"""Characters of all tags of a condition."""


def entity_tags(lines: list[str], header: str) -> tuple[str, ...] | None:
    """Returns the tags of all lines of a header, as they were sent, or `*`. Returns None without the
    header. Raises BadRequest if it is malformed."""
    if not lines:
        return None
    text = ", ".join(lines)
    parts = [part.strip(" \t") for part in _elements(text)] if len(text) <= MAX_LENGTH else []
    tags = tuple(part for part in parts if part)
    if not tags or (tags != ("*",) and not all(ETAG.fullmatch(tag) for tag in tags)):
        raise BadRequest(f"{header} must be * or a list of entity tags in double quotes")
    return tags


def _elements(text: str) -> list[str]:
    """Returns the elements of a list. A comma between double quotes belongs to a tag."""
    return re.findall(r'(?:[^,"]|"[^"]*")+', text)
