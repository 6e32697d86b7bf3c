"""How `aero2 up` starts its services."""

from __future__ import annotations

import os

import psutil
import pytest
from tests.kit.instance import Instance

from aero2.fork_server import ForkServer
from aero2.nats_access import SERVICES

pytestmark = pytest.mark.timeout(240)


@pytest.mark.skipif(not ForkServer.is_supported(), reason="needs Linux")
def test_services_are_forked_from_one_process(shared: Instance) -> None:
    """One interpreter imports the code of all services, and each has its own name. The password of a
    service is in no environment that others could read."""
    summary = shared.ready()
    children = shared.children()
    processes = [psutil.Process(children[name]) for name in SERVICES]
    parents = {process.ppid() for process in processes}

    assert summary
    assert len(parents) == 1
    assert parents.isdisjoint({os.getpid(), *children.values()})
    assert [process.name() for process in processes] == list(SERVICES)
    assert not [name for name in processes[0].environ() if name.startswith("AERO2_")]
