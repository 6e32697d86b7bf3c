"""Token buckets in the memory of this process."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

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


class Decision(NamedTuple):
    """Whether a limit allows one more request now. `remaining` are the tokens in the bucket,
    `retry_in` the seconds until there is one, and `reset_in` the seconds until it is full."""

    allowed: bool
    remaining: int
    retry_in: float
    reset_in: float


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

    def take(self, limit: Limit, key: BucketKey) -> Decision:
        """Takes one token if there is one. The decision counts what is left after that."""
        now, step, depth = self._measures(limit)
        before = max(self._full_at.get(key, now), now)
        after = before + step
        retry_in = after - depth - now
        if retry_in > 1e-9:
            self._full_at.move_to_end(key)
            return _decision(retry_in, before - now, step, depth)
        self._put(key, after)
        return _decision(0.0, after - now, step, depth)

    def check(self, limit: Limit, key: BucketKey) -> Decision:
        """Decides as `take` would, and takes nothing."""
        now, step, depth = self._measures(limit)
        full_at = max(self._full_at.get(key, now), now)
        retry_in = full_at + step - depth - now
        return _decision(retry_in if retry_in > 1e-9 else 0.0, full_at - now, step, depth)

    def refund(self, limit: Limit, key: BucketKey) -> None:
        """Returns one token to the bucket."""
        self._charge(limit, key, -1)

    def charge(self, limit: Limit, key: BucketKey) -> None:
        """Takes one token even from an empty bucket: the next one takes longer."""
        self._charge(limit, key, 1)

    def tokens_in(self, limit: Limit) -> int:
        """Returns how many tokens a full bucket holds."""
        _, step, depth = self._measures(limit)
        return round(depth / step)

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


def _decision(retry_in: float, reset_in: float, step: float, depth: float) -> Decision:
    remaining = math.floor((depth - reset_in) / step + 1e-6)
    return Decision(not retry_in, max(0, remaining), retry_in, reset_in)
