"""Roles that an identity provider's claims give."""

from __future__ import annotations

import pytest
from tests.kit.callers import ADMIN
from tests.kit.world import World

from common.contracts.assignments import AssignRole, ListUserRoles, SetMappedRoles
from common.contracts.roles import CreateRole
from common.ids import DASHBOARD, new_id
from common.problems import NotFound

IDP, OTHER = new_id(), new_id()


async def _roles(world: World, user_id: str, app_id: str | None = None) -> dict[str, str | None]:
    rows = (await world.call(ListUserRoles(user_id=user_id), app_id=app_id)).roles
    return {row.id: row.granted_by for row in rows}


async def _set(world: World, user_id: str, *role_ids: str, idp: str = IDP) -> None:
    await world.call(SetMappedRoles(user_id=user_id, idp_id=idp, role_ids=list(role_ids)))


async def test_roles_follow_the_claims(world: World) -> None:
    """A mapped role comes and goes with the claim. Each change is an event, and a repetition is
    none."""
    user_id = await world.insert_user()
    for name in ("Staff", "Lead"):
        await world.call(CreateRole(name=name))
    await _set(world, user_id, "staff", "lead")
    assert await _roles(world, user_id) == {"staff": f"idp:{IDP}", "lead": f"idp:{IDP}"}
    world.invalidation.published.clear()
    await _set(world, user_id, "staff", "lead")
    assert world.invalidation.published == []
    await _set(world, user_id, "staff")

    assert await _roles(world, user_id) == {"staff": f"idp:{IDP}"}
    assert (world.app_id, "rights", user_id) in world.invalidation.published
    types = await world.event_types()
    assert (types.count("role_assigned"), types.count("role_unassigned")) == (2, 1)


async def test_only_its_own_roles_are_taken(world: World) -> None:
    """A provider never takes a role that an administrator or another provider gave, even if a rule
    names it. It does not own it afterwards either."""
    user_id = await world.insert_user()
    for name in ("Manual", "Other", "Mine"):
        await world.call(CreateRole(name=name))
    await world.call(AssignRole(user_id=user_id, role_id="manual"), ADMIN)
    await _set(world, user_id, "other", idp=OTHER)
    await _set(world, user_id, "manual", "mine")
    await _set(world, user_id)

    assert await _roles(world, user_id) == {"manual": ADMIN.id, "other": f"idp:{OTHER}"}


async def test_unknown_roles_and_users(world: World) -> None:
    """A role that does not exist here is left out. A user of another application is not found."""
    user_id = await world.insert_user()
    foreign = await world.insert_user(world.other_app_id)
    await world.call(CreateRole(name="Theirs"), app_id=world.other_app_id)
    await world.call(CreateRole(name="Ours"))
    await _set(world, user_id, "nothing", "theirs")

    assert await _roles(world, user_id) == {}
    with pytest.raises(NotFound):
        await _set(world, foreign, "ours")


async def test_the_last_operator_stays(world: World) -> None:
    """A mapping takes the role of operators from everybody except the last one."""
    users = [await world.insert_user(DASHBOARD) for _ in range(2)]
    await world.owner.execute(
        "DELETE FROM user_roles WHERE app_id = $1 AND role_id = 'operator'", DASHBOARD
    )
    for user_id in users:
        request = SetMappedRoles(user_id=user_id, idp_id=IDP, role_ids=["operator"])
        await world.call(request, app_id=DASHBOARD)
    for user_id in users:
        await world.call(SetMappedRoles(user_id=user_id, idp_id=IDP), app_id=DASHBOARD)

    assert [list(await _roles(world, user_id, DASHBOARD)) for user_id in users] == [
        [],
        ["operator"],
    ]
