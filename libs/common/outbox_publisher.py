"""Publishes batches of the audit outbox to the stream, and tells which ones the stream has."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import APIError, NoStreamResponseError

from common import logs, metrics, tracing
from common.audit import MESSAGE_ID, RECORDS, STREAM, subject_of
from common.outbox_batches import Batch, OutboxRow

log = logs.get(__name__)

ACKNOWLEDGED_WITHIN: Final = 5.0
"""Seconds to wait for the stream."""
HEADERS: Final = 1024
"""Bytes kept free for the headers of a message."""
TOO_LARGE: Final = 10_054
"""The error of JetStream for a message above the stream's own `max_msg_size`, which an operator may set."""
AWAY: Final = (nats.errors.Error, OSError, TimeoutError, APIError, NoStreamResponseError)
"""Exceptions of nats-py if the stream or the server is not there."""


@dataclass(frozen=True)
class Publication:
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

    async def publish(self, batches: list[Batch]) -> Publication:
        """Publishes all batches at the same time, and waits for the acknowledgements."""
        self._split &= {batch.id for batch in batches}
        failures = await asyncio.gather(*map(self._publish, batches))
        pairs = list(zip(batches, failures, strict=True))
        return Publication(
            sent=[batch for batch, failure in pairs if failure is None],
            failure=next((failure for _, failure in pairs if failure is not None), None),
        )

    async def _publish(self, batch: Batch) -> BaseException | None:
        """Publishes a batch. Returns None if the stream has it, else the reason."""
        if tracing.recorder is None:
            return await self._send(batch)
        payloads = [row.payload for row in batch.rows]
        spans = tracing.recorder.publication(payloads, STREAM, batch.id)
        failure: BaseException | None = None
        try:
            failure = await self._send(batch)
        finally:
            for span in spans:
                span.end(error=type(failure).__name__ if failure else "")
        return failure

    async def _send(self, batch: Batch) -> BaseException | None:
        """Sends a batch as `_publish` does, without spans."""
        subject = subject_of(self.service, batch.app_id, RECORDS)
        for id, body in self._messages(batch):
            try:
                ack = await self.js.publish(
                    subject, body, ACKNOWLEDGED_WITHIN, headers={MESSAGE_ID: id}
                )
                metrics.OUTBOX_SEQUENCE.set(ack.seq)
            except AWAY as error:
                if not self._is_given_up(batch, error):
                    return error
        return None

    def _is_given_up(self, batch: Batch, error: BaseException) -> bool:
        """Tells whether the error concerns one event only, which is larger than the stream takes. A batch
        of that size goes event by event the next time."""
        if not isinstance(error, APIError) or error.err_code != TOO_LARGE:
            return False
        if batch.id not in self._split:
            self._split.add(batch.id)
            return False
        metrics.OUTBOX_FAILED.inc()
        log.error("event too large for the stream", app_id=batch.app_id, batch=batch.id)
        return True

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
