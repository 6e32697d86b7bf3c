"""Roles and permissions are created, changed and deleted."""

from __future__ import annotations

import pytest
from tests.kit.callers import ADMIN
from tests.kit.world import World

from common.context import Caller
from common.contracts.assignments import AssignRole, ListUserRoles, UnassignRole
from common.contracts.permissions import (
    CreatePermission,
    DeletePermission,
    GetPermission,
    ListPermissions,
    NotForOrganizations,
    PermissionNotFound,
    PermissionTaken,
    UpdatePermission,
)
from common.contracts.roles import (
    AddPermission,
    CreateRole,
    DeleteRole,
    GetRole,
    ListHolders,
    ListRoles,
    NotHeld,
    RemovePermission,
    RoleChanges,
    RoleInUse,
    RoleNotFound,
    RoleTaken,
    SystemRole,
    UpdateRole,
)
from common.problems import Forbidden, Invalid, Unauthenticated


async def test_role_gets_a_readable_id(world: World) -> None:
    """The id is made from the name, and both are unique in the application."""
    made = await world.call(CreateRole(name="Billing Clerk", permissions=["users:read"]))
    again = await world.call(CreateRole(name="Billing Clerk"), app_id=world.other_app_id)

    assert (made.id, made.permissions, again.id) == ("billing-clerk", ["users:read"], made.id)
    with pytest.raises(RoleTaken):
        await world.call(CreateRole(name="Billing clerk"))
    assert (await world.call(CreateRole(name="会計"))).id.startswith("role-")


async def test_role_of_another_application_is_not_found(world: World) -> None:
    """A role of A can be neither read, changed nor deleted in B."""
    role = await world.call(CreateRole(name="Only A"))
    for request in (
        GetRole(role_id=role.id),
        UpdateRole(role_id=role.id, changes=RoleChanges(name="x")),
        DeleteRole(role_id=role.id),
        ListHolders(role_id=role.id),
    ):
        with pytest.raises(RoleNotFound):
            await world.call(request, app_id=world.other_app_id)


async def test_permissions_of_a_role_change_its_holders_at_once(world: World) -> None:
    """A change of the role changes its holders' rights at once, and an invalidation is sent."""
    await world.call(CreatePermission(name="invoice:read"))
    role = await world.call(CreateRole(name="Clerk"))
    user = await world.insert_user(world.app_id)
    await world.assign_role(user, role.id)
    world.invalidation.published.clear()

    await world.call(AddPermission(role_id=role.id, permission_id="invoice:read"))
    assert (await world.rights(user)).permissions == ["invoice:read"]
    await world.call(RemovePermission(role_id=role.id, permission_id="invoice:read"))
    assert (await world.rights(user)).permissions == []
    assert world.invalidation.published == [(world.app_id, "rights", "*")] * 2


async def test_update_replaces_the_whole_set(world: World) -> None:
    """A patch with permissions replaces them, and one without keeps them. The log has both sets."""
    role = await world.call(CreateRole(name="R", permissions=["users:read", "roles:read"]))
    changes = RoleChanges(permissions=["users:read", "users:write"], description="new")
    changed = await world.call(UpdateRole(role_id=role.id, changes=changes))
    renamed = await world.call(UpdateRole(role_id=role.id, changes=RoleChanges(name="S")))

    assert changed.permissions == renamed.permissions == ["users:read", "users:write"]
    assert (renamed.name, renamed.description) == ("S", "new")
    logged = [data for kind, data in await world.events() if kind == "role_updated"]
    assert (logged[0]["added"], logged[0]["removed"]) == (["users:write"], ["roles:read"])


@pytest.mark.parametrize("role_id", ["admin", "user"])
async def test_system_roles_stay_as_they_are(world: World, role_id: str) -> None:
    """Not even the secret key can change or delete a system role."""
    for request in (
        UpdateRole(role_id=role_id, changes=RoleChanges(name="x")),
        AddPermission(role_id=role_id, permission_id="users:read"),
        RemovePermission(role_id=role_id, permission_id="users:read"),
        DeleteRole(role_id=role_id),
    ):
        with pytest.raises(SystemRole):
            await world.call(request, caller=ADMIN)


async def test_deleting_a_role_takes_it_from_everybody(world: World) -> None:
    """Every user with the role loses it."""
    role = await world.call(CreateRole(name="Gone", permissions=["users:read"]))
    user = await world.insert_user(world.app_id)
    await world.assign_role(user, role.id)
    await world.call(DeleteRole(role_id=role.id))

    assert (await world.rights(user)).roles == []
    with pytest.raises(RoleNotFound):
        await world.call(GetRole(role_id=role.id))


async def test_permission_names_are_resource_and_action(world: World) -> None:
    """A name needs both parts and is unique."""
    made = await world.call(CreatePermission(name="invoice:read", description="Read invoices"))

    assert (made.id, made.resource, made.action) == ("invoice:read", "invoice", "read")
    with pytest.raises(PermissionTaken):
        await world.call(CreatePermission(name="invoice:read"))
    for bad in ("invoice", ":read", "invoice:", "Invoice:Read", "a:b:c:d", "*"):
        with pytest.raises((Invalid, ValueError)):
            await world.call(CreatePermission(name=bad))


async def test_admin_holds_new_permissions_too(world: World) -> None:
    """The full role gets every new permission and loses every deleted one."""
    user = await world.insert_user(world.app_id)
    await world.assign_role(user, "admin")
    await world.call(CreatePermission(name="invoice:pay"))

    assert "invoice:pay" in (await world.rights(user)).permissions
    await world.call(DeletePermission(permission_id="invoice:pay"))
    assert "invoice:pay" not in (await world.rights(user)).permissions


async def test_builtin_permissions_stay(world: World) -> None:
    """A built-in permission cannot be changed or deleted."""
    with pytest.raises(SystemRole):
        await world.call(DeletePermission(permission_id="users:read"))
    with pytest.raises(SystemRole):
        await world.call(UpdatePermission(permission_id="users:read", description="x"))
    with pytest.raises(PermissionNotFound):
        await world.call(UpdatePermission(permission_id="no:such", description="x"))
    with pytest.raises(PermissionNotFound):
        await world.call(GetPermission(permission_id="no:such"))


async def test_unknown_permission_cannot_be_given(world: World) -> None:
    """A role cannot have a permission of another application."""
    await world.call(CreatePermission(name="invoice:read"), app_id=world.other_app_id)
    with pytest.raises(PermissionNotFound):
        await world.call(CreateRole(name="R", permissions=["invoice:read"]))


async def test_organization_roles_bundle_the_applications_own_permissions(world: World) -> None:
    """Members get the permissions of their organization's role, inside it only. Built-in
    permissions are refused."""
    await world.call(CreatePermission(name="invoice:read"))
    await world.call(CreatePermission(name="invoice:pay"))
    await world.call(
        CreateRole(name="Accountant", kind="organization", permissions=["invoice:pay"])
    )
    await world.call(
        UpdateRole(
            role_id="member", kind="organization", changes=RoleChanges(permissions=["invoice:read"])
        )
    )
    member, accountant, admin = [await world.insert_user(world.app_id) for _ in range(3)]
    org = await world.insert_organization(
        world.app_id, **{member: "member", accountant: "accountant", admin: "admin"}
    )

    assert (await world.rights(member, org_id=org)).permissions == ["invoice:read"]
    assert (await world.rights(accountant, org_id=org)).org_permissions == ["invoice:pay"]
    assert (await world.rights(admin, org_id=org)).permissions == ["invoice:pay", "invoice:read"]
    assert (await world.rights(member)).permissions == []
    with pytest.raises(NotForOrganizations):
        await world.call(
            AddPermission(role_id="accountant", permission_id="users:write", kind="organization")
        )


async def test_organization_role_in_use_stays(world: World) -> None:
    """A role that members have cannot be deleted, and neither can admin and member."""
    await world.call(CreateRole(name="Guest", kind="organization"))
    user = await world.insert_user(world.app_id)
    org = await world.insert_organization(world.app_id, **{user: "guest"})
    with pytest.raises(RoleInUse):
        await world.call(DeleteRole(role_id="guest", kind="organization"))
    with pytest.raises(SystemRole):
        await world.call(DeleteRole(role_id="member", kind="organization"))
    await world.owner.execute("DELETE FROM organization_members WHERE org_id = $1", org)
    await world.call(DeleteRole(role_id="guest", kind="organization"))

    listed = await world.call(ListRoles(kind="organization"))
    assert [role.id for role in listed.roles] == ["admin", "member"]


async def test_lists_go_on_where_they_stopped(world: World) -> None:
    """Pages of roles, permissions and holders contain each row once."""
    for n in range(5):
        await world.call(CreateRole(name=f"r{n}"))
    users = [await world.insert_user(world.app_id) for _ in range(5)]
    for user in users:
        await world.assign_role(user, "user")

    seen: list[str] = []
    cursor = None
    while True:
        page = await world.call(ListRoles(limit=3, cursor=cursor))
        seen += [role.id for role in page.roles]
        if (cursor := page.next) is None:
            break
    assert seen == sorted(["admin", "user", "r0", "r1", "r2", "r3", "r4"])

    held: list[str] = []
    while True:
        found = await world.call(ListHolders(role_id="user", limit=2, cursor=cursor))
        held += [holder.user_id for holder in found.users]
        if (cursor := found.next) is None:
            break
    assert held == users[::-1]

    first = await world.call(ListPermissions(limit=10))
    rest = await world.call(ListPermissions(limit=10, cursor=first.next))
    assert len({p.id for p in (*first.permissions, *rest.permissions)}) == 19


async def test_reading_and_writing_need_their_permission(world: World) -> None:
    """Anonymous callers get 401. A user without roles:write changes nothing."""
    user = await world.caller_of(await world.insert_user(world.app_id))
    with pytest.raises(Unauthenticated):
        await world.call(ListRoles(), caller=Caller())
    with pytest.raises(Forbidden):
        await world.call(ListRoles(), caller=user)
    with pytest.raises(Forbidden):
        await world.call(CreateRole(name="x"), caller=user)


async def test_a_caller_cannot_assign_what_they_do_not_hold(world: World) -> None:
    """With roles:write alone, nobody gives themselves, or a role, permissions that they lack."""
    await world.call(CreateRole(name="Keeper", permissions=["roles:write", "users:read"]))
    me = await world.insert_user(world.app_id)
    await world.assign_role(me, "keeper")
    keeper = await world.caller_of(me)

    for request in (
        AssignRole(user_id=me, role_id="admin"),
        CreateRole(name="Better", permissions=["users:delete"]),
        AddPermission(role_id="keeper", permission_id="users:delete"),
        UpdateRole(role_id="keeper", changes=RoleChanges(permissions=["audit:read"])),
    ):
        with pytest.raises(NotHeld):
            await world.call(request, caller=keeper)
    await world.call(CreateRole(name="Reader", permissions=["users:read"]), caller=keeper)
    await world.call(AssignRole(user_id=me, role_id="reader"), caller=keeper)
    assert (await world.rights(me)).permissions == ["roles:write", "users:read"]


async def test_a_caller_cannot_remove_what_they_do_not_hold(world: World) -> None:
    """An administrator cannot remove a role with more permissions than they have."""
    await world.call(CreateRole(name="Keeper", permissions=["roles:write"]))
    me, admin = await world.insert_user(world.app_id), await world.insert_user(world.app_id)
    await world.assign_role(me, "keeper")
    await world.assign_role(admin, "admin")
    with pytest.raises(NotHeld):
        await world.call(
            UnassignRole(user_id=admin, role_id="admin"), caller=await world.caller_of(me)
        )


async def test_rights_that_shrank_since_the_credential_was_checked_give_nothing(
    world: World,
) -> None:
    """A demoted caller with older cached rights can grant nothing."""
    me, friend = await world.insert_user(world.app_id), await world.insert_user(world.app_id)
    await world.assign_role(me, "admin")
    stale = await world.caller_of(me)
    await world.call(UnassignRole(user_id=me, role_id="admin"))
    with pytest.raises(NotHeld):
        await world.call(AssignRole(user_id=friend, role_id="admin"), caller=stale)


async def test_roles_of_a_user_say_who_gave_them(world: World) -> None:
    """Each role has its permissions, its scope, and the user who assigned it."""
    user = await world.insert_user(world.app_id)
    await world.call(AssignRole(user_id=user, role_id="admin"), caller=ADMIN)
    [role] = (await world.call(ListUserRoles(user_id=user))).roles

    assert (role.id, role.org_id, role.granted_by) == ("admin", None, ADMIN.id)
    assert "users:write" in role.permissions


async def test_the_log_names_what_differs(world: World) -> None:
    """A form sends each of its fields. The event has those that are other now, and no more."""
    role = await world.call(CreateRole(name="R", description="d"))
    same = RoleChanges(name="R", description="d")
    await world.call(UpdateRole(role_id=role.id, changes=same))
    await world.call(UpdateRole(role_id=role.id, changes=RoleChanges(name="S", description="d")))

    logged = [data["fields"] for kind, data in await world.events() if kind == "role_updated"]
    assert logged == [["name"]]
