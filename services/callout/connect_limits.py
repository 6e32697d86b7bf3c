"""How often one user, client or key may connect."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

MOST: Final = 100_000
"""Identities that are remembered."""
MINUTE: Final = 60.0


@dataclass
class ConnectLimits:
    """A bucket for each identity, which holds `per_minute` connections and fills up again in a minute
    (GCRA)."""

    per_minute: int
    clock: Callable[[], float] = time.monotonic
    _full_at: OrderedDict[tuple[str, str], float] = field(default_factory=OrderedDict)

    def admit(self, identity: tuple[str, str]) -> bool:
        """Takes one connection. Returns False if there is none left."""
        now = self.clock()
        full_at = max(self._full_at.get(identity, now), now) + MINUTE / self.per_minute
        if full_at - now > MINUTE:
            return False
        self._full_at[identity] = full_at
        self._full_at.move_to_end(identity)
        if len(self._full_at) > MOST:
            self._full_at.popitem(last=False)
        return True
