"""A user who will be deleted first leaves their organizations."""

from __future__ import annotations

import asyncio

import pytest
from tests.kit.world import World

from common.context import SYSTEM_CALLER, Caller
from common.contracts.members import (
    ChangeMemberRole,
    LastAdmin,
    LeaveOrganizations,
    ListMembers,
    RemoveMember,
)
from common.contracts.organizations import EnsurePersonalTeam, TeamOwnsApplications
from common.problems import Problem


async def leave(
    world: World, who: Caller, *, app_id: str | None = None, forced: bool = False
) -> None:
    request = LeaveOrganizations(user_id=who.id or "", forced=forced)
    await world.call(request, SYSTEM_CALLER, app_id)


async def memberships(world: World, who: Caller) -> int:
    return int(
        await world.owner.fetchval(
            "SELECT count(*) FROM organization_members WHERE user_id = $1", who.id
        )
    )


async def test_last_admin_of_others_may_not_leave_them(world: World) -> None:
    """The error names the organizations that would lose their last admin. Those with another admin
    or without other members are not named. No organization changes."""
    ada, bob, cy = await world.user_caller(), await world.user_caller(), await world.user_caller()
    needed = await world.organization(ada, "Needed")
    led, lone = await world.organization(ada, "Led"), await world.organization(ada, "Lone")
    for org, role in ((needed, "member"), (led, "admin")):
        await world.join(org.id, bob, role)
    others = await world.organization(cy, "Others")
    await world.join(others.id, ada)
    with pytest.raises(LastAdmin) as refused:
        await leave(world, ada)

    assert refused.value.extra["organizations"] == [{"id": needed.id, "name": "Needed"}]
    assert await memberships(world, ada) == 4
    change = ChangeMemberRole(org_id=needed.id, user_id=bob.id or "", role="admin")
    await world.call(change, ada)
    world.invalidation.published.clear()
    await leave(world, ada)
    assert await memberships(world, ada) == 0
    assert (world.app_id, "rights", ada.id) in world.invalidation.published
    assert await organization_stands(world, lone.id), "it was not asked to go"
    left = [
        event
        for event in await world.event_types()
        if event in ("member_removed", "org_admin_lost")
    ]
    assert sorted(left) == ["member_removed"] * 4 + ["org_admin_lost"]


async def organization_stands(world: World, id: str) -> bool:
    return bool(await world.owner.fetchval("SELECT count(*) FROM organizations WHERE id = $1", id))


async def test_an_administrator_is_not_held_up(world: World) -> None:
    """With `force` the last admin leaves too. The log names the organization without an admin, and
    its members stay. A second call changes nothing."""
    ada, bob = await world.user_caller(), await world.user_caller()
    org = await world.organization(ada)
    await world.join(org.id, bob)
    await leave(world, ada, forced=True)
    await leave(world, ada, forced=True)
    members = await world.call(ListMembers(org_id=org.id), bob)
    lost = await world.owner.fetch(
        "SELECT event_data::text AS data, user_id::text FROM audit_logs"
        " WHERE app_id = $1 AND event_type = 'org_admin_lost'",
        world.app_id,
    )

    assert [member.user_id for member in members.members] == [bob.id]
    assert [(org.id in row["data"], row["user_id"]) for row in lost] == [(True, ada.id)]


async def test_personal_team_goes_with_its_developer(world: World) -> None:
    """A personal team is deleted with its developer, unless it has other members or applications."""
    lone, shared = await world.dashboard_user(), await world.dashboard_user()
    guest = await world.dashboard_user()
    ask = [EnsurePersonalTeam(user_id=who.id or "", name="Ada") for who in (lone, shared)]
    teams = [await world.call(asked, SYSTEM_CALLER, world.dashboard) for asked in ask]
    await world.owner.execute(
        "INSERT INTO organization_members (app_id, org_id, user_id, role_id)"
        " VALUES ($1, $2, $3, 'admin')",
        world.dashboard,
        teams[1].id,
        guest.id,
    )
    for who in (lone, shared):
        await leave(world, who, app_id=world.dashboard)

    assert [await organization_stands(world, team.id) for team in teams] == [False, True]


async def test_applications_are_not_left_to_nobody(world: World) -> None:
    """The only member of a team with applications has to transfer them first. With `force` the team
    stays."""
    dev = await world.dashboard_user()
    request = EnsurePersonalTeam(user_id=dev.id or "", name="Ada")
    team = await world.call(request, SYSTEM_CALLER, world.dashboard)
    own = "UPDATE applications SET owner_org_id = $1 WHERE id = $2"
    await world.owner.execute(own, team.id, world.app_id)
    try:
        with pytest.raises(TeamOwnsApplications) as refused:
            await leave(world, dev, app_id=world.dashboard)
        await leave(world, dev, app_id=world.dashboard, forced=True)

        assert [each["id"] for each in refused.value.extra["organizations"]] == [team.id]
        assert await organization_stands(world, team.id)
    finally:
        await world.owner.execute(own, None, world.app_id)


async def test_two_admins_who_go_at_once_leave_one(world: World) -> None:
    """If two admins leave at the same time, one of them is refused."""
    for _ in range(10):
        ada, bob, cy = (
            await world.user_caller(),
            await world.user_caller(),
            await world.user_caller(),
        )
        org = await world.organization(ada)
        await world.join(org.id, bob, "admin")
        await world.join(org.id, cy)
        outcomes = await asyncio.gather(
            leave(world, ada),
            world.call(RemoveMember(org_id=org.id, user_id=bob.id or ""), bob),
            return_exceptions=True,
        )

        assert sorted(isinstance(each, Problem) for each in outcomes) == [False, True]
        assert all(isinstance(each, LastAdmin) for each in outcomes if isinstance(each, Problem))


async def test_a_disabled_admin_holds_nobody_up_and_lets_nobody_go(world: World) -> None:
    """A disabled admin does not count as the other admin."""
    ada, bob = await world.user_caller(), await world.user_caller()
    org = await world.organization(ada)
    await world.join(org.id, bob, "admin")
    await world.owner.execute("UPDATE users SET disabled = true WHERE id = $1", bob.id)

    with pytest.raises(LastAdmin):
        await leave(world, ada)

    await world.owner.execute("UPDATE users SET disabled = false WHERE id = $1", bob.id)
    await leave(world, ada)
