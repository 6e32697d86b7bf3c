"""The metrics of the stream of audit events: whether it takes messages, its size, and its copies."""

from __future__ import annotations

import math
from functools import partial
from typing import Final

import nats.errors
from nats.js import JetStreamContext
from nats.js.api import StreamInfo
from nats.js.errors import NotFoundError, ServiceUnavailableError

from common import metrics
from common.audit import STREAM
from common.outbox_publisher import AWAY
from common.periodic import run_periodically

MEASURED_EVERY: Final = 15.0
"""Seconds."""
_FIGURES: Final = (
    metrics.STREAM_MESSAGES,
    metrics.STREAM_BYTES,
    metrics.STREAM_LIMIT,
    metrics.STREAM_SEQUENCE,
    metrics.STREAM_CREATED,
    metrics.STREAM_CONSUMERS,
    metrics.STREAM_REPLICAS,
    metrics.STREAM_CURRENT,
    metrics.STREAM_LAG,
)


async def measure_periodically(js: JetStreamContext) -> None:
    """Keeps the metrics of the stream up to date."""
    metrics.maintain(metrics.STREAM_AVAILABLE, metrics.JETSTREAM, *_FIGURES)
    await run_periodically(
        partial(export, js), every=MEASURED_EVERY, name="stream", immediately=True
    )


async def export(js: JetStreamContext) -> None:
    """Sets the metrics. The figures are NaN if there is no answer, since old ones would mislead."""
    try:
        info = await js.stream_info(STREAM)
    except AWAY as error:
        _set_absent(error)
        return
    metrics.JETSTREAM.set(1)
    metrics.STREAM_AVAILABLE.set(_has_leader(info))
    _set_figures(info)


def _set_absent(error: Exception) -> None:
    """Tells a server without JetStream from one that does not answer."""
    for gauge in _FIGURES:
        gauge.set(math.nan)
    metrics.STREAM_AVAILABLE.set(0)
    if isinstance(error, ServiceUnavailableError | nats.errors.NoRespondersError):
        metrics.JETSTREAM.set(0)
    else:
        metrics.JETSTREAM.set(1 if isinstance(error, NotFoundError) else math.nan)


def _has_leader(info: StreamInfo) -> bool:
    """Returns whether a server leads the stream. One server alone has no cluster, and leads."""
    return info.cluster is None or info.cluster.name is None or bool(info.cluster.leader)


def _set_figures(info: StreamInfo) -> None:
    state, limit = info.state, info.config.max_bytes or 0
    metrics.STREAM_MESSAGES.set(state.messages)
    metrics.STREAM_BYTES.set(state.bytes)
    metrics.STREAM_LIMIT.set(limit if limit > 0 else math.inf)
    metrics.STREAM_SEQUENCE.set(state.last_seq)
    metrics.STREAM_CREATED.set(info.created.timestamp() if info.created else math.nan)
    metrics.STREAM_CONSUMERS.set(state.consumer_count)
    peers = (info.cluster.replicas if info.cluster else None) or []
    current = sum(bool(peer.current) and not peer.offline for peer in peers)
    metrics.STREAM_REPLICAS.set(info.config.num_replicas or 1)
    metrics.STREAM_CURRENT.set(current + _has_leader(info))
    metrics.STREAM_LAG.set(max((peer.lag or 0 for peer in peers), default=0))
