"""The roles and permissions of a new application."""

from __future__ import annotations

import pytest
from tests.kit.world import World

from common.contracts.assignments import AssignDefaultRole
from common.contracts.roles import SeedRoles
from common.problems import Conflict
from rbac import role_templates

LEGACY = {
    "clients:read", "clients:write", "clients:delete",
    "users:read", "users:write", "users:delete",
    "idps:read", "idps:write", "idps:delete",
    "roles:read", "roles:write",
}  # fmt: skip
BEYOND = {
    "audit:read", "organizations:read", "organizations:write", "webhooks:read", "webhooks:write",
    "idps:tokens", "users:impersonate", "authz:evaluate",
}  # fmt: skip
DEVELOPER = {
    "apps:create", "apps:read", "apps:write", "apps:delete", "apps:transfer",
    "teams:read", "teams:write", "profile:read", "profile:write", "users:read",
}  # fmt: skip
PLATFORM = {
    "platform:manage", "developers:read", "developers:write", "apps:read:all", "apps:write:all",
}  # fmt: skip


async def held(world: World, app_id: str, role_id: str) -> set[str]:
    user = await world.insert_user(app_id)
    await world.assign_role(user, role_id, app_id)
    return set((await world.rights(user, app_id)).permissions)


async def test_roles_of_the_dashboard(world: World) -> None:
    """On the Dashboard `operator` has everything, `developer` ten permissions, `member` the profile
    and reading."""
    home = world.dashboard

    assert await held(world, home, "operator") == DEVELOPER | PLATFORM | LEGACY | BEYOND
    assert await held(world, home, "developer") == DEVELOPER
    assert await held(world, home, "member") == {
        "profile:read", "profile:write", "apps:read", "teams:read",
    }  # fmt: skip


async def test_application_roles_hold_the_template(world: World) -> None:
    """In an application `admin` has every permission and `user` has none."""
    assert await held(world, world.app_id, "admin") == LEGACY | BEYOND
    assert await held(world, world.app_id, "user") == set()


async def test_permission_is_split_at_the_first_colon(world: World) -> None:
    """apps:read:all is the action read:all on the resource apps."""
    row = await world.owner.fetchrow(
        "SELECT resource, action FROM permissions WHERE app_id = $1 AND id = 'apps:read:all'",
        world.dashboard,
    )
    assert row is not None

    assert tuple(row) == ("apps", "read:all")


async def test_seeding_twice_changes_nothing(world: World) -> None:
    """A second call adds no row and deletes none."""

    async def rows() -> list[object]:
        return [
            await world.owner.fetchval(f"SELECT count(*) FROM {table}")
            for table in ("roles", "permissions", "role_permissions", "organization_roles")
        ]

    before = await rows()
    await world.call(SeedRoles(template="application"))
    await world.call(SeedRoles(template="dashboard"), app_id=world.dashboard)

    assert await rows() == before


async def test_dashboard_template_stays_in_the_dashboard(world: World) -> None:
    """No application has the role `operator`, and the Dashboard has no `admin`."""
    with pytest.raises(Conflict):
        await world.call(SeedRoles(template="dashboard"))
    with pytest.raises(Conflict):
        await world.call(SeedRoles(template="application"), app_id=world.dashboard)


@pytest.mark.parametrize(
    ("where", "operator", "role"),
    [
        ("dashboard", False, "developer"),
        ("dashboard", True, "operator"),
        ("app_id", False, "user"),
        ("app_id", True, "admin"),
    ],
)
async def test_new_user_gets_the_initial_role(
    world: World, where: str, operator: bool, role: str
) -> None:
    """The user with the bootstrap address gets the full role, and every other user the default one,
    once."""
    app_id = getattr(world, where)
    user = await world.insert_user(app_id)
    for _ in range(2):
        await world.call(AssignDefaultRole(user_id=user, operator=operator), app_id=app_id)

    assert (await world.rights(user, app_id)).roles == [role]
    assert [kind for kind, _ in await world.events(app_id, user)] == ["role_assigned"]


async def test_default_role_does_not_undo_a_demotion(world: World) -> None:
    """A developer who became a member stays one at their next sign-in."""
    user = await world.insert_user(world.dashboard)
    await world.assign_role(user, "member", world.dashboard)
    await world.call(AssignDefaultRole(user_id=user), app_id=world.dashboard)

    assert (await world.rights(user, world.dashboard)).roles == ["member"]


def test_every_mapping_names_a_permission_of_its_template() -> None:
    """Every permission of a template's role is in the template."""
    for template in role_templates.TEMPLATES.values():
        for role in template.roles:
            assert set(role.permissions) <= set(template.permissions)
