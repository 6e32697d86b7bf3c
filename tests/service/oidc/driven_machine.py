"""Runs a state machine of Hypothesis against the services, with an event loop and a world of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from tests.kit.postgres import Postgres
from tests.kit.world import World
from tests.service.oidc.conftest import start_world


@contextmanager
def driven(
    machine: Any, postgres: Postgres, prepare: Callable[[World], Awaitable[Any]] | None = None
) -> Iterator[World]:
    """Gives the machine a world, and a way to run coroutines from its rules, which are no coroutines."""
    name = postgres.clone()
    with asyncio.Runner() as runner:
        world = runner.run(start_world(postgres.dsns(name)))
        if prepare is not None:
            runner.run(_prepared(world, prepare))
        machine.world, machine.run = world, staticmethod(runner.run)
        yield world
        runner.run(world.close())
    postgres.drop(name)


async def _prepared(world: World, prepare: Callable[[World], Awaitable[Any]]) -> None:
    await prepare(world)


def explore(machine: type[RuleBasedStateMachine], *, examples: int, steps: int) -> None:
    """Tries random orders of the machine's rules, the same ones each time."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
