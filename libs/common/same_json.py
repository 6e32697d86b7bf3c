"""Compares values as JSON."""

from __future__ import annotations

from typing import Any

import orjson


def same_json(one: Any, other: Any) -> bool:
    """Returns whether two values are the same JSON document. In Python `True` equals 1."""
    sort = orjson.OPT_SORT_KEYS
    return orjson.dumps(one, option=sort) == orjson.dumps(other, option=sort)
