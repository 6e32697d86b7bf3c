"""The relay: what was committed to the audit outbox goes to the stream, and goes there once.

Every service runs one. It takes a batch of each application in turn, so an application with a long queue
does not delay the others. A batch gets its id in the database before it is published, and the id is the
message id. The rows are deleted after the stream has acknowledged the message. A relay that dies in
between leaves a batch that its successor publishes again, whole and under the same id: the stream drops
the duplicate if it comes within `WINDOW` seconds. A reader that must not count an event twice compares
the ids of events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy
from nats.js.errors import APIError, NotFoundError

from common import logs, metrics
from common.audit import STREAM, SUBJECTS, entered
from common.context import traced
from common.db import Database
from common.outbox_batches import APPLICATIONS, Batch, delete, take
from common.outbox_publisher import AWAY, BatchPublisher
from common.periodic import FAULTS

log = logs.get(__name__)

KEPT: Final = 7 * 86_400
"""Seconds that the stream keeps an event: it is transport, the truth is in Postgres."""
WINDOW: Final = 3600
"""Seconds in which the stream drops a second message with the same id."""
GATHER: Final = 0.025
"""Seconds to let more commits join a batch once woken. Waiting loses nothing: the rows are committed."""
BUSY: Final = 0.05
"""The same while work comes in streams: a message costs the stream a sync, however many lines it has."""
IDLE: Final = 10.0
"""Seconds between looks when nobody woke us: another process may have died with rows waiting."""
LEASE: Final = 10.0
"""Seconds after which a batch is taken from another relay, which may be dead. Longer than a round."""
FIRST: Final = str(UUID(int=0))
"""The application with the lowest id."""


class StreamAway(Exception):
    """The stream took no batch. The text is the reason."""


@dataclass(frozen=True)
class Round:
    """The number of events that a round sent, and whether others may wait already."""

    sent: int
    more: bool


@dataclass
class Relay:
    """Sends the rows of a service. `database` is connected as aero2_relay, which sees the rows of all
    applications."""

    database: Database
    publisher: BatchPublisher
    replicas: int = 1
    """NATS servers that keep a copy of the stream, where this process makes it."""
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _start: str = FIRST
    """The application with which the next round begins."""
    _lease: float = 0.0
    """At first a relay takes every batch that it finds: those of the process before it."""
    _unsent: set[str] = field(default_factory=set)
    """Ids of the last round's batches that the stream did not acknowledge."""
    _sent: list[Batch] = field(default_factory=list)
    """Batches that the stream has, and whose rows are not deleted yet."""

    def wake(self) -> None:
        """Starts a round soon, because a row was written."""
        self._woken.set()

    async def run(self) -> None:
        """Sends rows to the stream, round after round, until cancelled."""
        metrics.maintain(metrics.OUTBOX_SENT, metrics.OUTBOX_FAILED, metrics.OUTBOX_ROUNDS)
        metrics.maintain(metrics.OUTBOX_SEQUENCE)
        pause = 0.0
        while True:
            with traced("relay"):
                done = await self._try_round()
            pause = 0.0 if done else min(pause * 2 or 0.1, 5.0)
            if done is None:
                await self._rest(pause, gather=GATHER)
            elif not done.more:
                await self._rest(IDLE, gather=BUSY if done.sent > 1 else GATHER)

    async def _try_round(self) -> Round | None:
        """Returns what the round did, or None if the database or the stream was not there."""
        metrics.OUTBOX_ROUNDS.inc()
        try:
            return await self._round()
        except FAULTS as error:
            log.warning("outbox waits", error=type(error).__name__)
        except StreamAway as error:
            log.warning("outbox waits for the stream", stream=STREAM, error=str(error))
            await self._ensure_stream_quietly()
        metrics.OUTBOX_FAILED.inc()
        return None

    async def _rest(self, seconds: float, gather: float) -> None:
        """Waits until somebody wakes us, `seconds` at most, and then for more to do."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return
        await asyncio.sleep(gather)
        self._woken.clear()

    async def _round(self) -> Round:
        """Takes batches, publishes them and deletes their rows. Raises StreamAway if the stream took
        none of them."""
        if not self.publisher.nc.is_connected:  # nats-py would buffer until it is full
            raise StreamAway("disconnected")
        await self._delete_sent()  # if the database was away after the last acknowledgement
        batches = await self._take()
        outcome = await self.publisher.publish(batches)
        self._unsent -= {batch.id for batch in outcome.sent}
        self._sent = outcome.sent
        await self._delete_sent()
        if outcome.failure is not None and not outcome.sent:
            raise StreamAway(_reason(outcome.failure)) from outcome.failure
        start = self._start
        self._start = _following(batches[-1].app_id) if len(batches) == APPLICATIONS else FIRST
        more = self._start != start or any(batch.rows[0].more for batch in batches)
        return Round(sum(len(batch.rows) for batch in outcome.sent), more)

    async def _take(self) -> list[Batch]:
        async with self.database.unbound_autocommit() as db:
            batches = await take(
                db,
                service=self.publisher.service,
                start=self._start,
                lease=self._lease,
                own=self._unsent,
            )
        self._lease = LEASE
        self._unsent = {batch.id for batch in batches}
        return batches

    async def _delete_sent(self) -> None:
        if not self._sent:
            return
        async with self.database.unbound_autocommit() as db:
            await delete(db, service=self.publisher.service, batches=self._sent)
        metrics.OUTBOX_SENT.inc(sum(len(batch.rows) for batch in self._sent))
        self._sent = []

    async def _ensure_stream_quietly(self) -> None:
        try:
            await ensure_stream(self.publisher.js, replicas=self.replicas)
        except AWAY as error:
            log.warning("stream is missing or unreachable", stream=STREAM, error=repr(error)[:200])


def waking(wake: Callable[[], None]) -> Callable[[], None]:
    """Returns a function to call after every commit. It wakes the relay if the request has made an entry:
    most commits have none, and a look at the outbox for nothing costs as much as one that finds a row."""

    def wake_if_entered() -> None:
        if entered.get():
            wake()

    return wake_if_entered


def _reason(failure: BaseException) -> str:
    """Returns why the stream took nothing: in JetStream's words if it has answered."""
    told = failure.description if isinstance(failure, APIError) else None
    return told or type(failure).__name__


def _following(app_id: str) -> str:
    """Returns the next id."""
    return str(UUID(int=(UUID(app_id).int + 1) % 2**128))


async def ensure_stream(js: JetStreamContext, *, replicas: int = 1) -> None:
    """Creates the stream if it is missing. An operator's changes to it stay."""
    try:
        await js.stream_info(STREAM)
    except NotFoundError:
        await js.add_stream(
            name=STREAM,
            subjects=SUBJECTS,
            duplicate_window=WINDOW,
            max_age=KEPT,
            discard=DiscardPolicy.NEW,
            num_replicas=replicas,
        )
