"""The hash of a password alone, with the parameters and the pool of the product."""

from __future__ import annotations

import asyncio

from bench.load import Result, run_flows
from bench.workloads import Workload
from common.hash_pool import FairPool
from identity.hashing import Hashing

AT_ONCE = 4
"""As many as the clients of W4."""


def hashes() -> Workload:
    """Returns the workload. It runs in this process."""

    async def load(seconds: float) -> Result:
        hashing = Hashing(FairPool())

        async def once(number: int) -> None:
            await hashing.verify("floor", "wrong", hashing.dummy)

        return await run_flows(once, seconds, AT_ONCE)

    return Workload("W4", lambda: lambda seconds: asyncio.run(load(seconds)))
