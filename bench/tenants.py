"""`make bench-tenants`: does the cost of a request grow with the number of applications?

Measures two deployments in turn, grown with ten applications and grown with two thousand. Three calls go
over the bus, and so past the caches of the gateway: create an application, resolve a host, check a
session. The discovery document is requested over HTTP, through the caches.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import secrets
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import nats
from rich.progress import track

from aero2 import nats_access
from bench.deployment import Deployment, free_port, started_deployment
from bench.http import Connection
from bench.load import CONNECTIONS, LoadRequest, wrk
from bench.processes import cpu, machine_speed
from common.bus import NatsBus
from common.context import Context, system_context
from common.contracts.applications import EnsureApplication, NewApplication
from common.contracts.passwords import SignInWithPassword
from common.contracts.sessions import CheckSession
from common.contracts.tenants import ResolveHost
from common.contracts.users import CreateUser
from common.ids import DASHBOARD

CREATIONS = 24
"""Applications created in each round. Many, because the time to create RSA keys varies."""
CALLS = 4000
"""Calls over the bus in each round."""
SESSIONS = 200
"""Most applications that get a session to check."""


@dataclass
class GrownDeployment:
    """A deployment with its number of applications."""

    deployment: Deployment
    bus: NatsBus
    """A connection as the gateway: calls for a caller."""
    system: NatsBus
    """A connection as the command line: calls as the system."""
    apps: list[NewApplication] = field(default_factory=list)
    sessions: list[tuple[str, str, str]] = field(default_factory=list)
    """(app_id, host, session token)"""

    @property
    def size(self) -> int:
        return len(self.apps)


async def grow(stack: contextlib.AsyncExitStack, size: int) -> GrownDeployment:
    """Starts a deployment and creates `size` applications in it."""
    deployment = stack.enter_context(started_deployment(free_port()))
    assert deployment.data is not None
    stored_secrets = json.loads((deployment.data / "secrets.json").read_text())
    port = json.loads((deployment.data / "ports.json").read_text())["nats"]
    buses: list[NatsBus] = []
    for user in ("gateway", nats_access.CLI):
        nc = await nats.connect(
            f"nats://127.0.0.1:{port}",
            user=user,
            password=stored_secrets["nats"][user],
            inbox_prefix=nats_access.inbox(user).encode(),
        )
        stack.push_async_callback(nc.close)
        buses.append(NatsBus(nc))
    caller_bus, system_bus = buses
    grown = GrownDeployment(deployment, caller_bus, system_bus)
    for _ in track(range(size), description=f"{size} applications"):
        grown.apps.append(await create(grown))
    for app in random.sample(grown.apps, min(size, SESSIONS)):
        grown.sessions.append(await sign_in(grown, app))
    return grown


async def create(grown: GrownDeployment) -> NewApplication:
    """Creates an application with its roles, signing keys and API keys."""
    ctx = system_context(DASHBOARD, within=30)
    slug = f"bench-{secrets.token_hex(4)}"
    return await grown.system.call(ctx, EnsureApplication(slug=slug, name="Bench"))


async def sign_in(grown: GrownDeployment, app: NewApplication) -> tuple[str, str, str]:
    """Creates a user and signs them in. Returns (app_id, host, session token)."""
    email, password = f"{secrets.token_hex(6)}@example.com", f"correct horse {secrets.token_hex(8)}"
    ctx = system_context(app.id, within=30)
    await grown.system.call(ctx, CreateUser(email=email, password=password, email_verified=True))
    request = SignInWithPassword(email=email, password=password)
    session = await grown.bus.call(context(app.id), request)
    return app.id, app.host, session.token


def context(app_id: str) -> Context:
    """Returns the context of an anonymous call."""
    return Context(app_id, deadline=time.monotonic() + 30, trace=system_context(app_id).trace)


async def resolve_host(grown: GrownDeployment) -> None:
    """Resolves the host of a random application."""
    await grown.bus.raw(context(DASHBOARD), ResolveHost(host=random.choice(grown.apps).host))


async def check_session(grown: GrownDeployment) -> None:
    """Checks the session of a random user."""
    app_id, _, token = random.choice(grown.sessions)
    await grown.bus.raw(context(app_id), CheckSession(token=token))


async def repeat(
    work: Callable[[GrownDeployment], Awaitable[object]],
    grown: GrownDeployment,
    times: int,
    concurrency: int,
) -> None:
    """Runs `work` as often as `times` says, `concurrency` of them at a time."""

    async def worker() -> None:
        for _ in range(times // concurrency):
            await work(grown)

    await asyncio.gather(*(worker() for _ in range(concurrency)))


async def over_bus(
    work: Callable[[GrownDeployment], Awaitable[object]],
    grown: GrownDeployment,
    times: int,
    concurrency: int,
) -> float:
    """Returns the CPU µs of the deployment for each call."""
    before = cpu(grown.deployment.pid)
    await repeat(work, grown, times, concurrency)
    await asyncio.sleep(0.2)
    return (cpu(grown.deployment.pid) - before).total * 1e6 / times


async def over_http(grown: GrownDeployment, path: str, hosts: list[str]) -> float:
    """Returns the CPU µs of the deployment for each request to grown of the hosts."""
    request = LoadRequest(
        url=f"http://127.0.0.1:{grown.deployment.port}",
        path=path,
        headers={"Host": "{t}"},
        pool=hosts,
    )
    http = Connection(grown.deployment.port, "")
    for host in hosts:  # fills the caches: the first request to a host goes to tenancy and oidc
        http.host = host
        await http.get(path)
    http.close()
    before = cpu(grown.deployment.pid)
    result = await asyncio.to_thread(wrk, request, 3.0, CONNECTIONS)
    if result.errors:
        raise RuntimeError(f"{path}: {result.errors} errors")
    return (cpu(grown.deployment.pid) - before).total * 1e6 / result.requests


async def measure(grown: GrownDeployment) -> dict[str, float]:
    """Returns the CPU µs of each kind of request."""
    hosts = [app.host for app in random.sample(grown.apps, min(grown.size, 2000))]
    return {
        "create an application": await over_bus(create, grown, CREATIONS, 2),
        "resolve a host": await over_bus(resolve_host, grown, CALLS, CONNECTIONS),
        "check a session": await over_bus(check_session, grown, CALLS, CONNECTIONS),
        "discovery over HTTP": await over_http(grown, "/.well-known/openid-configuration", hosts),
    }


async def measure_sizes(sizes: list[int], rounds: int) -> dict[str, dict[int, list[float]]]:
    """Returns the figures by kind of request and by number of applications, grown for each round."""
    figures: dict[str, dict[int, list[float]]] = {}
    async with contextlib.AsyncExitStack() as stack:
        sides = [(size, await grow(stack, size)) for size in sizes]
        for number in range(rounds):
            for size, grown in sides:
                for name, value in (await measure(grown)).items():
                    figures.setdefault(name, {}).setdefault(size, []).append(value)
                print(f"  round {number + 1}, {size} applications", file=sys.stderr)
    return figures


def table(figures: dict[str, dict[int, list[float]]], sizes: list[int]) -> str:
    """Returns the medians as a Markdown table."""
    lines = [
        "| CPU µs each | " + " | ".join(f"{size:,} applications" for size in sizes) + " | ratio |"
    ]
    lines.append("|---|" + "---:|" * (len(sizes) + 1))
    for name, by_size in figures.items():
        medians = [statistics.median(by_size[size]) for size in sizes]
        cells = " | ".join(f"{value:,.0f}" for value in medians)
        lines.append(f"| {name} | {cells} | {medians[-1] / medians[0]:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Measures, prints the table and writes the figures as JSON."""
    parser = argparse.ArgumentParser(prog="make bench-tenants", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs=2, default=[10, 2000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results/tenants.json")
    options = parser.parse_args()
    figures = asyncio.run(measure_sizes(options.sizes, options.rounds))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"speed_ms": machine_speed(), "cpu_us": figures}, indent=1))
    print(table(figures, options.sizes))


if __name__ == "__main__":
    main()
