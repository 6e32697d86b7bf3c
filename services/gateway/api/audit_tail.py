"""The log as it is written: server-sent events off the stream, resumed where they were broken off.

The stream is read by number, so nothing is kept on the server for a follower and nothing is lost
when NATS restarts; plain messages only say that there is something new. A follower's place is the
time of the stream's creation and the number in it, sealed for their application: the number itself
would tell how much others log. A stream that is made again counts from 1, so a place in the one
before says nothing about it: the follower then reads it from its beginning.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import nats.errors
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from common.audit import subjects_of
from common.audit_chain import unb64
from common.crypto import Keys, b64url
from common.problems import BadRequest, Busy, Problem, Unavailable

STREAM: Final = "AUDIT"
LOOK: Final = 2.0
"""Seconds between looks when nothing was heard."""
STORED: Final = 0.03
"""Seconds from hearing of an event to its being on the stream."""
ALIVE: Final = 15.0
"""Seconds between signs of life; the right to follow is asked for anew with each."""
AWAY = (nats.errors.Error, NoStreamResponseError, APIError, OSError, TimeoutError)


ANYBODY: Final = ("application", "client", "token")
"""Nouns of drop messages that do not name the credential of a follower by its own id."""


@dataclass(eq=False)
class Follower:
    """One follower: the ids of user, session or key behind it, and what wakes it."""

    credential: frozenset[str]
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    doubtful: bool = False

    def recheck(self) -> None:
        self.doubtful = True
        self.woken.set()


@dataclass(frozen=True)
class Place:
    """A number in one stream; `created` is when that stream was made, in microseconds."""

    created: int
    seq: int


@dataclass
class Newest:
    """The end of the stream, asked for at most once in `LOOK` seconds for all followers of a
    gateway. A follower may thus read a stream made again for a moment as if it were the one before;
    the next look sends it back to the beginning, so it gets events twice, never none."""

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
        """Ask now. Raises one of AWAY."""
        info = await js.stream_info(STREAM)
        created = info.created or datetime.fromtimestamp(0, UTC)
        micros = (created - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
        self._place, self._read = Place(micros, info.state.last_seq), time.monotonic()
        return self._place


@dataclass
class Slots:
    """How many may follow at once through one gateway. An application has never more than are left
    for the others."""

    free: int = 200
    taken: Counter[str] = field(default_factory=Counter)
    followers: set[Follower] = field(default_factory=set)
    newest: Newest = field(default_factory=Newest, compare=False)

    def changed(self, noun: str, id: str) -> None:
        """A drop message: whoever follows by what it names has to be allowed anew."""
        for follower in self.followers:
            if noun in ANYBODY or id == "*" or id in follower.credential:
                follower.recheck()

    def recheck_all(self) -> None:
        for follower in self.followers:
            follower.recheck()

    def look(self, app_id: str) -> None:
        """Raises Busy where there is none for this application."""
        if self.taken[app_id] >= self.free:
            raise Busy("too many follow the log already", retry_after=10)

    def take(self, app_id: str) -> None:
        """Raises Busy."""
        self.look(app_id)
        self.free -= 1
        self.taken[app_id] += 1

    def give(self, app_id: str) -> None:
        self.free += 1
        self.taken[app_id] -= 1
        if not self.taken[app_id]:
            del self.taken[app_id]


@dataclass
class Places:
    """Places as followers see them."""

    keys: Keys

    def show(self, app_id: str, place: Place) -> str:
        plain = struct.pack(">QQ", place.created, place.seq)
        return b64url(self._cipher().encrypt(plain, [app_id.encode()]))

    def read(self, app_id: str, text: str) -> Place:
        """Raises BadRequest for what is not a place in this application's log."""
        try:
            plain = self._cipher().decrypt(unb64(text), [app_id.encode()])
            created, seq = struct.unpack(">QQ", plain)
        except (InvalidTag, ValueError, struct.error):
            raise BadRequest("Last-Event-ID is not the id of an event in this log") from None
        return Place(created, seq)

    def _cipher(self) -> AESSIV:
        return AESSIV(self.keys.derive("audit tail"))


@dataclass
class Tail:
    """One follower. `allowed` raises a Problem once he may follow no more."""

    nc: Client
    js: JetStreamContext
    places: Places
    slots: Slots
    app_id: str
    allowed: Callable[[], Awaitable[object]]
    credential: frozenset[str] = frozenset()

    async def start(self, last: str | None) -> Place:
        """The place to go on after. Raises BadRequest, Busy, Unavailable."""
        self.slots.look(self.app_id)
        asked = self.places.read(self.app_id, last) if last else None
        try:
            newest = await self.slots.newest.fetch(self.js)
        except AWAY:
            raise Unavailable("the event stream is not available", retry_after=2) from None
        if asked is None:
            return newest
        place = _resumed(asked, newest)
        return place if place.seq <= newest.seq else Place(newest.created, 0)  # its end was lost

    async def events(self, after: Place) -> AsyncIterator[bytes]:
        """Server-sent events (WHATWG HTML section 9.2) until the follower goes or may not stay."""
        follower = Follower(self.credential)

        async def wake(_: Msg) -> None:
            follower.woken.set()

        told: Subscription | None = None
        taken = False
        try:
            self.slots.take(self.app_id)
            taken = True
            self.slots.followers.add(follower)
            told = await self.nc.subscribe(subjects_of(self.app_id), cb=wake)
            alive = time.monotonic()
            yield b": following\nretry: 2000\n\n"
            while True:
                after = await self._in_this_stream(after)
                async for place, message in self._new(after):
                    if follower.doubtful:
                        break
                    after = place
                    yield self._event(place, message)
                if follower.doubtful:
                    follower.doubtful = False
                    await self.allowed()
                    continue
                if time.monotonic() - alive >= ALIVE:
                    await self.allowed()
                    alive = time.monotonic()
                    yield b": still here\n\n"
                await self._pause(follower.woken)
        except Problem as problem:
            yield f"event: end\ndata: {problem.code}\n\n".encode()
        finally:
            self.slots.followers.discard(follower)
            if taken:
                self.slots.give(self.app_id)
            if told is not None and not self.nc.is_closed:
                await told.unsubscribe()

    async def _in_this_stream(self, after: Place) -> Place:
        """Compare with the stream as it is now: it may have been made again."""
        try:
            return _resumed(after, await self.slots.newest.get(self.js))
        except AWAY:
            return after

    async def _new(self, after: Place) -> AsyncIterator[tuple[Place, RawStreamMsg]]:
        """What the application logged since, in the stream's order; ends where NATS is away."""
        while True:
            try:
                found = await self.js.get_msg(
                    STREAM, seq=after.seq + 1, subject=subjects_of(self.app_id), next=True
                )
            except NotFoundError:
                return
            except AWAY:
                return
            assert found.seq is not None
            after = Place(after.created, found.seq)
            yield after, found

    def _event(self, at: Place, message: RawStreamMsg) -> bytes:
        """Activity comes as several lines in one message; only the last one names the place, so
        that who breaks off in between gets the message again."""
        kind = (message.subject or "").rpartition(".")[2]
        place = self.places.show(self.app_id, at)
        lines = (message.data or b"{}").split(b"\n")
        told = [f"event: {kind}\ndata: ".encode() + line for line in lines]
        told[-1] = f"id: {place}\n".encode() + told[-1]
        return b"\n\n".join(told) + b"\n\n"

    async def _pause(self, heard: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(LOOK):
                await heard.wait()
            await asyncio.sleep(STORED)
        except TimeoutError:
            pass
        heard.clear()


def _resumed(place: Place, newest: Place) -> Place:
    """The place itself where it is one of this stream, else the stream's beginning."""
    return place if place.created == newest.created else Place(newest.created, 0)
