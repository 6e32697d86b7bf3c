"""A team member with the role `member` cannot change its applications, through any contract."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.architecture.source import contracts
from tests.isolation.cases import case
from tests.isolation.sides import Sides

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


async def colleague(sides: Sides, role: str) -> Caller:
    """Creates another developer in the team of `home`, with the Dashboard's role for developers."""
    user = new_id()
    await sides.owner.execute("INSERT INTO users (app_id, id) VALUES ($1, $2)", DASHBOARD, user)
    await sides.owner.execute(
        "INSERT INTO organization_members (app_id, org_id, user_id, role_id)"
        " VALUES ($1, $2, $3, $4)",
        DASHBOARD,
        sides.home.team,
        user,
        role,
    )
    return replace(sides.home.developer, id=user)


async def stepped_in(sides: Sides, who: Caller) -> Caller:
    """Returns the developer as a caller in the application, as the gateway does."""
    managed = await sides.bus.call(
        context(DASHBOARD, who, within=20), ManageApplication(slug=sides.home.slug)
    )
    assert managed.tenant.app_id == sides.home.app_id
    return replace(who, kind="developer", permissions=frozenset(managed.permissions))


async def test_a_member_changes_nothing(sides: Sides) -> None:
    """Members can change nothing from the Dashboard or inside the application. Contracts without a
    permission are for the application's users: they refuse or have nothing to change."""
    before = await sides.rows(sides.home.app_id)

    for subject, contract in WRITES.items():
        member = await colleague(sides, "member")
        request = case(contract, sides.home).request
        inside = sides.ctx(sides.home, await stepped_in(sides, member))
        status = [
            await outcome(sides, ctx, request)
            for ctx in (inside, context(DASHBOARD, member, within=20))
        ]
        assert status[0] == 403 or contract.needs in (KNOWN, SIGNED_IN), (subject, status)
        assert await sides.rows(sides.home.app_id) == before, subject


async def outcome(sides: Sides, ctx: Context, request: Request[Any]) -> int:
    try:
        await sides.bus.call(ctx, request)
    except Problem as problem:
        return problem.status
    return 200


@pytest.mark.parametrize(
    ("role", "everything"), [("admin", True), ("developer", True), ("member", False)]
)
async def test_the_team_role_decides_what_is_given_inside(
    role: str, everything: bool, sides: Sides
) -> None:
    """Admins and developers get every permission in their team's application. They get none in an
    application of another team."""
    who = await colleague(sides, role)

    assert (await stepped_in(sides, who)).may("users:write") is everything
    with pytest.raises(Problem) as refused:
        await sides.bus.call(
            context(DASHBOARD, who, within=20), ManageApplication(slug=sides.away.slug)
        )
    assert refused.value.status == 404
