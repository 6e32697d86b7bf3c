"""The followers of the audit log at this gateway: how many at once, and the end of the stream."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import APIError, NoStreamResponseError

from common.problems import Busy, Unavailable

STREAM: Final = "AUDIT"
LOOK: Final = 2.0
"""Seconds between looks at the stream if no message arrived."""
AWAY = (nats.errors.Error, NoStreamResponseError, APIError, OSError, TimeoutError)


ANYBODY: Final = ("application", "client", "token")
"""Nouns of invalidation messages that do not name a follower's credential by its id."""


@dataclass(eq=False)
class Follower:
    """One follower: the ids of the user, session or key, and the event that wakes it."""

    credential: frozenset[str]
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    doubtful: bool = False

    def recheck(self) -> None:
        self.doubtful = True
        self.woken.set()


@dataclass(frozen=True)
class Place:
    """Where a follower continues in one stream: at message `seq`, after the first `lines` of its lines.
    `created` is the time of the stream's creation, in microseconds."""

    created: int
    seq: int
    lines: int = 0


@dataclass
class Newest:
    """The end of the stream, fetched at most once in `LOOK` seconds for all followers. If the stream
    was created again, a follower may read it for a moment as if it were the old one. The next look
    sends it back to the beginning: it gets some events twice, and misses none."""

    _place: Place | None = None
    _read: float = 0.0
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(self, js: JetStreamContext) -> Place:
        """Raises one of AWAY."""
        async with self._asking:
            if self._place is None or time.monotonic() - self._read >= LOOK:
                self._place = await self.fetch(js)
            return self._place

    async def fetch(self, js: JetStreamContext) -> Place:
        """Fetches the end of the stream now: the place of the next message. Raises one of AWAY."""
        info = await js.stream_info(STREAM)
        created = info.created or datetime.fromtimestamp(0, UTC)
        micros = (created - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
        self._place, self._read = Place(micros, info.state.last_seq + 1), time.monotonic()
        return self._place


@dataclass
class FollowerSlots:
    """How many may follow at once through one gateway. One application never has more slots than
    remain free for the others."""

    free: int = 200
    in_use: Counter[str] = field(default_factory=Counter)
    followers: set[Follower] = field(default_factory=set)
    newest: Newest = field(default_factory=Newest, compare=False)
    of_sessions: Counter[str] = field(default_factory=Counter)
    ended: bool = False
    """Whether the process stops."""

    def changed(self, noun: str, id: str) -> None:
        """Handles an invalidation message: followers with a credential that it names are checked again."""
        for follower in self.followers:
            if noun in ANYBODY or id == "*" or id in follower.credential:
                follower.recheck()

    def recheck_all(self) -> None:
        for follower in self.followers:
            follower.recheck()

    def end_all(self) -> None:
        """Ends all streams, and begins no more: the process stops. Followers continue at another gateway,
        after the last event that they received."""
        self.ended = True
        for follower in self.followers:
            follower.woken.set()

    def check_free(self, app_id: str) -> None:
        """Raises Busy if the application cannot have another slot, and Unavailable if the process stops."""
        if self.ended:
            raise Unavailable("this gateway is stopping", retry_after=2)
        if self.in_use[app_id] >= self.free:
            raise Busy("too many follow the log already", retry_after=10)

    def take(self, app_id: str) -> None:
        """Raises what `check_free` raises."""
        self.check_free(app_id)
        self.free -= 1
        self.in_use[app_id] += 1

    def release(self, app_id: str) -> None:
        self.free += 1
        self.in_use[app_id] -= 1
        if not self.in_use[app_id]:
            del self.in_use[app_id]

    @contextmanager
    def one_of(self, session_id: str, most: int) -> Iterator[None]:
        """Counts a stream of this session while the context is open. Raises Busy if it has `most`
        streams already: browsers open few connections to a host, and pages need some of them."""
        if self.of_sessions[session_id] >= most:
            raise Busy("this session has too many streams already", retry_after=10)
        self.of_sessions[session_id] += 1
        try:
            yield
        finally:
            self.of_sessions[session_id] -= 1
            if not self.of_sessions[session_id]:
                del self.of_sessions[session_id]
