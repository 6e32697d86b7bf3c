"""The metrics of the stream of audit events say what the NATS server says."""

from __future__ import annotations

import asyncio
import math
import time

import pytest
from nats.js.api import ClusterInfo, PeerInfo, StreamInfo
from tests.kit.nats_server import until
from tests.kit.outbox_post import Post

from common import audit, metrics
from common.outbox import ensure_stream
from identity import stream_metrics


def value(gauge: object) -> float:
    return float(gauge._value.get())  # type: ignore[attr-defined]


async def test_the_figures_are_those_of_the_stream(post: Post) -> None:
    """Messages, bytes, sequence, time of creation, and one copy of one."""
    async with post.relay() as relay:
        for number in range(3):
            await post.record(str(number))
            relay.wake()
            await until(post.none_waiting)
    await stream_metrics.export(post.js)
    info = await post.js.stream_info(audit.STREAM)

    assert value(metrics.STREAM_AVAILABLE) == value(metrics.JETSTREAM) == 1
    assert value(metrics.STREAM_MESSAGES) == info.state.messages >= 1
    assert value(metrics.STREAM_BYTES) == info.state.bytes > 0
    assert value(metrics.STREAM_SEQUENCE) == info.state.last_seq == value(metrics.OUTBOX_SEQUENCE)
    assert value(metrics.STREAM_LIMIT) == math.inf
    assert abs(value(metrics.STREAM_CREATED) - time.time()) < 3600
    assert value(metrics.STREAM_REPLICAS) == value(metrics.STREAM_CURRENT) == 1
    assert value(metrics.STREAM_LAG) == 0


async def test_a_missing_stream_is_not_available(post: Post) -> None:
    """JetStream answers, and the figures of before are gone."""
    await post.js.delete_stream(audit.STREAM)
    await stream_metrics.export(post.js)
    await ensure_stream(post.js)

    assert value(metrics.STREAM_AVAILABLE) == 0
    assert value(metrics.JETSTREAM) == 1
    assert math.isnan(value(metrics.STREAM_MESSAGES))


async def test_a_server_without_jetstream_is_told_from_one_that_is_away(post: Post) -> None:
    """`aero2_jetstream_enabled` is 0 if the server answers without JetStream, and NaN if it is away."""
    config = post.server.config.read_text()
    without = "".join(f"{line}\n" for line in config.splitlines() if "jetstream" not in line)
    post.server.stop()
    await until(lambda: not post.nc.is_connected)
    post.server.config.write_text(without)
    try:
        post.server.launch()
        await until(lambda: post.nc.is_connected)
        await stream_metrics.export(post.js)
        off = value(metrics.STREAM_AVAILABLE), value(metrics.JETSTREAM)
        post.server.stop()
        await until(lambda: not post.nc.is_connected)
        await asyncio.wait_for(stream_metrics.export(post.js), 10)
        away = value(metrics.STREAM_AVAILABLE), value(metrics.JETSTREAM)
    finally:
        post.server.stop()
        post.server.config.write_text(config)
        post.server.launch()

    assert off == (0, 0)
    assert away[0] == 0
    assert math.isnan(away[1])


@pytest.mark.parametrize(
    ("leader", "peers", "available", "current", "lag"),
    [
        ("a", [(True, False, 0), (True, False, 0)], 1, 3, 0),
        ("a", [(True, False, 0), (False, False, 900)], 1, 2, 900),
        ("a", [(True, True, 0), (False, True, 12)], 1, 1, 12),
        (None, [(True, False, 0), (True, False, 0)], 0, 2, 0),
    ],
)
async def test_copies_and_leader(
    post: Post,
    leader: str | None,
    peers: list[tuple[bool, bool, int]],
    available: int,
    current: int,
    lag: int,
) -> None:
    """A copy counts if its server is there and has everything. Without a leader the stream takes
    nothing."""
    info = await post.js.stream_info(audit.STREAM)
    info.config.num_replicas = 3
    replicas = [PeerInfo("b", now, offline, 1, late) for now, offline, late in peers]
    info.cluster = ClusterInfo(leader=leader, name="aero2", replicas=replicas)

    class Answering:
        async def stream_info(self, name: str) -> StreamInfo:
            return info

    await stream_metrics.export(Answering())  # type: ignore[arg-type]

    assert value(metrics.STREAM_AVAILABLE) == available
    assert value(metrics.STREAM_REPLICAS) == 3
    assert value(metrics.STREAM_CURRENT) == current
    assert value(metrics.STREAM_LAG) == lag
