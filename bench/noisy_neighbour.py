"""`python -m bench.noisy_neighbour`: how long quiet applications wait beside a noisy one.

All request tokens with client credentials. Four quiet applications do so at a steady rate, first
alone, then while a noisy application sends as many requests as ten times the usual connections
allow. The deployments differ in AERO2_AT_ONCE, the limit above which the gateway shares fairly.
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
from bench.load import CONNECTIONS, LoadRequest, wrk
from bench.processes import cpu
from bench.tenants import GrownDeployment, grow
from bench.workloads import FORM, basic
from common.contracts.applications import NewApplication

QUIET = 4
"""Quiet applications."""
RATE = 20
"""Requests a second of each quiet application."""
NOISY_CONNECTIONS = 10 * CONNECTIONS
"""Connections of the noisy application."""
BODY = {"grant_type": "client_credentials"}


@dataclass
class WaitTimes:
    """Waiting times of the quiet applications in ms, one value for each round."""

    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    refused: int = 0
    noisy_rate: list[float] = field(default_factory=list)
    """Successful responses a second of the noisy application."""
    noisy_refused: int = 0
    cpu: list[float] = field(default_factory=list)
    """CPU µs of the whole deployment for each response."""

    def add(self, durations: list[float]) -> None:
        """Adds the waiting times of one round, in seconds."""
        durations.sort()
        self.p50.append(durations[len(durations) // 2] * 1000)
        self.p99.append(durations[int(len(durations) * 0.99)] * 1000)


@dataclass
class Subject:
    """A deployment with one client for each application: its host and its credentials."""

    side: GrownDeployment
    clients: list[tuple[str, dict[str, str]]]
    alone: WaitTimes = field(default_factory=WaitTimes)
    beside: WaitTimes = field(default_factory=WaitTimes)


async def start_subject(stack: contextlib.AsyncExitStack, at_once: int) -> Subject:
    """Starts a deployment with this AERO2_AT_ONCE, its applications and their clients."""
    os.environ["AERO2_AT_ONCE"] = str(at_once)
    side = await grow(stack, 1 + QUIET)
    return Subject(side, [(app.host, client(side.deployment, app)) for app in side.apps])


def client(deployment: Deployment, app: NewApplication) -> dict[str, str]:
    """Creates a client of the application. Returns the headers of its token requests."""
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
    created = answer.json()
    return basic((created["client_id"], created["client_secret"]))


async def run_quiet(subject: Subject, times: WaitTimes, seconds: float) -> None:
    """Sends requests for all quiet applications, at a rate that does not depend on the responses."""
    durations: list[float] = []

    async def request_token(http: Connection, credentials: dict[str, str]) -> None:
        started = time.perf_counter()
        answer = await http.post("/oauth2/token", BODY, **credentials)
        if answer.status == 200:
            durations.append(time.perf_counter() - started)
        else:
            times.refused += 1

    async def run_application(host: str, credentials: dict[str, str]) -> None:
        free = [Connection(subject.side.deployment.port, host) for _ in range(RATE)]
        tasks = []
        end = time.perf_counter() + seconds

        async def send_request() -> None:
            http = free.pop() if free else Connection(subject.side.deployment.port, host)
            await request_token(http, credentials)
            free.append(http)

        while time.perf_counter() < end:
            tasks.append(asyncio.create_task(send_request()))
            await asyncio.sleep(random.expovariate(RATE))
        await asyncio.gather(*tasks)
        for http in free:
            http.close()

    await asyncio.gather(
        *(run_application(host, credentials) for host, credentials in subject.clients[1:])
    )
    times.add(durations)


async def run_noisy(subject: Subject, seconds: float) -> None:
    """Sends as many requests for the noisy application as its connections allow."""
    host, credentials = subject.clients[0]
    request = LoadRequest(
        url=f"http://127.0.0.1:{subject.side.deployment.port}",
        path="/oauth2/token",
        method="POST",
        headers={"Host": host, **credentials, **FORM},
        body="grant_type=client_credentials",
    )
    before = cpu(subject.side.deployment.pid)
    result = await asyncio.to_thread(partial(wrk, request, seconds, NOISY_CONNECTIONS))
    used = cpu(subject.side.deployment.pid) - before
    subject.beside.cpu.append(used.total * 1e6 / (result.requests + QUIET * RATE * result.seconds))
    subject.beside.noisy_rate.append((result.requests - result.errors) / result.seconds)
    subject.beside.noisy_refused += result.errors


async def main() -> None:
    """Measures the deployments in turn and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("at_once", nargs="*", type=int, default=[0, 32], help="AERO2_AT_ONCE")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    async with contextlib.AsyncExitStack() as stack:
        subjects = {at_once: await start_subject(stack, at_once) for at_once in options.at_once}
        for subject in subjects.values():  # fills the caches of hosts and verified secrets
            await run_quiet(subject, WaitTimes(), 2)
        for _ in range(options.rounds):
            for subject in subjects.values():
                await run_quiet(subject, subject.alone, options.seconds)
                beside = asyncio.create_task(run_noisy(subject, options.seconds + 2))
                await asyncio.sleep(1)
                await run_quiet(subject, subject.beside, options.seconds)
                await beside
    show(subjects)


def show(subjects: dict[int, Subject]) -> None:
    """Prints the medians of each deployment."""
    table = Table(
        title=f"{QUIET} at {RATE} a second, one over {NOISY_CONNECTIONS} connections; ms, medians"
    )
    columns = "at once", "p50 alone", "p50 beside", "p99 alone", "p99 beside", "refused"
    for column in (*columns, "noisy: responses/s", "refused", "CPU µs each"):
        table.add_column(column, justify="right")
    for at_once, subject in subjects.items():
        alone, beside = subject.alone, subject.beside
        table.add_row(
            str(at_once or "no bound"),
            f"{statistics.median(alone.p50):.1f}",
            f"{statistics.median(beside.p50):.1f}",
            f"{statistics.median(alone.p99):.1f}",
            f"{statistics.median(beside.p99):.1f}",
            str(alone.refused + beside.refused),
            f"{statistics.median(beside.noisy_rate):.0f}",
            str(beside.noisy_refused),
            f"{statistics.median(beside.cpu):.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
