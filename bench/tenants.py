"""`make bench-tenants`: does anything get dearer as applications grow in number?

Two deployments in one run, one with ten applications and one with two thousand, measured in turn:
creating an application, resolving a host and checking a session, each asked over the bus, past
the gateway's caches; and a discovery document over HTTP, through them.
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
from bench.deployment import Deployment, free_port, fresh
from bench.http import Connection
from bench.load import CONNECTIONS, Shot, wrk
from bench.processes import cpu, speed
from common.bus import NatsBus
from common.context import Context, system_context
from common.contracts.applications import EnsureApplication, NewApplication
from common.contracts.passwords import SignInWithPassword
from common.contracts.sessions import CheckSession
from common.contracts.tenants import ResolveHost
from common.contracts.users import CreateUser
from common.ids import DASHBOARD

CREATED = 24
"""Applications made in each counted round: making RSA keys varies widely."""
ASKED = 4000
"""Questions over the bus in each counted round."""
SIGNED_IN = 200
"""Applications, at most, with a signed-in user for the session checks."""


@dataclass
class Side:
    """One deployment, grown to its number of applications."""

    deployment: Deployment
    bus: NatsBus
    """As the gateway, for callers."""
    system: NatsBus
    """As the command line, for the system."""
    apps: list[NewApplication] = field(default_factory=list)
    sessions: list[tuple[str, str, str]] = field(default_factory=list)
    """(app_id, host, session token)"""

    @property
    def size(self) -> int:
        return len(self.apps)


async def side(stack: contextlib.AsyncExitStack, size: int) -> Side:
    deployment = stack.enter_context(fresh(free_port()))
    assert deployment.data is not None
    known = json.loads((deployment.data / "secrets.json").read_text())
    port = json.loads((deployment.data / "ports.json").read_text())["nats"]
    buses: list[NatsBus] = []
    for user in ("gateway", nats_access.CLI):
        nc = await nats.connect(
            f"nats://127.0.0.1:{port}",
            user=user,
            password=known["nats"][user],
            inbox_prefix=nats_access.inbox(user).encode(),
        )
        stack.push_async_callback(nc.close)
        buses.append(NatsBus(nc))
    made = Side(deployment, *buses)
    for _ in track(range(size), description=f"{size} applications"):
        made.apps.append(await create(made))
    for app in random.sample(made.apps, min(size, SIGNED_IN)):
        made.sessions.append(await sign_in(made, app))
    return made


async def create(one: Side) -> NewApplication:
    """One application, complete: roles, signing keys, API keys."""
    ctx = system_context(DASHBOARD, within=30)
    slug = f"bench-{secrets.token_hex(4)}"
    return await one.system.call(ctx, EnsureApplication(slug=slug, name="Bench"))


async def sign_in(one: Side, app: NewApplication) -> tuple[str, str, str]:
    email, password = f"{secrets.token_hex(6)}@example.com", f"correct horse {secrets.token_hex(8)}"
    ctx = system_context(app.id, within=30)
    await one.system.call(ctx, CreateUser(email=email, password=password, email_verified=True))
    request = SignInWithPassword(email=email, password=password)
    signed = await one.bus.call(context(app.id), request)
    return app.id, app.host, signed.token


def context(app_id: str) -> Context:
    return Context(app_id, deadline=time.time() + 30, trace=system_context(app_id).trace)


async def resolve(one: Side) -> None:
    await one.bus.raw(context(DASHBOARD), ResolveHost(host=random.choice(one.apps).host))


async def check(one: Side) -> None:
    app_id, _, token = random.choice(one.sessions)
    await one.bus.raw(context(app_id), CheckSession(token=token))


async def made(one: Side) -> None:
    await create(one)


async def repeated(
    work: Callable[[Side], Awaitable[None]], one: Side, times: int, at_once: int
) -> None:
    async def worker() -> None:
        for _ in range(times // at_once):
            await work(one)

    await asyncio.gather(*(worker() for _ in range(at_once)))


async def over_bus(
    work: Callable[[Side], Awaitable[None]], one: Side, times: int, at_once: int
) -> float:
    """CPU µs of the deployment for each."""
    before = cpu(one.deployment.pid)
    await repeated(work, one, times, at_once)
    await asyncio.sleep(0.2)
    return (cpu(one.deployment.pid) - before).total * 1e6 / times


async def over_http(one: Side, path: str, hosts: list[str]) -> float:
    shot = Shot(
        url=f"http://127.0.0.1:{one.deployment.port}",
        path=path,
        headers={"Host": "{t}"},
        pool=hosts,
    )
    http = Connection(one.deployment.port, "")
    for host in hosts:  # the first question for a host goes to tenancy and oidc, once a minute
        http.host = host
        await http.get(path)
    http.close()
    before = cpu(one.deployment.pid)
    seen = await asyncio.to_thread(wrk, shot, 3.0, CONNECTIONS)
    if seen.errors:
        raise RuntimeError(f"{path}: {seen.errors} errors")
    return (cpu(one.deployment.pid) - before).total * 1e6 / seen.requests


async def measured(one: Side) -> dict[str, float]:
    hosts = [app.host for app in random.sample(one.apps, min(one.size, 2000))]
    return {
        "create an application": await over_bus(made, one, CREATED, 2),
        "resolve a host": await over_bus(resolve, one, ASKED, CONNECTIONS),
        "check a session": await over_bus(check, one, ASKED, CONNECTIONS),
        "discovery over HTTP": await over_http(one, "/.well-known/openid-configuration", hosts),
    }


async def run(sizes: list[int], rounds: int) -> dict[str, dict[int, list[float]]]:
    found: dict[str, dict[int, list[float]]] = {}
    async with contextlib.AsyncExitStack() as stack:
        sides = [(size, await side(stack, size)) for size in sizes]
        for number in range(rounds):
            for size, one in sides:
                for name, value in (await measured(one)).items():
                    found.setdefault(name, {}).setdefault(size, []).append(value)
                print(f"  round {number + 1}, {size} applications", file=sys.stderr)
    return found


def table(found: dict[str, dict[int, list[float]]], sizes: list[int]) -> str:
    lines = [
        "| CPU µs each | " + " | ".join(f"{size:,} applications" for size in sizes) + " | ratio |"
    ]
    lines.append("|---|" + "---:|" * (len(sizes) + 1))
    for name, by_size in found.items():
        medians = [statistics.median(by_size[size]) for size in sizes]
        cells = " | ".join(f"{value:,.0f}" for value in medians)
        lines.append(f"| {name} | {cells} | {medians[-1] / medians[0]:.2f} |")
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(prog="make bench-tenants", description=__doc__)
    options.add_argument("--sizes", type=int, nargs=2, default=[10, 2000])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results/tenants.json"
    )
    asked = options.parse_args()
    found = asyncio.run(run(asked.sizes, asked.rounds))
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps({"speed_ms": speed(), "cpu_us": found}, indent=1))
    print(table(found, asked.sizes))


if __name__ == "__main__":
    main()
