"""The standby of PostgreSQL takes over: after a crash, while the old primary stands still, and without what
was acknowledged last."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator

import asyncpg
import pytest
from tests.faults.conftest import Platform
from tests.kit.fault_report import FaultReport
from tests.kit.history import ViolationKind
from tests.kit.recorded_load import KINDS, RecordedLoad, Refused

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture
async def pair(platform: Platform) -> AsyncIterator[Platform]:
    """The platform, whose standby the test promotes. It gets a new one afterwards."""
    yield platform
    await asyncio.to_thread(platform.postgres.renew)


@pytest.mark.fault("F12")
async def test_the_primary_crashes(pair: Platform, fault: FaultReport) -> None:
    """No user, session, refresh or sign-out that was acknowledged is lost."""
    fault.watch(pair.system)
    load = RecordedLoad(pair.system, kinds=(*KINDS, "sign-outs"), history=fault.history)
    async with load.running():
        fault.strike()
        await asyncio.to_thread(pair.postgres.primary.kill)
        await pair.fail_over()
        await fault.works_again(load.kinds)
    await load.compare()
    await fault.settle()


@pytest.mark.fault("F12")
async def test_the_primary_stands_still_and_comes_back(pair: Platform, fault: FaultReport) -> None:
    """The old primary goes on after the failover, and believes that it is one. It acknowledges no write, because
    its standby is gone. Nothing is lost."""
    fault.watch(pair.system)
    load = RecordedLoad(pair.system, kinds=(*KINDS, "sign-outs"), history=fault.history)
    old = pair.postgres.primary
    async with load.running():
        fault.strike()
        stopped = await asyncio.to_thread(old.suspend)
        await pair.fail_over()
        await fault.works_again(load.kinds)
        for process in stopped:
            process.resume()
        db = await asyncpg.connect(old.dsn("owner", pair.database))
        write = asyncio.create_task(db.execute("CREATE TABLE of_the_old_primary ()"))
        await fault.works_again(load.kinds)
        assert not write.done()
        db.terminate()
        await asyncio.gather(write, return_exceptions=True)
    await load.compare()
    await fault.settle()


@pytest.mark.fault("F13")
async def test_a_standby_that_lags_is_promoted(pair: Platform) -> None:
    """Sessions that were ended after the standby fell behind are alive again, and the checker says so. After
    `aero2 archive recovered`, as the manual tells to run, every session and token is dead."""
    load = RecordedLoad(pair.system)
    async with load.running():
        pass  # sessions and tokens of which the standby knows
    await asyncio.to_thread(pair.postgres.lag)
    for session, cookies in load.sessions:
        await load.sign_out(session, cookies)
    rotated = list(load.tokens)
    for client in range(load.workers):
        await load.refresh(client)
    await asyncio.to_thread(pair.postgres.primary.kill)
    await pair.fail_over()
    load.tokens = rotated
    await _until_it_works(load)
    with pytest.raises(AssertionError, match="violations"):
        await load.compare()
    found = {violation.rule for violation in load.history.violations()}
    assert found == {ViolationKind.REVIVED}

    await asyncio.to_thread(_end_everything, pair)
    for _, cookies in load.sessions:
        async with pair.system.http("demo", cookies=cookies) as http:
            assert (await http.get("/api/auth/session")).status_code == 401
    for client in range(load.workers):
        with pytest.raises(Refused, match="400"):
            await load.refresh(client)


async def _until_it_works(load: RecordedLoad) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await load.ask("lists", "/api/users")(0)
            except Refused:
                await asyncio.sleep(0.1)
            else:
                return


def _end_everything(platform: Platform) -> None:
    """Stops the services, ends what was issued before, and starts them again."""
    platform.services.pause()
    done = subprocess.run(
        [sys.executable, "-m", "aero2", "archive", "recovered"],
        env=os.environ
        | {
            "AERO2_OWNER_DATABASE_URL": platform.postgres.standby.dsn("owner", platform.database),
            "AERO2_MASTER_KEY": platform.services.master_key,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    platform.services.resume()
