"""The log as it is written: server-sent events off the stream, resumed where they were broken off.

The stream is read by number, so nothing is kept on the server for a follower and nothing is lost
when NATS restarts; plain messages only say that there is something new. A follower's place is the
stream's number sealed for his application: the number itself would tell how much others log.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
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


@dataclass
class Slots:
    """How many may follow at once through one gateway. An application has never more than are left
    for the others."""

    free: int = 200
    taken: Counter[str] = field(default_factory=Counter)
    followers: set[Follower] = field(default_factory=set)

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
    """Stream numbers as followers see them."""

    keys: Keys

    def show(self, app_id: str, seq: int) -> str:
        return b64url(self._cipher().encrypt(seq.to_bytes(8, "big"), [app_id.encode()]))

    def read(self, app_id: str, text: str) -> int:
        """Raises BadRequest for what is not a place in this application's log."""
        try:
            plain = self._cipher().decrypt(unb64(text), [app_id.encode()])
        except (InvalidTag, ValueError):
            raise BadRequest("Last-Event-ID is not a place in this log") from None
        return int.from_bytes(plain, "big")

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

    async def start(self, last: str | None) -> int:
        """The stream's number to go on after. Raises BadRequest, Busy, Unavailable."""
        self.slots.look(self.app_id)
        asked = self.places.read(self.app_id, last) if last else None
        try:
            newest = (await self.js.stream_info(STREAM)).state.last_seq
        except AWAY:
            raise Unavailable("the stream is not reachable", retry_after=2) from None
        if asked is None:
            return newest
        return asked if asked <= newest else 0  # a stream made anew counts from the beginning

    async def events(self, after: int) -> AsyncIterator[bytes]:
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
                async for seq, message in self._new(after):
                    if follower.doubtful:
                        break
                    after = seq
                    yield self._event(seq, message)
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

    async def _new(self, after: int) -> AsyncIterator[tuple[int, RawStreamMsg]]:
        """What the application logged since, in the stream's order; ends where NATS is away."""
        while True:
            try:
                found = await self.js.get_msg(
                    STREAM, seq=after + 1, subject=subjects_of(self.app_id), next=True
                )
            except NotFoundError:
                return
            except AWAY:
                return
            assert found.seq is not None
            after = found.seq
            yield after, found

    def _event(self, seq: int, message: RawStreamMsg) -> bytes:
        """Activity comes as several lines in one message; only the last one names the place, so
        that who breaks off in between gets the message again."""
        kind = (message.subject or "").rpartition(".")[2]
        place = self.places.show(self.app_id, seq)
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
