"""The master key is replaced as docs/operating.md says, one process after another, while clients read and write."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest
from tests.faults.conftest import Doubled
from tests.kit.fault_report import FaultReport
from tests.kit.recorded_load import KINDS, RecordedLoad
from tests.kit.service_processes import MAIL

from aero2.embedded.secrets import master_key

pytestmark = [pytest.mark.long, pytest.mark.timeout(600), pytest.mark.fault("F22")]


def set_keys(doubled: Doubled, keys: str, *names: str) -> None:
    """Processes have these master keys from their next start on."""
    for name in names:
        doubled.services.commands[name].environment["AERO2_MASTER_KEY"] = keys


async def replace_all(doubled: Doubled, load: RecordedLoad, keys: str) -> None:
    """Gives master keys to every process, one after another."""
    names = [name for name in doubled.services.commands if name != MAIL]
    set_keys(doubled, keys, *names)
    for name in names:
        await asyncio.to_thread(doubled.services.replace_and_wait, name, signal.SIGTERM)
    await load.works_again()


async def secrets(doubled: Doubled, keys: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs `aero2 secrets …` as an operator does who has no data folder."""
    own = {
        "AERO2_OWNER_DATABASE_URL": doubled.deployment.owner_dsn(),
        "AERO2_MASTER_KEY": keys,
    }
    command = [sys.executable, "-m", "aero2", "secrets", *words]
    return await asyncio.to_thread(
        subprocess.run, command, env=os.environ | own, capture_output=True, text=True, check=False
    )


async def test_the_master_key_is_replaced_under_load(doubled: Doubled, fault: FaultReport) -> None:
    """Everything opens with either key, and afterwards with the new one alone. The old one cannot be retired while
    something needs it. A process that lacks it does not start, and says which key it lacks; the other one serves on,
    and nothing is lost."""
    fault.watch(doubled)
    old, new = doubled.deployment.master_key, master_key()
    both = f"{new},{old}"
    load = RecordedLoad(doubled, workers=1, kinds=(*KINDS, "tokens"), history=fault.history)
    async with load.running():
        fault.strike()
        await replace_all(doubled, load, f"{old},{new}")
        await replace_all(doubled, load, both)
        await removed_too_early(doubled, load, old, new)

        done = await secrets(doubled, both, "rewrap")
        assert done.returncode == 0, done.stderr
        done = await secrets(doubled, both, "retire", id_of(old))
        assert done.returncode == 0, done.stderr
        await replace_all(doubled, load, new)
        await fault.works_again(load.kinds)

    assert load.wrong == []
    await load.compare()
    async with doubled.bus() as nc:
        await load.compare_events(nc.jetstream())
    await fault.settle()


async def removed_too_early(doubled: Doubled, load: RecordedLoad, old: str, new: str) -> None:
    """Nothing was wrapped again yet."""
    done = await secrets(doubled, f"{new},{old}", "retire", id_of(old))
    assert done.returncode == 1
    assert f"keys are wrapped under {id_of(old)}" in done.stderr

    services, name = doubled.services, "identity-1"
    set_keys(doubled, new, name)
    before = services.readies(name)
    services.replace(name, signal.SIGTERM)
    assert await asyncio.to_thread(services.running[name].wait, 120) == 1
    assert f"AERO2_MASTER_KEY lacks the key '{id_of(old)}'" in services.log(name)
    assert services.readies(name) == before
    await load.works_again()

    set_keys(doubled, f"{new},{old}", name)
    services.start(name)
    await asyncio.to_thread(services.wait_ready, name, before)


def id_of(key: str) -> str:
    return key.partition(":")[0]
