"""The last operator stays: nobody disables, deletes or demotes them, not even together."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
from tests.kit.world import World

from common.context import SYSTEM_CALLER
from common.contracts.assignments import AssignRole, SetMappedRoles, UnassignRole
from common.contracts.base import Request
from common.contracts.roles import AddPermission, CreateRole, LastHolder, RoleChanges, UpdateRole
from common.contracts.sessions import FreshSignInNeeded
from common.contracts.users import DeleteUser, DisableUser, EnableUser
from common.ids import DASHBOARD, new_id


@pytest.fixture
async def pair(world: World) -> tuple[str, str]:
    """The only two operators."""
    await world.owner.execute(
        "DELETE FROM user_roles WHERE app_id = $1 AND role_id = 'operator'", DASHBOARD
    )
    one = await world.dashboard_user("operator")
    two = await world.dashboard_user("operator")
    return one.id or "", two.id or ""


def ends(user_id: str) -> list[Request[Any]]:
    return [
        DisableUser(user_id=user_id),
        DeleteUser(user_id=user_id),
        UnassignRole(user_id=user_id, role_id="operator"),
    ]


@pytest.mark.parametrize("which", range(3))
async def test_the_last_operator_stays(world: World, pair: tuple[str, str], which: int) -> None:
    """The first of two may go, the second may not, and nothing about them changes. A disabled operator
    does not count as one."""
    first, last = pair
    await world.call(DisableUser(user_id=first), SYSTEM_CALLER, DASHBOARD)
    before = await world.events(DASHBOARD, last)
    with pytest.raises(LastHolder):
        await world.call(ends(last)[which], SYSTEM_CALLER, DASHBOARD)

    assert await world.events(DASHBOARD, last) == before
    rights = await world.rights(last, DASHBOARD)
    assert "platform:manage" in rights.permissions
    await world.call(EnableUser(user_id=first), SYSTEM_CALLER, DASHBOARD)
    await world.call(ends(last)[which], SYSTEM_CALLER, DASHBOARD)


@pytest.mark.parametrize(("one", "two"), [(0, 0), (1, 1), (0, 2), (1, 2)])
async def test_two_operators_do_not_end_each_other(
    world: World, pair: tuple[str, str], one: int, two: int
) -> None:
    """Whatever the two do to each other at once, one of them stays."""
    first, second = pair
    outcomes = await asyncio.gather(
        world.call(ends(second)[one], SYSTEM_CALLER, DASHBOARD),
        world.call(ends(first)[two], SYSTEM_CALLER, DASHBOARD),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, LastHolder) for outcome in outcomes) == 1
    left = await world.owner.fetchval(
        "SELECT count(*) FROM user_roles r JOIN users u ON u.app_id = r.app_id AND u.id = r.user_id"
        " WHERE r.app_id = $1 AND r.role_id = 'operator' AND NOT u.disabled",
        DASHBOARD,
    )
    assert left == 1


async def test_a_provider_does_not_take_the_last_operator_away(
    world: World, pair: tuple[str, str]
) -> None:
    """A sign-in through a provider whose claims no longer give the role leaves it to the last one. Another
    operator who is disabled does not count."""
    first, last = pair
    idp_id = new_id()
    await world.owner.execute(
        "UPDATE user_roles SET granted_by = $2 WHERE app_id = $1 AND role_id = 'operator'",
        DASHBOARD,
        f"idp:{idp_id}",
    )
    await world.call(DisableUser(user_id=first), SYSTEM_CALLER, DASHBOARD)
    mapped = SetMappedRoles(user_id=last, idp_id=idp_id, role_ids=[])
    await world.call(mapped, SYSTEM_CALLER, DASHBOARD)
    assert "platform:manage" in (await world.rights(last, DASHBOARD)).permissions

    await world.call(EnableUser(user_id=first), SYSTEM_CALLER, DASHBOARD)
    await world.call(mapped, SYSTEM_CALLER, DASHBOARD)
    assert "platform:manage" not in (await world.rights(last, DASHBOARD)).permissions


async def test_a_user_with_a_role_of_that_name_is_no_operator(world: World) -> None:
    """In an application, the last user of a role `operator` may go."""
    await world.owner.execute(
        "INSERT INTO roles (app_id, id, name) VALUES ($1, 'operator', 'operator')", world.app_id
    )
    user_id = await world.insert_user()
    await world.assign_role(user_id, "operator")
    await world.call(DisableUser(user_id=user_id), SYSTEM_CALLER)
    await world.call(DeleteUser(user_id=user_id), SYSTEM_CALLER)


async def test_making_and_ending_operators_needs_a_fresh_sign_in(
    world: World, pair: tuple[str, str]
) -> None:
    """So does every role of the Dashboard with the operators' permission. An old sign-in changes nothing,
    and is enough for other roles."""
    operator = await world.caller_of(pair[0], DASHBOARD)
    old = replace(operator, proven_at=int(time.time()) - 3600)
    fresh = replace(operator, proven_at=int(time.time()))
    helper = await world.call(
        CreateRole(name="Helper", permissions=["platform:manage"]), fresh, DASHBOARD
    )
    plain = await world.call(CreateRole(name="Plain", permissions=[]), old, DASHBOARD)
    somebody = (await world.dashboard_user()).id or ""
    for call in (
        CreateRole(name="Another helper", permissions=["platform:manage"]),
        AddPermission(role_id=plain.id, permission_id="platform:manage"),
        UpdateRole(role_id=plain.id, changes=RoleChanges(permissions=["platform:manage"])),
        AssignRole(user_id=somebody, role_id="operator"),
        AssignRole(user_id=somebody, role_id=helper.id),
        UnassignRole(user_id=pair[1], role_id="operator"),
    ):
        with pytest.raises(FreshSignInNeeded):
            await world.call(call, old, DASHBOARD)
    assert "platform:manage" not in (await world.rights(somebody, DASHBOARD)).permissions
    assert "platform:manage" in (await world.rights(pair[1], DASHBOARD)).permissions
    await world.call(UnassignRole(user_id=somebody, role_id="developer"), old, DASHBOARD)
    await world.call(AssignRole(user_id=somebody, role_id="operator"), fresh, DASHBOARD)
    assert "platform:manage" in (await world.rights(somebody, DASHBOARD)).permissions
