"""oidc dies between the use of a code or a refresh token and its answer. And many who refresh at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.kit.fault_report import FaultReport
from tests.kit.history import ABSENT, Act
from tests.kit.stand_ins import Crash
from tests.kit.world import World

from common.contracts.oauth_errors import InvalidGrant
from oidc import token_response


async def crash(*_: Any, **__: Any) -> None:
    raise Crash


LIVING = """
SELECT count(*) FROM refresh_tokens r JOIN token_families f ON (f.app_id, f.id) = (r.app_id, r.family_id)
WHERE r.used_at IS NULL AND f.revoked_at IS NULL
"""


@pytest.mark.fault("F3")
async def test_a_code_whose_answer_is_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code is used up. The client that tries again is refused, and no token of the code is alive."""
    client, ann = await world.client(), await world.person()
    code = await world.code(client, ann)
    with monkeypatch.context() as patch:
        patch.setattr(token_response, "for_grant", crash)
        with pytest.raises(Crash):
            await world.redeem(client, code)
    assert await world.owner.fetchval(LIVING) == 1, "nobody was given it"
    with pytest.raises(InvalidGrant):
        await world.redeem(client, code)

    assert await world.owner.fetchval(LIVING) == 0
    assert (await world.tokens(client, ann)).refresh_token, "the user signs in again"


@pytest.mark.fault("F3")
async def test_a_refresh_whose_answer_is_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client that tries again gets the successor that was stored. It is not signed out."""
    client, ann = await world.client(), await world.person()
    first = await world.tokens(client, ann)
    with monkeypatch.context() as patch:
        patch.setattr(token_response, "for_grant", crash)
        with pytest.raises(Crash):
            await world.refresh(client, first.refresh_token)
    second = await world.refresh(client, first.refresh_token)

    assert (await world.refresh(client, second.refresh_token)).access_token
    assert await world.owner.fetchval("SELECT count(*) FROM refresh_tokens") == 3


@pytest.mark.fault("F26")
@pytest.mark.long
@pytest.mark.parametrize("tabs", [2, 10, 50])
async def test_tabs_that_refresh_at_once(world: World, fault: FaultReport, tabs: int) -> None:
    """Many tabs refresh with one token at two replicas, in rounds. In each round all get one successor, and
    nobody is signed out."""
    client, ann = await world.client(), await world.person()
    token = (await world.tokens(client, ann)).refresh_token
    for _ in range(100 // tabs):
        buses = (world.bus, world.replica.bus)
        taken = [
            fault.history.invoke("refreshes", Act.TAKE, token or "", ABSENT) for _ in range(tabs)
        ]
        answers = await asyncio.gather(
            *(world.refresh(client, token, bus=buses[number % 2]) for number in range(tabs))
        )
        for operation, answer in zip(taken, answers, strict=True):
            operation.ok(answer.refresh_token)
        assert len({answer.refresh_token for answer in answers}) == 1
        token = answers[0].refresh_token

    rows = await world.owner.fetchval("SELECT count(*) FROM refresh_tokens")
    assert rows == 1 + 100 // tabs, "one rotation in each round"
    await fault.settle()
