"""A state machine over all steps of signing in, in any order, in several tabs and by several users.

Whatever happens in between, no sign-in becomes a session without each factor that the application asks
this user for. The rules are in `gate_machine.model`; the steps are in the modules beside it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.kit.postgres import Postgres

from common.hash_pool import FairPool

from .conftest import start_world
from .gate_machine.guests import GuestSteps
from .gate_machine.passwords import PasswordSteps
from .gate_machine.steps import PausingHashing, QuickHasher
from .provider_stand_in import ProviderStandIn

WAYS = (
    "password: full",
    "password: mfa_required",
    "password: mfa_setup_required",
    "second factor: full",
    "enrolment: full",
    "passkey: full",
    "acme: full",
    "trusted: full",
    "company: full",
    "reset: full",
    "code: full",
    "upgrade by address: full",
    "upgrade by provider: full",
    "upgrade by passkey: full",
    "password beside a guest: full",
    "second factor, passkey: full",
)
"""What many examples reach. A machine that reaches none of it would show nothing."""


PHASES = [Phase.generate, Phase.shrink]


class GateMachine(PasswordSteps, GuestSteps):
    """All steps together."""


@pytest.fixture
def running(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Drives the machine synchronously, with its own event loop and world. Passwords are hashed at no
    cost."""
    name, pool = postgres.clone(), FairPool(per_app=200, total=1000)
    hashing = PausingHashing(pool, QuickHasher())  # type: ignore[arg-type]
    with asyncio.Runner() as runner:
        world = runner.run(start_world(postgres.dsns(name), hashing=hashing))
        GateMachine.world, GateMachine.hashing = world, hashing
        GateMachine.provider = ProviderStandIn(world)
        GateMachine.provider.install(monkeypatch)
        GateMachine.run = staticmethod(runner.run)  # type: ignore[assignment]
        GateMachine.reached = Counter()
        yield
        runner.run(world.close())
    pool.close()
    postgres.drop(name)


def _explore(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        GateMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(300)
def test_no_order_of_steps_avoids_the_gate(running: None) -> None:
    """Random orders of all steps. A few examples, for every day."""
    _explore(15, 40)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_no_order_of_many_steps_avoids_the_gate(running: None) -> None:
    """The same with many examples, which reach every way in."""
    _explore(250, 80)
    assert [way for way in WAYS if not GateMachine.reached[way]] == []
