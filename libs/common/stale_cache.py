"""A cache whose values outlive a failure of the service that they come from (RFC 5861, `stale-if-error`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Final, Generic, TypeVar

from common.caches import Cache, Key
from common.problems import Problem

V = TypeVar("V")
PATIENCE: Final = 0.5
"""Seconds to wait for a new value while there is an old one."""


class StaleCache(Generic[V]):
    """A cache with a time limit, after which a value is loaded again. If that fails or takes long, the old
    value is returned, for `stale` seconds after its time. An invalidation ends it at once.

    A refusal is an answer, and no failure: only errors with a status from 500 count.
    """

    def __init__(
        self,
        name: str,
        size: int,
        ttl: float,
        *,
        stale: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes an empty cache. `ttl` and `stale` are seconds."""
        self._cache: Cache[tuple[float, V]] = Cache(name, size, ttl + stale, clock)
        self._ttl, self._clock = ttl, clock
        self._loads: dict[Key, asyncio.Task[V]] = {}

    def get(self, key: Key) -> V | None:
        """Returns the value if its time is not over, or None."""
        entry = self._cache.get(key)
        return None if entry is None or entry[0] < self._clock() else entry[1]

    async def fetch(
        self,
        key: Key,
        load: Callable[[], Awaitable[V]],
        tags: Callable[[V], Iterable[tuple[str, str]]] = lambda _: (),
    ) -> V:
        """Returns the value, or loads it: once, however many callers wait for it. Raises what `load` raises, if
        there is no old value."""
        value = self.get(key)
        if value is not None:
            return value
        running = self._loads.get(key)
        if running is None:
            running = asyncio.create_task(self._load(key, load, tags))
            self._loads[key] = running
            running.add_done_callback(lambda done: self._loaded(key, done))
            if key in self._cache:
                await asyncio.wait({running}, timeout=PATIENCE)
        if key in self._cache and not _answered(running):
            old = self._cache.get(key)
            if old is not None:
                return old[1]
        return await asyncio.shield(running)

    def drop(self, app_id: str, noun: str, id: str) -> None:
        """Forgets the entries under (noun, id) of this application. The id `*` means every id."""
        self._cache.drop(app_id, noun, id)

    def clear(self) -> None:
        """Forgets all entries."""
        self._cache.clear()

    def __contains__(self, key: Key) -> bool:
        return key in self._cache

    def __len__(self) -> int:
        return len(self._cache)

    async def _load(
        self,
        key: Key,
        load: Callable[[], Awaitable[V]],
        tags: Callable[[V], Iterable[tuple[str, str]]],
    ) -> V:
        drops = self._cache.drops
        value = await load()
        if self._cache.drops == drops:
            self._cache.put(key, (self._clock() + self._ttl, value), tags(value))
        return value

    def _loaded(self, key: Key, done: asyncio.Task[V]) -> None:
        self._loads.pop(key, None)
        if not done.cancelled():
            done.exception()  # somebody may be waiting or not: never warn


def _answered(load: asyncio.Task[V]) -> bool:
    """Returns whether the service has said something: a value, or a refusal."""
    if not load.done() or load.cancelled():
        return False
    error = load.exception()
    if isinstance(error, Problem):
        return error.status < HTTPStatus.INTERNAL_SERVER_ERROR
    return not isinstance(error, Exception)
