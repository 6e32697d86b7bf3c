"""The sides of a run: our deployments, the peers and the floors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from bench.catalogue import prepare
from bench.deployment import Deployment, free_port, started_deployment
from bench.floor import sides as floors
from bench.measurement import Footprint
from bench.peer import better_auth, django_oauth_toolkit, oidc_provider
from bench.peer.hosting import Peer
from bench.processes import Cpu, cpu, memory
from bench.progress import say
from bench.rounds import Side
from bench.windows import OURS, TOGETHER

Starter = Callable[[Deployment, list[str]], contextlib.AbstractContextManager[Peer]]

PEERS: dict[str, Starter] = {
    "oidc-provider": oidc_provider.started,
    "better-auth": better_auth.started,
    "django-oauth-toolkit": django_oauth_toolkit.started,
}


@dataclass
class Sides:
    """What is running."""

    deployment: Deployment
    """Ours, with separate services. Its PostgreSQL server serves peers and floors, too."""
    all: list[Side] = field(default_factory=list)
    deployments: dict[str, Deployment] = field(default_factory=dict)

    def footprints(self) -> dict[str, Footprint]:
        """Returns start and memory at rest of our deployments."""
        return {
            name: Footprint(one.started_in, one.memory_at_rest)
            for name, one in self.deployments.items()
        }

    def memory_now(self) -> dict[str, dict[str, float]]:
        """Returns the memory of our deployments. It takes a while to read."""
        return {name: memory(one.pid) for name, one in self.deployments.items()}


@contextlib.contextmanager
def started(
    names: list[str],
    *,
    running: Deployment | None,
    together: bool,
    peers: Sequence[str],
    floor: bool,
) -> Iterator[Sides]:
    """Starts all sides and stops them at the end. `running` is a deployment to measure instead of a new
    one."""
    with contextlib.ExitStack() as stack:
        say("starting aero2")
        deployment = running or stack.enter_context(started_deployment(free_port()))
        sides = Sides(deployment)
        _add(sides, OURS, deployment, names)
        if together:
            say("starting aero2 --together")
            one = stack.enter_context(started_deployment(free_port(), "--together"))
            _add(sides, TOGETHER, one, names)
        for name in peers:
            say(f"installing and starting {name}")
            peer = stack.enter_context(PEERS[name](deployment, names))
            usage = partial(_with_postgres, peer.pid, deployment.pid)
            sides.all.append(Side(name, peer.workloads, usage, (peer.pid,)))
        if floor:
            say("starting the floors")
            sides.all += stack.enter_context(floors.started(deployment, names))
        yield sides


def _add(sides: Sides, name: str, deployment: Deployment, names: list[str]) -> None:
    sides.deployments[name] = deployment
    workloads = prepare(deployment, names)
    sides.all.append(Side(name, workloads, lambda: cpu(deployment.pid), (deployment.pid,)))


def _with_postgres(root: int, deployment: int) -> Cpu:
    """Returns the CPU of a peer: its processes, and the Postgres server that it shares with Aero2. The two
    never run at the same time."""
    return Cpu(cpu(root).services, cpu(deployment).postgres, 0.0)
