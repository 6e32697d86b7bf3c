"""Handles roles: those of an application, and those of members of its organizations."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from common import audit, conditions, freshness, keyset
from common.context import Context
from common.contracts.base import Done
from common.contracts.permissions import NotForOrganizations, PermissionNotFound
from common.contracts.roles import (
    AddPermission,
    CreateRole,
    DeleteRole,
    GetRole,
    Holders,
    Kind,
    ListHolders,
    ListRoles,
    RemovePermission,
    Role,
    RoleChanges,
    RoleInUse,
    RoleNotFound,
    Roles,
    RoleTaken,
    SystemRole,
    UpdateRole,
)
from common.db import Db
from common.db_errors import violated_constraint
from common.events.roles import RoleCreated, RoleDeleted, RoleUpdated
from rbac import delegation_check
from rbac.deps import Deps
from rbac.queries import permissions, roles

OWN_FIELDS: Final = frozenset({"description", "name", "nats"})
"""The fields of a role that are columns of its row."""


async def list_(deps: Deps, ctx: Context, request: ListRoles) -> Roles:
    """Returns a page of roles of one kind, by id."""
    of = f"roles {request.kind}"
    (after,) = deps.cursors.read(ctx.app_id, of, request.cursor, 1)
    async with deps.db.reader(ctx) as db:
        rows = await roles.page(
            db, request.kind, app_id=ctx.app_id, after=after, limit=request.limit + 1
        )
    page, next = deps.cursors.page(ctx.app_id, of, rows, request.limit, key=lambda role: (role.id,))
    return Roles(roles=page, next=next)


async def get(deps: Deps, ctx: Context, request: GetRole) -> Role:
    """Returns the role with its permissions. Raises RoleNotFound."""
    async with deps.db.reader(ctx) as db:
        return await _role(db, ctx, request.kind, request.role_id)


async def list_holders(deps: Deps, ctx: Context, request: ListHolders) -> Holders:
    """Returns a page of the users who have a role, the latest grant first. Raises RoleNotFound."""
    of = f"holders {request.role_id}"
    before = deps.cursors.read(ctx.app_id, of, request.cursor, 3)
    async with deps.db.reader(ctx) as db:
        await _role(db, ctx, "application", request.role_id)
        rows = await roles.holders(
            db,
            app_id=ctx.app_id,
            id=request.role_id,
            before=before,
            limit=request.limit + 1,
        )
    page, next = deps.cursors.page(
        ctx.app_id,
        of,
        rows,
        request.limit,
        key=lambda holder: (holder.granted_at, holder.user_id, holder.org_id or keyset.LOWEST_ID),
    )
    return Holders(users=page, next=next)


async def create(deps: Deps, ctx: Context, request: CreateRole) -> Role:
    """Creates a role with the permissions of the request.

    Without an id in the request, the role's id follows from its name. Raises RoleTaken, NotHeld,
    PermissionNotFound, NotForOrganizations.
    """
    kind, app_id = request.kind, ctx.app_id
    id = request.id or _id_from(request.name)
    added = sorted(set(request.permissions))
    async with _transaction(deps, ctx) as tx:
        await _may_add(tx, ctx, kind, added)
        if request.nats is not None:
            await delegation_check.must_hold_everything(tx, ctx)
        await roles.insert(
            tx,
            kind,
            app_id=app_id,
            id=id,
            name=request.name,
            description=request.description,
            nats=request.nats,
        )
        await roles.add_permissions(tx, kind, app_id=app_id, id=id, permissions=added)
        await audit.record(tx, ctx, RoleCreated(role_id=id, kind=kind, permissions=added))
        return await _role(tx, ctx, kind, id)


async def update(deps: Deps, ctx: Context, request: UpdateRole) -> Role:
    """Changes the fields that the request contains.

    Raises RoleNotFound, SystemRole, NotHeld, PermissionNotFound, NotForOrganizations.
    """
    return await _change(deps, ctx, request, request.changes)


async def add_permission(deps: Deps, ctx: Context, request: AddPermission) -> Role:
    """Adds a permission. If the role has it already, nothing changes. Raises as `update`."""
    return await _change(deps, ctx, request, RoleChanges(), add={request.permission_id})


async def remove_permission(deps: Deps, ctx: Context, request: RemovePermission) -> Role:
    """Removes a permission. If the role does not have it, nothing changes. Raises as `update`."""
    return await _change(deps, ctx, request, RoleChanges(), remove={request.permission_id})


async def delete(deps: Deps, ctx: Context, request: DeleteRole) -> Done:
    """Deletes a role that nobody has. Raises RoleNotFound, SystemRole, NotHeld, RoleInUse."""
    async with _transaction(deps, ctx) as tx:
        role = await _locked_role(tx, ctx, request.kind, request.role_id)
        conditions.check(role)
        if role.is_system:
            raise SystemRole(f"{role.id} came with the application")
        await delegation_check.must_hold(tx, ctx, role.permissions)
        await roles.delete(tx, request.kind, app_id=ctx.app_id, id=role.id)
        await audit.record(tx, ctx, RoleDeleted(role_id=role.id, kind=request.kind))
    await deps.invalidation.publish(ctx, "rights")
    return Done()


async def _change(
    deps: Deps,
    ctx: Context,
    request: UpdateRole | AddPermission | RemovePermission,
    changes: RoleChanges,
    *,
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
) -> Role:
    kind, id, fields = request.kind, request.role_id, changes.model_fields_set
    async with _transaction(deps, ctx) as tx:
        role = await _locked_role(tx, ctx, kind, id)
        conditions.check(role)
        _may_change(kind, role, fields)
        before = set(role.permissions)
        after = set(changes.permissions) if "permissions" in fields else before.union(add)
        after -= set(remove)
        added, removed = sorted(after - before), sorted(before - after)
        await _may_add(tx, ctx, kind, added)
        await delegation_check.must_hold(tx, ctx, removed)
        earlier = {field: getattr(role, field) for field in OWN_FIELDS}
        later = earlier | {field: getattr(changes, field) for field in fields & OWN_FIELDS}
        differing = sorted(field for field in OWN_FIELDS if earlier[field] != later[field])
        if "nats" in differing:
            await delegation_check.must_hold_everything(tx, ctx)
        if added or removed:
            differing.append("permissions")
        if not differing:
            return role
        app_id = ctx.app_id
        await roles.update(tx, kind, app_id=app_id, id=id, **later)
        await roles.add_permissions(tx, kind, app_id=app_id, id=id, permissions=added)
        await roles.remove_permissions(tx, kind, app_id=app_id, id=id, permissions=removed)
        event = RoleUpdated(role_id=id, kind=kind, fields=differing, added=added, removed=removed)
        await audit.record(tx, ctx, event)
        changed = await _role(tx, ctx, kind, id)
    if {"nats", "permissions"}.intersection(differing):
        await deps.invalidation.publish(ctx, "rights")
    return changed


def _may_change(kind: Kind, role: Role, fields: set[str]) -> None:
    """Raises SystemRole if these fields of the role are fixed.

    The application decides what members of organizations may do, also for the built-in roles
    `admin` and `member`. Only the names of these two are fixed. NATS subjects are never built in.
    """
    if not role.is_system or fields == {"nats"}:
        return
    if kind == "application" or fields - {"nats", "permissions"}:
        raise SystemRole(f"{role.id} came with the application")


async def _may_add(tx: Db, ctx: Context, kind: Kind, added: list[str]) -> None:
    """Raises NotHeld, NotForOrganizations for built-in permissions in organization roles, and
    FreshSignInNeeded or FreshTokenNeeded if the role would make operators and the caller signed in too
    long ago."""
    await delegation_check.must_hold(tx, ctx, added)
    freshness.check_operators(ctx, added)
    if kind == "organization":
        built_in = await permissions.built_in(tx, app_id=ctx.app_id, ids=added)
        if built_in:
            raise NotForOrganizations(permissions=built_in)


async def _role(db: Db, ctx: Context, kind: Kind, id: str) -> Role:
    role = await roles.by_id(db, kind, app_id=ctx.app_id, id=id)
    if role is None:
        raise RoleNotFound
    return role


async def _locked_role(tx: Db, ctx: Context, kind: Kind, id: str) -> Role:
    if not await roles.lock(tx, kind, app_id=ctx.app_id, id=id):
        raise RoleNotFound
    return await _role(tx, ctx, kind, id)


@asynccontextmanager
async def _transaction(deps: Deps, ctx: Context) -> AsyncIterator[Db]:
    """A transaction that raises Problems for violated constraints."""
    try:
        async with deps.db.transaction(ctx) as tx:
            yield tx
    except asyncpg.UniqueViolationError:
        raise RoleTaken from None
    except asyncpg.ForeignKeyViolationError as error:
        if "permission_id_fkey" in violated_constraint(error):
            raise PermissionNotFound from None
        raise RoleInUse from None


def _id_from(name: str) -> str:
    """Returns `billing-clerk` for `Billing clerk`, or a random id if no Latin letter is left."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    id = re.sub(r"[^a-z0-9]+", "-", ascii_name).lstrip("-0123456789")[:63].rstrip("-")
    return id or f"role-{secrets.token_hex(4)}"
