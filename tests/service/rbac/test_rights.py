"""Effective rights of a user."""

from __future__ import annotations

from typing import Any

import pytest
from tests.kit.world import World

from common.contracts.assignments import AssignRole, ListUserRoles, UnassignRole
from common.contracts.rights import GetUserRights
from common.contracts.roles import RoleNotFound
from common.contracts.users import UserNotFound
from common.ids import new_id
from common.problems import NotFound


async def test_same_ids_in_two_applications_do_not_mix(world: World) -> None:
    """An admin of application A has no rights in B, even with the same user id."""
    user = await world.insert_user(world.app_id)
    await world.owner.execute(
        "INSERT INTO users (app_id, id) VALUES ($1, $2)", world.other_app_id, user
    )
    await world.assign_role(user, "admin", world.app_id)

    assert (await world.rights(user, world.other_app_id)).permissions == []
    assert (await world.rights(user, world.other_app_id)).roles == []


async def test_teams_are_the_organizations_of_a_dashboard_user(world: World) -> None:
    """Teams are listed on the Dashboard only."""
    developer, user = (
        await world.insert_user(world.dashboard),
        await world.insert_user(world.app_id),
    )
    team = await world.insert_organization(world.dashboard, **{developer: "admin"})
    await world.insert_organization(world.app_id, **{user: "admin"})

    assert (await world.rights(developer, world.dashboard)).teams == [team]
    assert (await world.rights(user, world.app_id)).teams == []


async def test_organization_counts_only_for_its_members(world: World) -> None:
    """An organization without the user gives no role and is not named."""
    inside, outside = await world.insert_user(world.app_id), await world.insert_user(world.app_id)
    org = await world.insert_organization(world.app_id, **{inside: "admin"})

    assert (await world.rights(inside, org_id=org)).org_role == "admin"
    assert (await world.rights(outside, org_id=org)).org_role is None
    assert (await world.rights(outside, org_id=org)).org_id is None


async def test_builtin_permissions_never_come_from_an_organization(world: World) -> None:
    """The role `admin` of an organization gives no permission in the application."""
    user = await world.insert_user(world.app_id)
    org = await world.insert_organization(world.app_id, **{user: "member"})
    await world.call(AssignRole(user_id=user, role_id="admin", org_id=org))

    assert (await world.rights(user, org_id=org)).permissions == []


async def test_role_for_an_organization_needs_membership(world: World) -> None:
    """A role inside an organization needs membership and ends with it."""
    user, stranger = await world.insert_user(world.app_id), await world.insert_user(world.app_id)
    org = await world.insert_organization(world.app_id, **{user: "member"})
    with pytest.raises(NotFound):
        await world.call(AssignRole(user_id=stranger, role_id="user", org_id=org))
    await world.call(AssignRole(user_id=user, role_id="user", org_id=org))
    await world.owner.execute("DELETE FROM organization_members WHERE user_id = $1", user)

    assert (
        await world.owner.fetchval("SELECT count(*) FROM user_roles WHERE user_id = $1", user) == 0
    )


async def test_change_is_announced_for_the_user(world: World) -> None:
    """Assigning and removing a role each send an invalidation for the user."""
    user = await world.insert_user(world.app_id)
    world.invalidation.published.clear()
    await world.call(AssignRole(user_id=user, role_id="admin"))
    await world.call(UnassignRole(user_id=user, role_id="admin"))

    assert world.invalidation.published == [(world.app_id, "rights", user)] * 2


async def test_unknown_role_or_user_is_not_found(world: World) -> None:
    """An unknown role and a user of another application cannot be assigned."""
    user, other = await world.insert_user(world.app_id), await world.insert_user(world.other_app_id)
    with pytest.raises(RoleNotFound):
        await world.call(AssignRole(user_id=user, role_id="nope"))
    with pytest.raises(NotFound):
        await world.call(AssignRole(user_id=other, role_id="admin"))
    with pytest.raises(RoleNotFound):
        await world.call(UnassignRole(user_id=user, role_id="admin"))


@pytest.mark.parametrize("ask", [ListUserRoles, GetUserRights])
async def test_unknown_users_are_not_found(world: World, ask: Any) -> None:
    """A user of another application is not found. A user without roles has an empty answer."""
    for user in (new_id(), await world.insert_user(world.other_app_id)):
        with pytest.raises(UserNotFound):
            await world.call(ask(user_id=user))

    assert (await world.call(ask(user_id=await world.insert_user(world.app_id)))).roles == []
