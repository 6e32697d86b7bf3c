"""The bounds of a keyset: the first page of a list binds them where later pages bind the place of a
row.

A condition with `IS NULL OR` or `coalesce` around its parameter is a filter: Postgres reads every
row before the page. A comparison with these bounds is the start of an index scan.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

OLDEST: Final = datetime.min  # noqa: DTZ901  asyncpg sends exactly this value as -infinity
NEWEST: Final = datetime.max  # noqa: DTZ901  and this one as infinity
LOWEST_ID: Final = "00000000-0000-0000-0000-000000000000"
HIGHEST_ID: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"


def forward(time: str | datetime | None, id: str | None) -> tuple[datetime, str]:
    """Returns the place after which an ascending page begins; of the first page without `time`."""
    return (OLDEST if time is None else _datetime(time), id or LOWEST_ID)


def backward(time: str | datetime | None, id: str | None) -> tuple[datetime, str]:
    """Returns the place before which a descending page begins; of the first page without `time`."""
    return (NEWEST if time is None else _datetime(time), id or HIGHEST_ID)


def _datetime(time: str | datetime) -> datetime:
    return datetime.fromisoformat(time) if isinstance(time, str) else time
