"""No sequence of grants gives a user more than the grantors had."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kit.world import World

from common.contracts.assignments import AssignRole, UnassignRole
from common.contracts.base import Request
from common.contracts.roles import AddPermission, CreateRole, LastHolder, RoleChanges, UpdateRole
from common.problems import Problem

PERMISSIONS = ["roles:write", "roles:read", "users:read", "users:write", "users:delete"]
ROLES = ["r0", "r1", "r2", "admin"]
N = 3
"""The number of users."""

Action = tuple[str, int, int, str, frozenset[str]]
actions = st.lists(
    st.tuples(
        st.sampled_from(["assign", "add", "set", "create", "unassign"]),
        st.integers(0, N - 1),  # who tries
        st.integers(0, N - 1),  # for whom
        st.sampled_from(ROLES),
        st.frozensets(st.sampled_from(PERMISSIONS), max_size=3),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(
    initial=st.lists(
        st.frozensets(st.sampled_from(PERMISSIONS), max_size=3), min_size=N, max_size=N
    ),
    tried=actions,
)
async def test_a_caller_cannot_grant_what_they_do_not_hold(
    stage: World, initial: list[frozenset[str]], tried: list[Action]
) -> None:
    """In any sequence of grants by users, nobody gets a permission that the grantor did not hold."""
    world, app_id = stage, await stage.application()
    users = [await world.insert_user(app_id) for _ in range(N)]
    for n, (user, permissions) in enumerate(zip(users, initial, strict=True)):
        given = sorted(permissions | {"roles:write"}) if n == 0 else sorted(permissions)
        await world.call(CreateRole(name=f"r{n}", permissions=given), app_id=app_id)
        await world.assign_role(user, f"r{n}", app_id)
    held = [set((await world.rights(user, app_id)).permissions) for user in users]
    ceiling = set().union(*held)
    for count, action in enumerate(tried):
        before = await _all(world, app_id, users)
        who = action[1]
        try:
            await world.call(
                _request(action, users, count), await world.caller_of(users[who], app_id), app_id
            )
        except Problem:
            assert await _all(world, app_id, users) == before
            continue
        after = await _all(world, app_id, users)
        for old, new in zip(before, after, strict=True):
            assert new - old <= before[who], f"{action} gave {new - old - before[who]}"
            assert new <= ceiling


async def _all(world: World, app_id: str, users: list[str]) -> list[set[str]]:
    return [set((await world.rights(user, app_id)).permissions) for user in users]


def _request(action: Action, users: list[str], count: int) -> Request:  # type: ignore[type-arg]
    kind, _, whom, role, permissions = action
    if kind == "assign":
        return AssignRole(user_id=users[whom], role_id=role)
    if kind == "unassign":
        return UnassignRole(user_id=users[whom], role_id=role)
    if kind == "create":
        return CreateRole(name=f"new{count}", permissions=sorted(permissions))
    if kind == "add":
        return AddPermission(role_id=role, permission_id=min(permissions, default="audit:read"))
    return UpdateRole(role_id=role, changes=RoleChanges(permissions=sorted(permissions)))


async def test_one_operator_always_remains(world: World) -> None:
    """If two operators demote each other at the same time, one of them stays operator."""
    home = world.dashboard
    for row in await world.owner.fetch(
        "DELETE FROM user_roles WHERE app_id = $1 AND role_id = 'operator' RETURNING user_id", home
    ):
        assert row["user_id"]
    one, two = await world.insert_user(home), await world.insert_user(home)
    for user in (one, two):
        await world.assign_role(user, "operator", home)
    first, second = await world.caller_of(one, home), await world.caller_of(two, home)
    outcomes = await asyncio.gather(
        world.call(UnassignRole(user_id=two, role_id="operator"), first, home),
        world.call(UnassignRole(user_id=one, role_id="operator"), second, home),
        return_exceptions=True,
    )
    left = await world.owner.fetchval(
        "SELECT count(*) FROM user_roles WHERE app_id = $1 AND role_id = 'operator'", home
    )

    assert left == 1
    assert sum(isinstance(outcome, Problem) for outcome in outcomes) == 1
    remaining = one if isinstance(outcomes[1], Problem) else two
    with pytest.raises(LastHolder):
        await world.call(UnassignRole(user_id=remaining, role_id="operator"), app_id=home)
