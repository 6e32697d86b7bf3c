"""Publishes batches of the audit outbox to the stream, and tells which ones the stream has."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import PubAck
from nats.js.errors import APIError, NoStreamResponseError

from common import logs, metrics
from common.audit import RECORDS, subject_of
from common.outbox_batches import Batch, OutboxRow

log = logs.get(__name__)

ID: Final = "Nats-Msg-Id"
ACKNOWLEDGED_WITHIN: Final = 5.0
"""Seconds to wait for the stream."""
HEADERS: Final = 1024
"""Bytes kept free for the headers of a message."""
TOO_LARGE: Final = 10_054
"""The error of JetStream for a message above the stream's own `max_msg_size`, which an operator may set."""
AWAY: Final = (nats.errors.Error, OSError, TimeoutError, APIError, NoStreamResponseError)
"""Exceptions of nats-py if the stream or the server is not there."""
Ack: TypeAlias = "asyncio.Future[PubAck]"


@dataclass(frozen=True)
class Outcome:
    """The batches that the stream has, and why it does not have the others."""

    sent: list[Batch]
    failure: BaseException | None = None


@dataclass
class BatchPublisher:
    """Publishes what `service` wrote."""

    nc: Client
    js: JetStreamContext
    service: str
    _split: set[str] = field(default_factory=set)
    """Ids of batches that go event by event, because the stream refused their size."""

    async def publish(self, batches: list[Batch]) -> Outcome:
        """Publishes all batches, then waits for the acknowledgements."""
        self._split &= {batch.id for batch in batches}
        acks: list[tuple[Batch, Ack]] = []
        published: list[Batch] = []
        failure: BaseException | None = None
        try:
            for batch in batches:
                for id, body in self._messages(batch):
                    acks.append((batch, await self._publish(batch.app_id, id, body)))
                published.append(batch)
            if acks:
                await asyncio.wait([ack for _, ack in acks], timeout=ACKNOWLEDGED_WITHIN)
        except AWAY as error:
            failure = error
        finally:
            failures = {batch.id: _failure(ack) for batch, ack in acks if self._failed(batch, ack)}
            for _, ack in acks:  # one that nobody waits for keeps its place in nats.py for ever
                ack.cancel()
        sent = [batch for batch in published if batch.id not in failures]
        return Outcome(sent, failure or next(iter(failures.values()), None))

    async def _publish(self, app_id: str, id: str, body: bytes) -> Ack:
        subject = subject_of(self.service, app_id, RECORDS)
        return await self.js.publish_async(subject, body, headers={ID: id})

    def _messages(self, batch: Batch) -> list[tuple[str, bytes]]:
        """Returns the ids and bodies of the messages of a batch. It is one message, or one for each
        event if the server or the stream takes none of that size. Both are the same at each attempt."""
        rows = [row for row in batch.rows if _is_line(row)]
        body = b"\n".join(row.payload for row in rows)
        if batch.id not in self._split and self._fits(body):
            return [(batch.id, body)] if rows else []
        return [(row.event_id, row.payload) for row in rows if self._may_send(row)]

    def _fits(self, body: bytes) -> bool:
        return len(body) + HEADERS <= self.nc.max_payload

    def _may_send(self, row: OutboxRow) -> bool:
        """A message that the server can never take must not hold up all others."""
        if self._fits(row.payload):
            return True
        _report_unsendable(row, "event too large for the stream")
        return False

    def _failed(self, batch: Batch, ack: Ack) -> bool:
        """Tells whether the batch must be published again. An event that alone is too large for the
        stream is given up."""
        failure = _failure(ack)
        if isinstance(failure, APIError) and failure.err_code == TOO_LARGE:
            if batch.id in self._split:
                metrics.OUTBOX_FAILED.inc()
                log.error("event too large for the stream", app_id=batch.app_id, batch=batch.id)
                return False
            self._split.add(batch.id)
        return failure is not None


def _failure(ack: Ack) -> BaseException | None:
    return ack.exception() if ack.done() else TimeoutError()


def _is_line(row: OutboxRow) -> bool:
    """An event must not end the line of another."""
    if b"\n" not in row.payload:
        return True
    _report_unsendable(row, "event is more than one line")
    return False


def _report_unsendable(row: OutboxRow, reason: str) -> None:
    """Counts and logs an event that is not sent. It stands in audit_logs."""
    metrics.OUTBOX_FAILED.inc()
    log.error(reason, id=row.event_id, type=row.event_type)
