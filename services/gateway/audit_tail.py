"""The audit log as server-sent events, which continue after the last event that a follower received.

The stream is read by sequence number, so the server keeps nothing for a follower, and nothing is
lost when NATS restarts. Messages on the bus only say that there is something new. A follower's place
is the time at which the stream was created and the sequence number in it. It is encrypted for the
application, because the number would reveal how much other applications log. A stream that is
created again counts from 1: the follower then reads it from its beginning.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from common.audit import subjects_of
from common.audit_chain import unb64
from common.crypto import Keys, b64url
from common.problems import BadRequest, Problem, Unavailable
from gateway.audit_followers import AWAY, LOOK, STREAM, Follower, FollowerSlots, Place

STORED: Final = 0.03
"""Seconds from the message about an event until the event is on the stream."""
ALIVE: Final = 15.0
"""Seconds between comments that keep the connection open. Each time the right to follow is checked."""
CHECKED_EVERY: Final = 1.0
"""Seconds between two checks of the right to follow, at least. An invalidation message can concern every
follower, and anybody who revokes tokens sends many."""


@dataclass
class Places:
    """Encrypts places for followers, and reads them."""

    keys: Keys

    def show(self, app_id: str, place: Place) -> str:
        plain = struct.pack(">QQ", place.created, place.seq)
        return b64url(self._cipher().encrypt(plain, [app_id.encode()]))

    def read(self, app_id: str, text: str) -> Place:
        """Raises BadRequest if the text is not a place in this application's log."""
        try:
            plain = self._cipher().decrypt(unb64(text), [app_id.encode()])
            created, seq = struct.unpack(">QQ", plain)
        except (InvalidTag, ValueError, struct.error):
            raise BadRequest("Last-Event-ID is not the id of an event in this log") from None
        return Place(created, seq)

    def _cipher(self) -> AESSIV:
        return AESSIV(self.keys.derive("audit tail"))


class EventWriter(Protocol):
    """Writes what a follower receives, as server-sent events (WHATWG HTML section 9.2)."""

    def begin(self, place: str) -> bytes:
        """Returns what comes first. `place` is where the stream begins."""

    async def write(self, place: str, kind: str, lines: list[bytes]) -> bytes:
        """Returns the events of one message of the stream. `kind` is their type, and each line the JSON
        of one."""

    def end(self, problem: Problem) -> bytes:
        """Returns what comes last, when the follower may not follow any longer."""


class JsonEvents:
    """Writes each audit event as JSON, under its type as name."""

    def begin(self, place: str) -> bytes:
        return b": following\nretry: 2000\n\n"

    async def write(self, place: str, kind: str, lines: list[bytes]) -> bytes:
        """Returns the events. Only the last one names the place, so that a follower who is cut off in
        between gets the whole message again."""
        events = [f"event: {kind}\ndata: ".encode() + line for line in lines]
        events[-1] = f"id: {place}\n".encode() + events[-1]
        return b"\n\n".join(events) + b"\n\n"

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
        return place if place.seq <= newest.seq else Place(newest.created, 0)  # its end was lost

    async def events(self, after: Place) -> AsyncGenerator[bytes, None]:
        """Yields server-sent events (WHATWG HTML section 9.2) until the follower leaves or may not follow."""
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
            while True:
                after = await self._in_this_stream(after)
                async for place, message in self._new(after):
                    if follower.doubtful:
                        break
                    after = place
                    yield await self._event(place, message)
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

    async def _new(self, after: Place) -> AsyncIterator[tuple[Place, RawStreamMsg]]:
        """Yields what the application logged after `after`, in order. Ends if NATS is unreachable."""
        while True:
            try:
                message = await self.js.get_msg(
                    STREAM, seq=after.seq + 1, subject=subjects_of(self.app_id), next=True
                )
            except NotFoundError:
                return
            except AWAY:
                return
            assert message.seq is not None
            after = Place(after.created, message.seq)
            yield after, message

    async def _event(self, at: Place, message: RawStreamMsg) -> bytes:
        """Formats one message. Activity has several lines in a message."""
        kind = (message.subject or "").rpartition(".")[2]
        lines = (message.data or b"{}").split(b"\n")
        return await self.writer.write(self.places.show(self.app_id, at), kind, lines)

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
    return place if place.created == newest.created else Place(newest.created, 0)
