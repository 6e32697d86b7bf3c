"""The audit log as server-sent events, which continue after the last event that a follower received.

The stream is read by sequence number, so the server keeps nothing for a follower, and nothing is
lost when NATS restarts. Messages on the bus only say that there is something new. A message has several
events, one a line. So a follower's place is the time at which the stream was created, the sequence
number in it, and the line. It is encrypted for the application, because the number would reveal how
much other applications log. A stream that is created again counts from 1: the follower then reads it
from its beginning.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, Protocol, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from common.audit import subjects_of
from common.audit_chain import unb64
from common.audit_lines import StreamedEvent, line_count, read_lines
from common.crypto import Keys, b64url
from common.problems import BadRequest, Problem, Unavailable
from gateway.audit_followers import AWAY, LOOK, STREAM, Follower, FollowerSlots, Place
from gateway.event_streams import RETRY, come_back_after

STORED: Final = 0.03
"""Seconds from the message about an event until the event is on the stream."""
ALIVE: Final = 15.0
"""Seconds between comments that keep the connection open. Each time the right to follow is checked."""
CHECKED_EVERY: Final = 1.0
"""Seconds between two checks of the right to follow, at least. Anybody who revokes tokens asks for many."""
WRITTEN_AT_ONCE: Final = 10
"""Events between two looks at whether the follower may still follow, at most."""
PLACE: Final = struct.Struct(">QQI")
WHOLE_MESSAGE: Final = struct.Struct(">QQ")
"""A place of earlier versions: the message that the follower had received."""


@dataclass
class Places:
    """Encrypts places for followers, and reads them."""

    keys: Keys

    def show(self, app_id: str, place: Place) -> str:
        plain = PLACE.pack(place.created, place.seq, place.lines)
        return b64url(self._ciphers[0].encrypt(plain, [app_id.encode()]))

    def read(self, app_id: str, text: str) -> Place:
        """Raises BadRequest if the text is not a place in this application's log."""
        try:
            plain = self._decrypted(unb64(text), app_id)
            if len(plain) == WHOLE_MESSAGE.size:
                created, seq = WHOLE_MESSAGE.unpack(plain)
                return Place(created, seq + 1)
            created, seq, lines = PLACE.unpack(plain)
        except (InvalidTag, ValueError, struct.error):
            raise BadRequest("Last-Event-ID is not the id of an event in this log") from None
        return Place(created, seq, lines)

    def _decrypted(self, sealed: bytes, app_id: str) -> bytes:
        for cipher in self._ciphers:
            with suppress(InvalidTag):
                return cipher.decrypt(sealed, [app_id.encode()])
        raise InvalidTag

    @cached_property
    def _ciphers(self) -> list[AESSIV]:
        """One for each configured master key, the active one first."""
        return [AESSIV(self.keys.derive("audit tail", kid)) for kid in self.keys.configured]


PlacedEvent: TypeAlias = tuple[str, StreamedEvent]
"""An event, and the place after it, where its follower continues."""


class EventWriter(Protocol):
    """Writes what a follower receives, as server-sent events (WHATWG HTML section 9.2)."""

    def begin(self, place: str) -> bytes:
        """Returns what comes first. `place` is where the stream begins."""

    async def write(self, events: list[PlacedEvent]) -> bytes:
        """Returns the next events of the stream."""

    def end(self, problem: Problem) -> bytes:
        """Returns what comes last, when the follower may not follow any longer."""


class JsonEvents:
    """Writes each audit event as JSON, under its type as name."""

    def begin(self, place: str) -> bytes:
        return f": following\n{come_back_after(RETRY)}\n".encode()

    async def write(self, events: list[PlacedEvent]) -> bytes:
        """Returns the events, each with its place."""
        return b"".join(
            b"id: %b\nevent: %b\ndata: %b\n\n" % (place.encode(), line.type.encode(), line.text)
            for place, line in events
        )

    def end(self, problem: Problem) -> bytes:
        return f"event: end\ndata: {problem.code}\n\n".encode()


@dataclass
class Tail:
    """Sends the log to one follower. `allowed` raises a Problem if they may no longer follow it."""

    nc: Client
    js: JetStreamContext
    places: Places
    slots: FollowerSlots
    app_id: str
    allowed: Callable[[], Awaitable[object]]
    credential: frozenset[str] = frozenset()
    writer: EventWriter = field(default_factory=JsonEvents)

    async def start(self, last: str | None) -> Place:
        """Returns the place after which to continue. Raises BadRequest, Busy, Unavailable."""
        self.slots.check_free(self.app_id)
        last_place = self.places.read(self.app_id, last) if last else None
        try:
            newest = await self.slots.newest.fetch(self.js)
        except AWAY:
            raise Unavailable("the event stream is not available", retry_after=2) from None
        if last_place is None:
            return newest
        place = _resumed(last_place, newest)
        return place if place.seq <= newest.seq else _beginning(newest)  # its end was lost

    async def events(self, after: Place) -> AsyncGenerator[bytes, None]:
        """Yields server-sent events (WHATWG HTML section 9.2) until the follower leaves or may not follow,
        or this process stops."""
        follower = Follower(self.credential)

        async def wake(_: Msg) -> None:
            follower.woken.set()

        subscription: Subscription | None = None
        has_slot = False
        try:
            self.slots.take(self.app_id)
            has_slot = True
            self.slots.followers.add(follower)
            subscription = await self.nc.subscribe(subjects_of(self.app_id), cb=wake)
            alive, checked = time.monotonic(), 0.0
            yield self.writer.begin(self.places.show(self.app_id, after))
            while not self.slots.ended:
                after = await self._in_this_stream(after)
                async for place, events in self._new(after):
                    if follower.doubtful:
                        break
                    after = place
                    if events:
                        yield await self.writer.write(events)
                if follower.doubtful:
                    checked = await self._check_again(follower, checked)
                    continue
                if time.monotonic() - alive >= ALIVE:
                    await self.allowed()
                    alive = time.monotonic()
                    yield b": still here\n\n"
                await self._pause(follower.woken)
        except Problem as problem:
            yield self.writer.end(problem)
        finally:
            self.slots.followers.discard(follower)
            if has_slot:
                self.slots.release(self.app_id)
            if subscription is not None and not self.nc.is_closed:
                await subscription.unsubscribe()

    async def _check_again(self, follower: Follower, checked: float) -> float:
        """Checks the right to follow, CHECKED_EVERY seconds after `checked` at the earliest. Returns the
        time. Raises a Problem if the follower has it no longer."""
        await asyncio.sleep(checked + CHECKED_EVERY - time.monotonic())
        follower.doubtful = False
        await self.allowed()
        return time.monotonic()

    async def _in_this_stream(self, after: Place) -> Place:
        """Returns the place in the stream as it is now: it may have been created again."""
        try:
            return _resumed(after, await self.slots.newest.get(self.js))
        except AWAY:
            return after

    async def _new(self, after: Place) -> AsyncIterator[tuple[Place, list[PlacedEvent]]]:
        """Yields what the application logged after `after`, in order: at most WRITTEN_AT_ONCE events, and
        the place after them. Ends if NATS is unreachable."""
        while True:
            try:
                message = await self.js.get_msg(
                    STREAM, seq=after.seq, subject=subjects_of(self.app_id), next=True
                )
            except NotFoundError:
                return
            except AWAY:
                return
            assert message.seq is not None
            here = after if message.seq == after.seq else Place(after.created, message.seq)
            after = Place(after.created, message.seq + 1)
            for part in self._parts(message.data or b"", here, after):
                yield part

    def _parts(
        self, data: bytes, here: Place, following: Place
    ) -> Iterator[tuple[Place, list[PlacedEvent]]]:
        """Yields the events of one message after the lines that the follower has. The place after the last
        one is that of the following message."""
        last, events = line_count(data), list(read_lines(data, self.app_id, skip=here.lines))
        for start in range(0, len(events), WRITTEN_AT_ONCE):
            part: list[PlacedEvent] = []
            for line in events[start : start + WRITTEN_AT_ONCE]:
                here = following if line.number == last else replace(here, lines=line.number)
                part.append((self.places.show(self.app_id, here), line))
            yield here, part
        yield following, []

    async def _pause(self, heard: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(LOOK):
                await heard.wait()
            await asyncio.sleep(STORED)
        except TimeoutError:
            pass
        heard.clear()


def _resumed(place: Place, newest: Place) -> Place:
    """Returns the place if it is in this stream, else the beginning of the stream."""
    return place if place.created == newest.created else _beginning(newest)


def _beginning(newest: Place) -> Place:
    return Place(newest.created, 1)
