"""A developer's rights on a team's applications: the lesser of Dashboard role and team role."""

from __future__ import annotations

import pytest
from tests.kit.callers import MEMBER, OPERATOR
from tests.kit.world import World

from common.context import Context
from common.contracts.applications import (
    ApplicationPatch,
    CreateApplication,
    DeleteApplication,
    GetApplication,
    ListApplications,
    TransferApplication,
    UpdateApplication,
)
from common.contracts.tenants import ManageApplication
from common.ids import DASHBOARD
from common.problems import Forbidden
from tenancy.applications import READ_PERMISSIONS


async def only_reads(world: World, ctx: Context, team: str) -> None:
    """Changes the developer's role in the team to `member`."""
    await world.owner.execute(
        "DELETE FROM organization_members WHERE app_id = $1 AND org_id = $2 AND user_id = $3",
        DASHBOARD,
        team,
        ctx.caller.id,
    )
    await world.join(team, ctx.caller, "member", DASHBOARD)


@pytest.mark.parametrize("role", ["admin", "developer"])
async def test_admins_and_developers_change_applications(world: World, role: str) -> None:
    """Both create, change, transfer and delete applications, and have every permission inside."""
    here, there = await world.team(), await world.team()
    ctx = await world.developer(here, there, role=role)

    made = await world.call(CreateApplication(name="Shop", owner_org_id=here), ctx)
    managed = await world.call(ManageApplication(slug=made.slug), ctx)
    changed = await world.call(
        UpdateApplication(slug=made.slug, changes=ApplicationPatch(name="X")), ctx
    )
    moved = await world.call(TransferApplication(slug=made.slug, owner_org_id=there), ctx)

    assert managed.permissions == ["*"]
    assert (changed.name, moved.owner_org_id) == ("X", there)
    await world.call(DeleteApplication(slug=made.slug, confirm=made.slug), ctx)


@pytest.mark.parametrize("role", ["member", "guest"])
async def test_members_read_only(world: World, role: str) -> None:
    """Members and added roles only read. A refused call changes nothing."""
    team = await world.team()
    made = await world.create_application(team)
    ctx = await world.developer(team, role=role)
    world.invalidation.published.clear()
    before = await world.event_types(app_id=made.id)

    for request in (
        CreateApplication(name="Shop"),
        CreateApplication(name="Shop", owner_org_id=team),
        UpdateApplication(slug=made.slug, changes=ApplicationPatch(name="X")),
        TransferApplication(slug=made.slug, owner_org_id=team),
        DeleteApplication(slug=made.slug, confirm=made.slug),
    ):
        with pytest.raises(Forbidden):
            await world.call(request, ctx)

    assert (
        await world.call(ManageApplication(slug=made.slug), ctx)
    ).permissions == READ_PERMISSIONS
    assert (await world.call(GetApplication(slug=made.slug), ctx)).name == made.name
    assert len((await world.call(ListApplications(), ctx)).applications) == 1
    assert await world.event_types(app_id=made.id) == before
    assert world.invalidation.published == []


async def test_the_dashboard_role_bounds_the_team_role(world: World) -> None:
    """An admin of a team changes nothing if their Dashboard role only reads."""
    team = await world.team()
    made = await world.create_application(team)
    ctx = await world.developer(team, permissions=MEMBER, role="admin")

    assert (
        await world.call(ManageApplication(slug=made.slug), ctx)
    ).permissions == READ_PERMISSIONS
    with pytest.raises(Forbidden):
        await world.call(UpdateApplication(slug=made.slug, changes=ApplicationPatch(name="X")), ctx)


async def test_nothing_is_handed_to_a_team_that_one_only_reads(world: World) -> None:
    """A transfer needs the right in both teams."""
    here, there = await world.team(), await world.team()
    made = await world.create_application(here)
    ctx = await world.developer(here, there)
    await only_reads(world, ctx, there)

    with pytest.raises(Forbidden):
        await world.call(TransferApplication(slug=made.slug, owner_org_id=there), ctx)

    assert (await world.call(GetApplication(slug=made.slug), ctx)).owner_org_id == here


async def test_a_new_application_goes_to_the_only_team_that_one_may_change(world: World) -> None:
    """A team that the developer only reads is not chosen."""
    mine, other = await world.team(), await world.team()
    ctx = await world.developer(mine, other)
    await only_reads(world, ctx, other)

    assert (await world.call(CreateApplication(name="Shop"), ctx)).owner_org_id == mine


async def test_operators_need_no_team_role(world: World) -> None:
    """An operator may change applications, even as a member who only reads."""
    team = await world.team()
    made = await world.create_application(team)
    ctx = await world.developer(team, permissions=OPERATOR, role="member")

    assert (await world.call(ManageApplication(slug=made.slug), ctx)).permissions == ["*"]
    changed = UpdateApplication(slug=made.slug, changes=ApplicationPatch(name="X"))
    assert (await world.call(changed, ctx)).name == "X"


async def test_a_role_that_is_gone_counts_no_more(world: World) -> None:
    """The gateway's data of teams may be old, so the database decides."""
    team = await world.team()
    made = await world.create_application(team)
    ctx = await world.developer(team)
    await world.owner.execute("DELETE FROM organization_members WHERE user_id = $1", ctx.caller.id)

    for request in (
        CreateApplication(name="Shop", owner_org_id=team),
        UpdateApplication(slug=made.slug, changes=ApplicationPatch(name="X")),
    ):
        with pytest.raises(Forbidden):
            await world.call(request, ctx)

    assert (
        await world.call(ManageApplication(slug=made.slug), ctx)
    ).permissions == READ_PERMISSIONS
