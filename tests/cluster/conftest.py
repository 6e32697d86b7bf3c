"""Three NATS servers for the folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from nats.js import JetStreamContext
from tests.kit.nats_cluster import NatsCluster, all_current, jetstream_ready, nats_cluster

from common.nats_client import NatsClient
from common.outbox import ensure_stream


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsCluster]:
    """Three servers for the tests of a module, which start again what they stop."""
    with nats_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
async def nc(cluster: NatsCluster) -> AsyncIterator[NatsClient]:
    """A connection as identity."""
    connected = await cluster.connect("identity")
    yield connected
    await connected.close()


@pytest.fixture
async def js(nc: NatsClient) -> JetStreamContext:
    """JetStream as identity sees it, and the stream with three copies."""
    context = nc.jetstream(timeout=5)
    await jetstream_ready(context)
    await ensure_stream(context, replicas=3)
    await all_current(context)
    return context
