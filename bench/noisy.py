"""`python -m bench.noisy`: one application asks as much as it can, others go on as before.

Tokens by client credentials. Four quiet applications ask at a steady pace, while the noisy one is
still and while it is asked over ten times as many connections without a pause; on deployments
without and with the gateway's fair share, in turn. What counts is how long the quiet ones wait.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import statistics
import time
from dataclasses import dataclass, field
from functools import partial

import httpx
from rich.console import Console
from rich.table import Table

from bench.deployment import Deployment
from bench.http import Connection
from bench.load import CONNECTIONS, Shot, wrk
from bench.processes import cpu
from bench.tenants import Side, side
from bench.workloads import FORM, basic
from common.contracts.applications import NewApplication

QUIET = 4
"""Applications."""
PACE = 20
"""Requests a second of each of them."""
LOUD = 10 * CONNECTIONS
"""Connections of the noisy one."""
BODY = {"grant_type": "client_credentials"}


@dataclass
class Waits:
    """Of the quiet applications, in ms, round by round."""

    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    refused: int = 0
    loud: list[float] = field(default_factory=list)
    """Answers a second that the noisy one got."""
    loud_refused: int = 0
    cpu: list[float] = field(default_factory=list)
    """µs of the whole deployment for each answer to anybody."""

    def add(self, took: list[float]) -> None:
        took.sort()
        self.p50.append(took[len(took) // 2] * 1000)
        self.p99.append(took[int(len(took) * 0.99)] * 1000)


@dataclass
class Stage:
    """A deployment with a client of each application: its host and its credentials."""

    one: Side
    clients: list[tuple[str, dict[str, str]]]
    still: Waits = field(default_factory=Waits)
    noise: Waits = field(default_factory=Waits)


async def prepared(stack: contextlib.AsyncExitStack, at_once: int) -> Stage:
    os.environ["AERO2_AT_ONCE"] = str(at_once)
    one = await side(stack, 1 + QUIET)
    return Stage(one, [(app.host, client(one.deployment, app)) for app in one.apps])


def client(deployment: Deployment, app: NewApplication) -> dict[str, str]:
    """The headers by which a machine of this application asks for a token."""
    key = next(key.key for key in app.api_keys if key.key_type == "secret")
    answer = httpx.post(
        f"http://127.0.0.1:{deployment.port}/api/clients",
        json={
            "name": "bench",
            "type": "service",
            "grant_types": ["client_credentials"],
            "scopes": ["users:read"],
            "access_token_alg": "ES256",
        },
        headers={"Host": app.host, "Authorization": f"Bearer {key}"},
        timeout=30,
    )
    answer.raise_for_status()
    made = answer.json()
    return basic((made["client_id"], made["client_secret"]))


async def quiet(stage: Stage, waits: Waits, seconds: float) -> None:
    """Each application at its own pace, whether or not the last answer has come."""
    took: list[float] = []

    async def ask(http: Connection, credentials: dict[str, str]) -> None:
        started = time.perf_counter()
        answer = await http.post("/oauth2/token", BODY, **credentials)
        if answer.status == 200:
            took.append(time.perf_counter() - started)
        else:
            waits.refused += 1

    async def one(host: str, credentials: dict[str, str]) -> None:
        free = [Connection(stage.one.deployment.port, host) for _ in range(PACE)]
        tasks = []
        ends = time.perf_counter() + seconds

        async def once() -> None:
            http = free.pop() if free else Connection(stage.one.deployment.port, host)
            await ask(http, credentials)
            free.append(http)

        while time.perf_counter() < ends:
            tasks.append(asyncio.create_task(once()))
            await asyncio.sleep(random.expovariate(PACE))
        await asyncio.gather(*tasks)
        for http in free:
            http.close()

    await asyncio.gather(*(one(host, credentials) for host, credentials in stage.clients[1:]))
    waits.add(took)


async def loud(stage: Stage, seconds: float) -> None:
    host, credentials = stage.clients[0]
    shot = Shot(
        url=f"http://127.0.0.1:{stage.one.deployment.port}",
        path="/oauth2/token",
        method="POST",
        headers={"Host": host, **credentials, **FORM},
        body="grant_type=client_credentials",
    )
    before = cpu(stage.one.deployment.pid)
    seen = await asyncio.to_thread(partial(wrk, shot, seconds, LOUD))
    used = cpu(stage.one.deployment.pid) - before
    stage.noise.cpu.append(used.total * 1e6 / (seen.requests + QUIET * PACE * seen.seconds))
    stage.noise.loud.append((seen.requests - seen.errors) / seen.seconds)
    stage.noise.loud_refused += seen.errors


async def main() -> None:
    known = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    known.add_argument("at_once", nargs="*", type=int, default=[0, 32], help="AERO2_AT_ONCE")
    known.add_argument("--seconds", type=float, default=8.0)
    known.add_argument("--rounds", type=int, default=3)
    wanted = known.parse_args()
    async with contextlib.AsyncExitStack() as stack:
        stages = {at_once: await prepared(stack, at_once) for at_once in wanted.at_once}
        for stage in stages.values():  # every secret is verified, every host known
            await quiet(stage, Waits(), 2)
        for _ in range(wanted.rounds):
            for stage in stages.values():
                await quiet(stage, stage.still, wanted.seconds)
                noise = asyncio.create_task(loud(stage, wanted.seconds + 2))
                await asyncio.sleep(1)
                await quiet(stage, stage.noise, wanted.seconds)
                await noise
    show(stages)


def show(stages: dict[int, Stage]) -> None:
    table = Table(title=f"{QUIET} at {PACE} a second, one over {LOUD} connections; ms, medians")
    columns = "at once", "p50 still", "noise", "p99 still", "noise", "refused"
    for column in (*columns, "noisy: a second", "refused", "µs each"):
        table.add_column(column, justify="right")
    for at_once, stage in stages.items():
        still, noise = stage.still, stage.noise
        table.add_row(
            str(at_once or "no bound"),
            f"{statistics.median(still.p50):.1f}",
            f"{statistics.median(noise.p50):.1f}",
            f"{statistics.median(still.p99):.1f}",
            f"{statistics.median(noise.p99):.1f}",
            str(still.refused + noise.refused),
            f"{statistics.median(noise.loud):.0f}",
            str(noise.loud_refused),
            f"{statistics.median(noise.cpu):.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
