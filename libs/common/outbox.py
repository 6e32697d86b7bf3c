"""The relay: what was committed to the audit outbox goes to the stream, and goes there once.

Every service runs one. Rows are taken with SKIP LOCKED, published, acknowledged by JetStream, then
deleted in the same transaction; a relay that dies in between leaves them for the next, and the
stream drops the duplicate by its message id (the event's id). One relay sends in the order of its
rows; two at once may interleave, so a reader orders by the event's own time and id.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Final

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, PubAck
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from common import logs, metrics
from common.audit import STREAM, SUBJECTS, subject_of
from common.context import traced
from common.db import Database, Db, many, run, value
from common.periodic import FAULTS

log = logs.get(__name__)

BATCH: Final = 200
ID: Final = "Nats-Msg-Id"
KEPT: Final = 7 * 86_400
"""Seconds that the stream keeps an event: it is transport, the truth is in Postgres."""
GATHER: Final = 0.004
"""Seconds to let more commits join a round once woken."""
BUSY: Final = 0.025
"""The same while work comes in streams: a round costs a transaction however many rows it sends."""
IDLE: Final = 10.0
"""Seconds between looks when nobody woke us: another process may have died with rows waiting."""


AWAY: Final = (nats.errors.Error, OSError, TimeoutError, APIError, NoStreamResponseError)
"""Exceptions of nats-py if the stream or the server is not there."""
SENDABLE: Final = re.compile(r"[a-z][a-z0-9_]*")
"""An event type as the last part of a subject: a blank in it would end the connection."""


class StreamAway(Exception):
    """The stream did not take an event. The text is the reason in a word."""


@dataclass(frozen=True)
class Waiting:
    seq: int
    app_id: str
    event_id: str
    event_type: str
    payload: bytes


@dataclass
class Relay:
    """Sends the rows that `service` wrote. `database` is connected as aero2_relay, which sees the rows
    of all applications."""

    database: Database
    nc: Client
    js: JetStreamContext
    service: str
    replicas: int = 1
    """NATS servers that keep a copy of the stream, where this process makes it."""
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Starts a round soon, because a row was written."""
        self._woken.set()

    async def run(self) -> None:
        """Sends rows to the stream, round after round, until cancelled."""
        metrics.maintain(metrics.OUTBOX_SENT, metrics.OUTBOX_FAILED)
        pause, woken = 0.0, True
        while True:
            with traced():
                sent = await self._try_round(woken)
            pause = 0.0 if sent is not None else min(pause * 2 or 0.1, 5.0)
            sent = sent or 0
            if sent == BATCH:
                continue
            woken = await self._rest(pause or IDLE, gather=BUSY if sent > 1 else GATHER)

    async def _try_round(self, woken: bool) -> int | None:
        """Returns how many events were sent, or None if the database or the stream was not
        there. If nobody woke us, a single statement looks first whether there is anything to send."""
        try:
            return await self._round() if woken or await self._is_waiting() else 0
        except FAULTS as error:
            log.warning("outbox waits", error=type(error).__name__)
        except StreamAway as error:
            log.warning("outbox waits for the stream", stream=STREAM, error=str(error))
            await self._ensure_stream_quietly()
        metrics.OUTBOX_FAILED.inc()
        return None

    async def _rest(self, seconds: float, gather: float) -> bool:
        """Waits until somebody wakes us, `seconds` at most. Returns whether that happened."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        await asyncio.sleep(gather)
        self._woken.clear()
        return True

    async def _is_waiting(self) -> bool:
        async with self.database.unbound_autocommit() as db:
            return await _any(db, service=self.service)

    async def _round(self) -> int:
        async with self.database.unbound_transaction() as db:
            rows = await _take(db, service=self.service, limit=BATCH)
            if not rows:
                return 0
            try:
                await self._send([row for row in rows if self._fits(row)])
            except AWAY as error:
                raise StreamAway(type(error).__name__) from error
            await _done(db, service=self.service, seqs=[row.seq for row in rows])
        metrics.OUTBOX_SENT.inc(len(rows))
        return len(rows)

    async def _send(self, rows: list[Waiting]) -> None:
        """Publish and wait for every acknowledgement; on any failure none counts as sent."""
        if not self.nc.is_connected:  # nats.py would buffer, fill up and lose its own count
            raise nats.errors.ConnectionReconnectingError
        acks: list[asyncio.Future[PubAck]] = []
        try:
            for row in rows:
                subject = subject_of(self.service, row.app_id, row.event_type)
                headers = {ID: row.event_id}
                acks.append(await self.js.publish_async(subject, row.payload, headers=headers))
            async with asyncio.timeout(5):
                await asyncio.gather(*acks)
        finally:
            for ack in acks:  # a future that nobody waits for keeps its place in nats.py for ever
                ack.cancel()

    def _fits(self, row: Waiting) -> bool:
        """One message the server can never take must not hold up all others; audit_logs has it."""
        if not SENDABLE.fullmatch(row.event_type):
            metrics.OUTBOX_FAILED.inc()
            log.error("event type is no part of a subject", id=row.event_id, type=row.event_type)
            return False
        if len(row.payload) + 1024 <= self.nc.max_payload:
            return True
        metrics.OUTBOX_FAILED.inc()
        log.error("event too large for the stream", id=row.event_id, type=row.event_type)
        return False

    async def _ensure_stream_quietly(self) -> None:
        try:
            await ensure_stream(self.js, replicas=self.replicas)
        except AWAY as error:
            log.warning("stream is missing or unreachable", stream=STREAM, error=repr(error)[:200])


async def ensure_stream(js: JetStreamContext, *, replicas: int = 1) -> None:
    """Creates the stream if it is missing. An operator's changes to it stay."""
    try:
        await js.stream_info(STREAM)
    except NotFoundError:
        await js.add_stream(
            name=STREAM,
            subjects=SUBJECTS,
            duplicate_window=3600,
            max_age=KEPT,
            discard=DiscardPolicy.NEW,
            num_replicas=replicas,
        )


async def _take(db: Db, *, service: str, limit: int) -> list[Waiting]:
    return await many(
        db,
        Waiting,
        """
        -- any-tenant: the relay sends the events of all applications, in the order of commit
        SELECT seq, app_id, event_id, event_type, payload FROM audit_outbox
        WHERE service = $2 ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED
        """,
        limit,
        service,
    )


async def _any(db: Db, *, service: str) -> bool:
    return bool(
        await value(
            db,
            """
            -- any-tenant: whether the relay has anything to send
            SELECT EXISTS (SELECT FROM audit_outbox WHERE service = $1)
            """,
            service,
        )
    )


async def _done(db: Db, *, service: str, seqs: list[int]) -> None:
    await run(
        db,
        """
        -- any-tenant: the rows just sent
        DELETE FROM audit_outbox WHERE service = $2 AND seq = ANY($1::bigint[])
        """,
        seqs,
        service,
    )
