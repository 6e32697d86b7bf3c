"""Token buckets in the memory of this process."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

LONGEST_WAIT: Final = 60.0
"""Seconds. The longest wait for the next token, however much was charged."""
MOST_BUCKETS: Final = 32_768

BucketKey = tuple[str, str, str | int]
"""(app_id, name of the limit, network or client)"""


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket of `burst` tokens that gets `rate` tokens a second back."""

    name: str
    burst: int
    rate: float


@dataclass
class TokenBuckets:
    """Each bucket is stored as the moment at which it is full again (GCRA). A full bucket is not
    stored. Beyond `size`, the least recently used bucket is forgotten."""

    scale: float = 1.0
    share: float = 1.0
    """This gateway's part of each limit: requests reach all gateways alike."""
    size: int = MOST_BUCKETS
    clock: Callable[[], float] = time.monotonic
    _full_at: OrderedDict[BucketKey, float] = field(default_factory=OrderedDict)

    def take(self, limit: Limit, key: BucketKey) -> float:
        """Takes one token. Returns 0, or the seconds until there is one."""
        now, step, depth = self._measures(limit)
        full_at = max(self._full_at.get(key, now), now) + step
        wait = full_at - depth - now
        if wait > 1e-9:
            self._full_at.move_to_end(key)
            return wait
        self._put(key, full_at)
        return 0.0

    def wait(self, limit: Limit, key: BucketKey) -> float:
        """Returns what `take` would return, and takes nothing."""
        now, step, depth = self._measures(limit)
        wait = self._full_at.get(key, now) + step - depth - now
        return wait if wait > 1e-9 else 0.0

    def refund(self, limit: Limit, key: BucketKey) -> None:
        """Returns one token to the bucket."""
        self._charge(limit, key, -1)

    def charge(self, limit: Limit, key: BucketKey) -> None:
        """Takes one token even from an empty bucket: the next one takes longer."""
        self._charge(limit, key, 1)

    def remaining(self, limit: Limit, key: BucketKey) -> tuple[int, int, float]:
        """Returns the bucket's size, the tokens in it, and the seconds until it is full."""
        now, step, depth = self._measures(limit)
        fills_in = max(self._full_at.get(key, now) - now, 0.0)
        tokens = math.floor((depth - fills_in) / step + 1e-6)
        return round(depth / step), max(0, tokens), fills_in

    def __len__(self) -> int:
        return len(self._full_at)

    def _measures(self, limit: Limit) -> tuple[float, float, float]:
        """Returns the time now, the seconds for one token, and the seconds for a full bucket."""
        scale = self.scale * self.share
        step = 1 / (limit.rate * scale)
        return self.clock(), step, max(1.0, limit.burst * scale) * step

    def _charge(self, limit: Limit, key: BucketKey, tokens: int) -> None:
        now, step, depth = self._measures(limit)
        full_at = max(self._full_at.get(key, now), now) + tokens * step
        if full_at <= now:
            self._full_at.pop(key, None)
        else:
            self._put(key, min(full_at, now + depth + LONGEST_WAIT - step))

    def _put(self, key: BucketKey, full_at: float) -> None:
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self.size:
            self._full_at.popitem(last=False)
