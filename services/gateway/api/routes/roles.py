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
OrgId = Annotated[Id | None, Query(description="Only inside this organization.")]


@router.get("/roles", summary="List roles")
async def list_(page: Annotated[Page, Query()], ctx: Acting, bus: TheBus) -> Roles:
    """By id, each with its permissions. Needs `roles:read`."""
    return await bus.call(ctx, ListRoles(**dict(page)))


@router.post("/roles", status_code=201, summary="Create a role")
async def create(new: NewRole, ctx: Acting, bus: TheBus) -> Role:
    """It may hold what you hold yourself, no more. Needs `roles:write`."""
    return await bus.call(ctx, CreateRole(**dict(new)))


@router.get("/roles/{role_id}", summary="Get a role")
async def get(role_id: RoleId, ctx: Acting, bus: TheBus) -> Role:
    """Needs `roles:read`."""
    return await bus.call(ctx, GetRole(role_id=role_id))


@router.patch("/roles/{role_id}", summary="Change a role")
@router.put("/roles/{role_id}", name="put", summary="Change a role (the same as PATCH)")
async def update(role_id: RoleId, changes: RoleChanges, ctx: Acting, bus: TheBus) -> Role:
    """What is absent stays; `permissions` replaces the whole set. System roles stay as they are.
    Needs `roles:write`, and whatever the role gains or loses."""
    return await bus.call(ctx, UpdateRole(role_id=role_id, changes=changes))


@router.delete("/roles/{role_id}", summary="Delete a role")
async def delete(role_id: RoleId, ctx: Acting, bus: TheBus) -> Done:
    """Whoever has it loses it at once. Needs `roles:write`, and what the role holds."""
    return await bus.call(ctx, DeleteRole(role_id=role_id))


@router.post("/roles/{role_id}/permissions", summary="Give a role a permission")
async def add(role_id: RoleId, body: PermissionGiven, ctx: Acting, bus: TheBus) -> Role:
    """Effective everywhere when the answer arrives. Needs `roles:write` and the permission."""
    request = AddPermission(role_id=role_id, permission_id=body.permission_id)
    return await bus.call(ctx, request)


@router.delete("/roles/{role_id}/permissions/{permission_id}", summary="Take a permission")
async def remove(role_id: RoleId, permission_id: PermissionName, ctx: Acting, bus: TheBus) -> Role:
    """Effective everywhere when the answer arrives. Needs `roles:write` and the permission."""
    return await bus.call(ctx, RemovePermission(role_id=role_id, permission_id=permission_id))


@router.get("/roles/{role_id}/users", summary="List who has a role")
async def holders(
    role_id: RoleId, page: Annotated[Page, Query()], ctx: Acting, bus: TheBus
) -> Holders:
    """The latest first. Needs `roles:read`."""
    return await bus.call(ctx, ListHolders(role_id=role_id, **dict(page)))


@router.get("/users/{user_id}/roles", summary="List a user's roles")
async def of_user(user_id: Id, ctx: Acting, bus: TheBus) -> AssignedRoles:
    """Those of the whole application and those inside organizations. Needs `roles:read`."""
    return await bus.call(ctx, ListUserRoles(user_id=user_id))


@router.post("/users/{user_id}/roles", summary="Give a user a role")
async def assign(user_id: Id, body: Assignment, ctx: Acting, bus: TheBus) -> Done:
    """Gives a role in the whole application, or in one organization that the user belongs to. Effective everywhere when
    the answer arrives. Needs `roles:write`, and what the role holds."""
    request = AssignRole(user_id=user_id, role_id=body.role_id, org_id=body.org_id)
    return await bus.call(ctx, request)


@router.delete("/users/{user_id}/roles/{role_id}", summary="Take a role from a user")
async def unassign(
    user_id: Id, role_id: RoleId, *, ctx: Acting, bus: TheBus, org_id: OrgId = None
) -> Done:
    """Effective everywhere when the answer arrives. Needs `roles:write`, and what the role holds."""
    return await bus.call(ctx, UnassignRole(user_id=user_id, role_id=role_id, org_id=org_id))


@router.get("/users/{user_id}/permissions", summary="A user's effective rights")
async def rights(user_id: Id, ctx: Acting, bus: TheBus, org_id: OrgId = None) -> Rights:
    """Roles and permissions together; with `org_id` those of the organization too. Needs
    `roles:read`."""
    return await bus.call(ctx, GetUserRights(user_id=user_id, org_id=org_id))


@router.get("/organization-roles", summary="List roles of members")
async def list_organization_roles(
    page: Annotated[Page, Query()], ctx: Acting, bus: TheBus
) -> Roles:
    """What members of organizations may be: `admin`, `member`, and your own. Needs `roles:read`."""
    return await bus.call(ctx, ListRoles(kind="organization", **dict(page)))


@router.post("/organization-roles", status_code=201, summary="Create a role of members")
async def create_organization_role(new: NewRole, ctx: Acting, bus: TheBus) -> Role:
    """It bundles permissions of your own, not built-in ones, which act on the whole application.
    Needs `roles:write`."""
    return await bus.call(ctx, CreateRole(kind="organization", **dict(new)))


@router.get("/organization-roles/{role_id}", summary="Get a role of members")
async def get_organization_role(role_id: RoleId, ctx: Acting, bus: TheBus) -> Role:
    """Needs `roles:read`."""
    return await bus.call(ctx, GetRole(role_id=role_id, kind="organization"))


@router.patch("/organization-roles/{role_id}", summary="Change a role of members")
async def update_organization_role(
    role_id: RoleId, changes: RoleChanges, ctx: Acting, bus: TheBus
) -> Role:
    """Of `admin` and `member` only the permissions. Needs `roles:write`."""
    request = UpdateRole(role_id=role_id, changes=changes, kind="organization")
    return await bus.call(ctx, request)


@router.delete("/organization-roles/{role_id}", summary="Delete a role of members")
async def delete_organization_role(role_id: RoleId, ctx: Acting, bus: TheBus) -> Done:
    """Not while a member has it. Needs `roles:write`."""
    return await bus.call(ctx, DeleteRole(role_id=role_id, kind="organization"))


routes = RouteSet(router=router, in_applications=True)
