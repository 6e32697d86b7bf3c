"""Counts the audit events on the stream."""

from __future__ import annotations

import time
from collections import Counter

import nats.errors
from nats.js import JetStreamContext
from nats.js.api import DeliverPolicy
from tests.kit.nats_server import PATIENCE

from common.audit import STREAM
from common.events.base import AuditEvent


async def counted_events(
    js: JetStreamContext,
    event_type: str,
    name: str,
    wanted: set[str],
    *,
    subject: str = "audit.>",
    within: float = PATIENCE,
) -> Counter[str]:
    """Counts the events of a type by the value of a field of their data, until each of `wanted` has one or
    the time is up. It then reads on for a moment, to see what arrives twice."""
    found: Counter[str] = Counter()
    ends = time.monotonic() + within
    sub = await _subscribe(js, subject, ends)
    while time.monotonic() < ends:
        try:
            message = await sub.next_msg(timeout=1)
        except (TimeoutError, nats.errors.TimeoutError):
            if wanted <= found.keys():
                break
            continue
        for event in map(AuditEvent.model_validate_json, message.data.split(b"\n")):
            if event.event_type == event_type:
                found[str(event.event_data[name])] += 1
    await sub.unsubscribe()
    return found


async def _subscribe(
    js: JetStreamContext, subject: str, ends: float
) -> JetStreamContext.PushSubscription:
    """Subscribes to the stream from its first event. While it gets another leader, nobody answers."""
    while True:
        try:
            return await js.subscribe(
                subject, stream=STREAM, ordered_consumer=True, deliver_policy=DeliverPolicy.ALL
            )
        except nats.errors.TimeoutError:
            if time.monotonic() >= ends:
                raise
