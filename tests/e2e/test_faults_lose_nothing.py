"""A process dies under load: nothing that was acknowledged is lost, and its event is on the stream
once.
"""

from __future__ import annotations

import signal

import pytest
from tests.kit.fault_report import FaultReport
from tests.kit.recorded_load import RecordedLoad
from tests.kit.system import System

KILL, FAST, AT_ONCE = signal.SIGKILL, signal.SIGINT, signal.SIGQUIT
"""Of PostgreSQL, SIGINT is a fast shutdown, and SIGQUIT an immediate one."""


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("victim", "number"),
    [
        pytest.param("postgres", KILL, marks=pytest.mark.fault("F11")),
        pytest.param("postgres", FAST, marks=pytest.mark.fault("F11")),
        pytest.param("postgres", AT_ONCE, marks=pytest.mark.fault("F11")),
        pytest.param("nats", KILL, marks=pytest.mark.fault("F7")),
        pytest.param("nats", signal.SIGTERM, marks=pytest.mark.fault("F7")),
        pytest.param("identity", KILL, marks=pytest.mark.fault("F2")),
    ],
)
async def test_a_death_under_load(
    fragile: System, fault: FaultReport, victim: str, number: signal.Signals
) -> None:
    """Every response is a success or a clean refusal. Each user, session and refresh token that was
    acknowledged is there, and each user and session has one event on the stream."""
    fault.watch(fragile)
    load = RecordedLoad(fragile, history=fault.history)
    async with load.running():
        fault.strike()
        fragile.deployment.kill(victim, number)
        await fault.works_again(load.kinds)

    await load.compare()
    async with fragile.bus() as nc:
        await load.compare_events(nc.jetstream())
    await fault.settle()
