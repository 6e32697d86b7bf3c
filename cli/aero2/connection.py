"""The command line's own connection to the bus."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
import nats.errors

from aero2 import nats_access
from aero2.failures import Refused
from common.bus import NatsBus


@asynccontextmanager
async def connected(url: str, password: str | None) -> AsyncIterator[NatsBus]:
    """Raises Refused where NATS is not there or does not know us."""
    try:
        nc = await nats.connect(
            url,
            name="aero2-cli",
            user=nats_access.CLI,
            password=password,
            inbox_prefix=nats_access.inbox(nats_access.CLI).encode(),
            max_reconnect_attempts=2,
            connect_timeout=3,
            error_cb=_quiet,
        )
    except (OSError, nats.errors.Error, TimeoutError) as error:
        raise Refused(f"The bus at {url} cannot be reached: {error}.") from None
    try:
        yield NatsBus(nc)
    finally:
        await nc.close()


@asynccontextmanager
async def from_environment() -> AsyncIterator[NatsBus]:
    """As AERO2_NATS_URL and AERO2_NATS_PASSWORD say."""
    url = os.environ.get("AERO2_NATS_URL")
    if url is None:
        raise Refused("AERO2_NATS_URL is not set: which deployment is meant?")
    async with connected(url, os.environ.get("AERO2_NATS_PASSWORD")) as bus:
        yield bus


async def _quiet(_: Exception) -> None:
    """What goes wrong is raised where it matters."""
