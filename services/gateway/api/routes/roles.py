"""Roles: what they hold, and who has them. Two namespaces with the same operations: `roles` of the
application, `organization-roles` of members of its organizations."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from common.contracts.assignments import (
    AssignedRoles,
    Assignment,
    AssignRole,
    ListUserRoles,
    UnassignRole,
)
from common.contracts.base import Done, Id, Page
from common.contracts.permissions import PermissionName
from common.contracts.rights import GetUserRights, Rights
from common.contracts.roles import (
    AddPermission,
    CreateRole,
    DeleteRole,
    GetRole,
    Holders,
    ListHolders,
    ListRoles,
    NewRole,
    PermissionGiven,
    RemovePermission,
    Role,
    RoleChanges,
    RoleId,
    Roles,
    UpdateRole,
)
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(tags=["roles"])
OrgId = Annotated[Id | None, Query(description="The organization in which the role applies.")]


@router.get("/roles", summary="List roles")
async def list_(page: Annotated[Page, Query()], ctx: Acting, bus: TheBus) -> Roles:
    """Lists the roles by id, with the permissions of each. Needs `roles:read`."""
    return await bus.call(ctx, ListRoles(**dict(page)))


@router.post("/roles", status_code=201, summary="Create a role")
async def create(new: NewRole, ctx: Acting, bus: TheBus) -> Role:
    """Creates a role. It can only get permissions that you hold yourself. Needs `roles:write`."""
    return await bus.call(ctx, CreateRole(**dict(new)))


@router.get("/roles/{role_id}", summary="Get a role")
async def get(role_id: RoleId, ctx: Acting, bus: TheBus) -> Role:
    """Returns one role with its permissions. Needs `roles:read`."""
    return await bus.call(ctx, GetRole(role_id=role_id))


@router.patch("/roles/{role_id}", summary="Update a role")
@router.put("/roles/{role_id}", name="put", summary="Update a role (same as PATCH)")
async def update(role_id: RoleId, changes: RoleChanges, ctx: Acting, bus: TheBus) -> Role:
    """Changes the fields that you send. `permissions` replaces the whole set. Built-in roles cannot
    be changed. Needs `roles:write`, and you must hold every permission that the role gains or
    loses."""
    return await bus.call(ctx, UpdateRole(role_id=role_id, changes=changes))


@router.delete("/roles/{role_id}", summary="Delete a role")
async def delete(role_id: RoleId, ctx: Acting, bus: TheBus) -> Done:
    """Deletes the role. All its users lose it at once. Needs `roles:write`, and you must hold every
    permission of the role. Users need a sign-in within the last 15 minutes."""
    return await bus.call(ctx, DeleteRole(role_id=role_id))


@router.post("/roles/{role_id}/permissions", summary="Add a permission to a role")
async def add(role_id: RoleId, body: PermissionGiven, ctx: Acting, bus: TheBus) -> Role:
    """Adds the permission. It is effective everywhere when this call returns. Needs `roles:write`,
    and you must hold the permission yourself."""
    request = AddPermission(role_id=role_id, permission_id=body.permission_id)
    return await bus.call(ctx, request)


@router.delete(
    "/roles/{role_id}/permissions/{permission_id}", summary="Remove a permission from a role"
)
async def remove(role_id: RoleId, permission_id: PermissionName, ctx: Acting, bus: TheBus) -> Role:
    """Removes the permission. This is effective everywhere when this call returns. Needs
    `roles:write`, and you must hold the permission yourself."""
    return await bus.call(ctx, RemovePermission(role_id=role_id, permission_id=permission_id))


@router.get("/roles/{role_id}/users", summary="List users with a role")
async def holders(
    role_id: RoleId, page: Annotated[Page, Query()], ctx: Acting, bus: TheBus
) -> Holders:
    """Lists the users who have the role. The latest assignment comes first. Needs `roles:read`."""
    return await bus.call(ctx, ListHolders(role_id=role_id, **dict(page)))


@router.get("/users/{user_id}/roles", summary="List roles of a user")
async def of_user(user_id: Id, ctx: Acting, bus: TheBus) -> AssignedRoles:
    """Lists the roles that the user has in the whole application and in organizations. Needs
    `roles:read`."""
    return await bus.call(ctx, ListUserRoles(user_id=user_id))


@router.post("/users/{user_id}/roles", summary="Assign a role to a user")
async def assign(user_id: Id, body: Assignment, ctx: Acting, bus: TheBus) -> Done:
    """Assigns a role in the whole application, or in one organization that the user belongs to. It
    is effective everywhere when this call returns. Needs `roles:write`, and you must hold every
    permission of the role."""
    request = AssignRole(user_id=user_id, role_id=body.role_id, org_id=body.org_id)
    return await bus.call(ctx, request)


@router.delete("/users/{user_id}/roles/{role_id}", summary="Remove a role from a user")
async def unassign(
    user_id: Id, role_id: RoleId, *, ctx: Acting, bus: TheBus, org_id: OrgId = None
) -> Done:
    """Removes the role. This is effective everywhere when this call returns. Needs `roles:write`,
    and you must hold every permission of the role."""
    return await bus.call(ctx, UnassignRole(user_id=user_id, role_id=role_id, org_id=org_id))


@router.get("/users/{user_id}/permissions", summary="Get permissions of a user")
async def rights(user_id: Id, ctx: Acting, bus: TheBus, org_id: OrgId = None) -> Rights:
    """Returns all roles and permissions of the user. With `org_id`, includes those from the
    organization. Needs `roles:read`."""
    return await bus.call(ctx, GetUserRights(user_id=user_id, org_id=org_id))


@router.get("/organization-roles", summary="List organization roles")
async def list_organization_roles(
    page: Annotated[Page, Query()], ctx: Acting, bus: TheBus
) -> Roles:
    """Lists the roles that members of organizations can have: `admin`, `member` and your own. Needs
    `roles:read`."""
    return await bus.call(ctx, ListRoles(kind="organization", **dict(page)))


@router.post("/organization-roles", status_code=201, summary="Create an organization role")
async def create_organization_role(new: NewRole, ctx: Acting, bus: TheBus) -> Role:
    """Creates a role for members of organizations. It can only have your own permissions. Built-in
    permissions apply to the whole application and are refused. Needs `roles:write`."""
    return await bus.call(ctx, CreateRole(kind="organization", **dict(new)))


@router.get("/organization-roles/{role_id}", summary="Get an organization role")
async def get_organization_role(role_id: RoleId, ctx: Acting, bus: TheBus) -> Role:
    """Returns one organization role with its permissions. Needs `roles:read`."""
    return await bus.call(ctx, GetRole(role_id=role_id, kind="organization"))


@router.patch("/organization-roles/{role_id}", summary="Update an organization role")
async def update_organization_role(
    role_id: RoleId, changes: RoleChanges, ctx: Acting, bus: TheBus
) -> Role:
    """Changes the fields that you send. Of the roles `admin` and `member` you can only change the
    permissions. Needs `roles:write`."""
    request = UpdateRole(role_id=role_id, changes=changes, kind="organization")
    return await bus.call(ctx, request)


@router.delete("/organization-roles/{role_id}", summary="Delete an organization role")
async def delete_organization_role(role_id: RoleId, ctx: Acting, bus: TheBus) -> Done:
    """Deletes the role. Answers 409 `role_in_use` while a member has it. Needs `roles:write`.
    Users need a sign-in within the last 15 minutes."""
    return await bus.call(ctx, DeleteRole(role_id=role_id, kind="organization"))


routes = RouteSet(router=router, in_applications=True)
