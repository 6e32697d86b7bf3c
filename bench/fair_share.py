"""`python -m bench.fair_share`: one application under attack and twenty quiet ones share a hash pool.

Counts sign-ins, and takes no times. For each application it counts how many were requested, how
many were hashed and how many were refused as busy. For the quiet ones it also counts how many hashes
of the attacked application ran before each of theirs.
"""

from __future__ import annotations

import asyncio
import os

from rich.console import Console
from rich.table import Table

from common.hash_pool import FairPool
from common.problems import Busy
from identity.hashing import Hashing

QUIET = 20
FLOOD = 2000
SIGN_INS = 3
"""Sign-ins of each quiet application."""


async def main() -> None:
    """Floods the pool and prints a table."""
    hashing = Hashing(FairPool())
    order: list[str] = []
    refused = dict.fromkeys(("attacked", "quiet"), 0)

    async def sign_in(app: str) -> None:
        try:
            await hashing.verify(app, "wrong", hashing.dummy)
            order.append(app)
        except Busy:
            refused["quiet" if app.startswith("quiet") else "attacked"] += 1

    async def quiet(app: str) -> list[int]:
        """Returns how many hashes of the attacked application ran before each of its own."""
        waited = []
        for _ in range(SIGN_INS):
            before = order.count("attacked")
            await sign_in(app)
            waited.append(order.count("attacked") - before)
        return waited

    flood = [asyncio.create_task(sign_in("attacked")) for _ in range(FLOOD)]
    await asyncio.sleep(0)
    waits = [
        wait
        for waits_of_one in await asyncio.gather(*(quiet(f"quiet {n}") for n in range(QUIET)))
        for wait in waits_of_one
    ]
    await asyncio.gather(*flood)
    table = Table(title=f"{hashing.pool.threads} threads, {os.cpu_count()} cores")
    for column in (
        "",
        "requested",
        "hashed",
        "refused as busy",
        "hashes of the attacked waited for, at most",
    ):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row(
        "attacked", f"{FLOOD}", f"{order.count('attacked')}", f"{refused['attacked']}", "–"
    )
    table.add_row(
        f"{QUIET} quiet ones",
        f"{QUIET * SIGN_INS}",
        f"{sum(app != 'attacked' for app in order)}",
        f"{refused['quiet']}",
        f"{max(waits)}",
    )
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
