"""Rate limits that all replicas share. One statement counts all limits of an attempt."""

from __future__ import annotations

from dataclasses import dataclass

from common import attempt_counts
from common.context import Context
from common.crypto import Keys
from common.db import Database, Db
from common.problems import RateLimited


@dataclass(frozen=True)
class AttemptLimit:
    """At most `most` in `seconds`, counted in fixed windows."""

    name: str
    most: int
    seconds: int


@dataclass(frozen=True)
class Windows:
    """Limits as columns: keys in one order, the seconds of their windows, and how many each allows."""

    keys: list[str]
    seconds: list[int]
    most: list[int]


@dataclass(frozen=True)
class Limits:
    db: Database
    keys: Keys
    scale: float = 1.0

    async def count(self, ctx: Context, *counted: tuple[AttemptLimit, str | None]) -> None:
        """Counts one attempt against each limit. The key is stored as a keyed hash only, and None
        (no address known) is not counted. Raises RateLimited with `retry_after`."""
        async with self.db.autocommit(ctx) as db:
            wait = await self.hit(db, ctx, *counted)
        exceeded(wait)

    async def hit(self, tx: Db, ctx: Context, *counted: tuple[AttemptLimit, str | None]) -> int:
        """Counts as `count` does, in a transaction that commits whatever follows. Returns the
        seconds to wait, or 0."""
        windows = self.windows(*counted)
        if not windows.keys:
            return 0
        wait = await attempt_counts.hit(
            tx, app_id=ctx.app_id, keys=windows.keys, seconds=windows.seconds, most=windows.most
        )
        return 0 if wait is None else max(1, wait)

    async def refund(self, ctx: Context, limit: AttemptLimit, whom: str) -> None:
        """Takes back one attempt that `count` has counted."""
        async with self.db.autocommit(ctx) as db:
            await attempt_counts.refund(db, app_id=ctx.app_id, key=self._key(limit, whom))

    async def once(self, ctx: Context, limit: AttemptLimit, whom: str) -> None:
        """Counts as `count` does, although a setting turns limits off: for what may be used only once, at
        whichever replica. So all hash it under one key, whichever is active."""
        key = self._key(limit, whom, self.keys.first)
        async with self.db.autocommit(ctx) as db:
            wait = await attempt_counts.hit(
                db, app_id=ctx.app_id, keys=[key], seconds=[limit.seconds], most=[limit.most]
            )
        exceeded(0 if wait is None else max(1, wait))

    def windows(self, *counted: tuple[AttemptLimit, str | None]) -> Windows:
        """Returns what a statement that counts by itself needs. Nothing, if a setting turns limits off."""
        limit_by_key = {
            self._key(limit, whom): limit
            for limit, whom in counted
            if self.scale and whom is not None
        }
        keys = sorted(limit_by_key)  # one order for everybody: no deadlocks
        ordered = [limit_by_key[key] for key in keys]
        return Windows(
            keys,
            [limit.seconds for limit in ordered],
            [max(1, int(limit.most * self.scale)) for limit in ordered],
        )

    def _key(self, limit: AttemptLimit, whom: str, kid: str | None = None) -> str:
        return f"{limit.name}:{self.keys.hash('limit', whom, kid)}"


def exceeded(wait: int) -> None:
    """Raises RateLimited if there is a time to wait."""
    if wait:
        raise RateLimited(retry_after=wait)
