"""Cells of CSV files (RFC 4180) that spreadsheets open."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Final

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A cell that begins like this is a formula to a spreadsheet (OWASP CSV injection)."""


def cell(value: object) -> str:
    """Returns the text of a cell. A text that would be a formula gets an apostrophe in front."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def without_prefix(text: str) -> str:
    """Returns the text that `cell` made this cell from."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(FORMULA) else text


def lines(rows: Iterable[list[str]]) -> bytes:
    """Returns rows of cells as lines of a file."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
