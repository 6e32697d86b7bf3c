"""Bounds how many handlers of this process wait for the servers of one application."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

MOST: Final = 20
"""Calls at once for one application: a fifth of the handlers that run at once."""


@dataclass
class CallSlots:
    """Slots of each application. The servers that an application chose may be slow, and then take
    handlers of its own alone."""

    most: int = MOST
    _taken: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def slot(self, app_id: str) -> Iterator[bool]:
        """Takes a slot until the block ends. Yields False if none is free."""
        taken = self._taken.get(app_id, 0)
        if taken >= self.most:
            yield False
            return
        self._taken[app_id] = taken + 1
        try:
            yield True
        finally:
            self._taken[app_id] -= 1
            if not self._taken[app_id]:
                del self._taken[app_id]
