"""oidcc-codereuse-30seconds of the basic plan.

The code is redeemed before the first module of the plans (`early`), so that the other modules fill
the half minute. Run alone, this test waits.
"""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.conformance.conftest import Early, Suite

LATER = 30.0


@pytest.mark.long
async def test_oidcc_codereuse_30seconds(fresh: Suite, early: Early) -> None:
    """The second use of the code is refused, and it revokes the access token, which was valid until
    then."""
    await asyncio.sleep(max(0.0, early.redeemed + LATER - time.monotonic()))
    assert (await fresh.userinfo(early.access_token)).status_code == 200
    second = await fresh.redeem(early.code)

    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")
    assert (await fresh.userinfo(early.access_token)).status_code == 401
    assert (
        await fresh.token(grant_type="refresh_token", refresh_token=early.refresh_token)
    ).json()["error"] == "invalid_grant"
