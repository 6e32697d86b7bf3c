"""A mere member of a team changes nothing in its applications, whatever the contract."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.architecture.source import contracts
from tests.isolation.cases import case
from tests.isolation.world import World

from common.context import Caller, Context
from common.contracts.base import KNOWN, SIGNED_IN, SYSTEM, Request
from common.contracts.tenants import ManageApplication
from common.ids import DASHBOARD, new_id
from common.problems import Problem
from common.testing import context

WRITES = {
    subject: contract
    for subject, contract in contracts().items()
    if not contract.safe and contract.needs not in (None, SYSTEM)
}


async def colleague(world: World, role: str) -> Caller:
    """Another developer in the team of `home`, with the Dashboard's role of developers."""
    user = new_id()
    await world.owner.execute("INSERT INTO users (app_id, id) VALUES ($1, $2)", DASHBOARD, user)
    await world.owner.execute(
        "INSERT INTO organization_members (app_id, org_id, user_id, role_id)"
        " VALUES ($1, $2, $3, $4)",
        DASHBOARD,
        world.home.team,
        user,
        role,
    )
    return replace(world.home.developer, id=user)


async def stepped_in(world: World, who: Caller) -> Caller:
    """The developer in the application, as the gateway builds the caller."""
    managed = await world.bus.call(
        context(DASHBOARD, who, within=20), ManageApplication(slug=world.home.slug)
    )
    assert managed.tenant.app_id == world.home.app_id
    return replace(who, kind="developer", permissions=frozenset(managed.permissions))


async def test_a_member_changes_nothing(world: World) -> None:
    """Neither from the Dashboard nor inside. A contract without a permission of its own is for the
    application's own users, and refuses or has nothing to do."""
    before = await world.rows(world.home.app_id)

    for subject, contract in WRITES.items():
        member = await colleague(world, "member")
        request = case(contract, world.home).request
        inside = world.ctx(world.home, await stepped_in(world, member))
        status = [
            await outcome(world, ctx, request)
            for ctx in (inside, context(DASHBOARD, member, within=20))
        ]
        assert status[0] == 403 or contract.needs in (KNOWN, SIGNED_IN), (subject, status)
        assert await world.rows(world.home.app_id) == before, subject


async def outcome(world: World, ctx: Context, request: Request[Any]) -> int:
    try:
        await world.bus.call(ctx, request)
    except Problem as problem:
        return problem.status
    return 200


@pytest.mark.parametrize(
    ("role", "everything"), [("admin", True), ("developer", True), ("member", False)]
)
async def test_the_team_role_decides_what_is_given_inside(
    role: str, everything: bool, world: World
) -> None:
    """Admins and developers get every permission in their team's application, and none at all in
    that of another team."""
    who = await colleague(world, role)

    assert (await stepped_in(world, who)).may("users:write") is everything
    with pytest.raises(Problem) as refused:
        await world.bus.call(
            context(DASHBOARD, who, within=20), ManageApplication(slug=world.away.slug)
        )
    assert refused.value.status == 404
