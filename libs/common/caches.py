"""Caches with a size, a time limit and invalidation. Every key begins with the application."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from common import metric_collectors

V = TypeVar("V")
Key = tuple[str, ...]
"""(app_id, kind of thing, …)"""
EXPIRED_PER_PUT: Final = 2
"""Expired entries that make way for a new one, at most: more than one, so that their number falls."""


@dataclass(eq=False)
class Cache(Generic[V]):
    """A cache. When it is full, the entry that was written longest ago goes first; no entry lives
    longer than `ttl` seconds. Expired entries go when others come, so their memory is not kept until the
    cache is full.

    An entry is filed under tags (`("session", id)`); `drop(app_id, noun, id)` forgets all entries
    of that application under the tag. If a drop arrives while a value is being fetched, the value
    is returned to the callers and not kept.
    """

    name: str
    size: int
    ttl: float
    clock: Callable[[], float] = time.monotonic
    # A plain dict that loses its first entries again and again searches for the next one.
    _entries: OrderedDict[Key, tuple[float, V, tuple[Key, ...]]] = field(
        default_factory=OrderedDict
    )
    _tagged: dict[Key, set[Key]] = field(default_factory=dict)
    _pending: dict[Key, asyncio.Future[V]] = field(default_factory=dict)
    _drops: int = 0

    def __post_init__(self) -> None:
        self.hits = self.misses = 0
        metric_collectors.CACHES.sources.add(self)

    def get(self, key: Key) -> V | None:
        """Returns the cached value, or None if there is none or it has expired."""
        cached = self._entries.get(key)
        if cached is None:
            self.misses += 1
            return None
        if cached[0] < self.clock():
            self._forget(key)
            self.misses += 1
            return None
        self.hits += 1
        return cached[1]

    def put(
        self, key: Key, value: V, tags: Iterable[tuple[str, str]] = (), ttl: float | None = None
    ) -> None:
        """Stores a value under its tags, for `ttl` seconds at most."""
        if key in self._entries:
            self._forget(key)
        elif len(self._entries) >= self.size:
            self._forget(next(iter(self._entries)))
        self._forget_expired()
        filed = tuple((key[0], *tag) for tag in tags)
        life = self.ttl if ttl is None else min(ttl, self.ttl)
        self._entries[key] = (self.clock() + life, value, filed)
        for tag in filed:
            self._tagged.setdefault(tag, set()).add(key)

    async def fetch(
        self,
        key: Key,
        load: Callable[[], Awaitable[V]],
        tags: Callable[[V], Iterable[tuple[str, str]]] = lambda _: (),
        ttl: Callable[[V], float | None] = lambda _: None,
    ) -> V:
        """Returns the cached value, or loads it: once, however many callers wait for it at the same
        time."""
        found = self.get(key)
        if found is not None:
            return found
        pending = self._pending.get(key)
        if pending is not None:
            try:
                return await asyncio.shield(pending)
            except asyncio.CancelledError:
                if not pending.cancelled():
                    raise  # we were cancelled, not the one we waited for
                return await self.fetch(key, load, tags, ttl)
        future: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._pending[key] = future
        before = self._drops
        try:
            value = await load()
        except BaseException as error:
            if not future.cancelled():
                if isinstance(error, asyncio.CancelledError):
                    future.cancel()
                else:
                    future.set_exception(error)
                    future.exception()  # somebody may be waiting or not: never warn
            raise
        else:
            future.set_result(value)
            if self._drops == before:
                self.put(key, value, tags(value), ttl(value))
            return value
        finally:
            self._pending.pop(key, None)

    def drop(self, app_id: str, noun: str, id: str) -> None:
        """Forgets the entries under (noun, id) of this application. The id `*` means every id."""
        self._drops += 1
        if id == "*":
            tags = [tag for tag in self._tagged if tag[0] == app_id and tag[1] == noun]
        else:
            tags = [(app_id, noun, id)]
        for tag in tags:
            for key in list(self._tagged.get(tag, ())):
                self._forget(key)

    def forget(self, key: Key) -> None:
        """Forgets the entry, if there is one. A value that is being fetched is not kept."""
        self._drops += 1
        if key in self._entries:
            self._forget(key)

    def clear(self) -> None:
        """Forgets all entries."""
        self._drops += 1
        self._entries.clear()
        self._tagged.clear()

    @property
    def drops(self) -> int:
        """How often entries were dropped. A value that was loaded before a drop may be old."""
        return self._drops

    def __contains__(self, key: Key) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def _forget_expired(self) -> None:
        """Forgets the entries that were written longest ago, as far as they have expired."""
        now = self.clock()
        for _ in range(EXPIRED_PER_PUT):
            oldest = next(iter(self._entries), None)
            if oldest is None or self._entries[oldest][0] >= now:
                return
            self._forget(oldest)

    def _forget(self, key: Key) -> None:
        _, _, filed = self._entries.pop(key)
        for tag in filed:
            keys = self._tagged.get(tag)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self._tagged[tag]
