"""Roles of an application, and of members of its organizations: the same rules, two namespaces."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final, Protocol

import asyncpg

from common import audit, keyset
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
from rbac import delegation
from rbac.deps import Deps
from rbac.queries import organization_roles, permissions, roles


class Store(Protocol):
    """What both modules of queries offer."""

    async def by_id(self, db: Db, *, app_id: str, id: str) -> Role | None: ...
    async def page(self, db: Db, *, app_id: str, after: str | None, limit: int) -> list[Role]: ...
    async def lock(self, db: Db, *, app_id: str, id: str) -> bool: ...
    async def insert(
        self, db: Db, *, app_id: str, id: str, name: str, description: str | None
    ) -> None: ...
    async def update(
        self, db: Db, *, app_id: str, id: str, name: str, description: str | None
    ) -> None: ...
    async def delete(self, db: Db, *, app_id: str, id: str) -> None: ...
    async def add(self, db: Db, *, app_id: str, id: str, permissions: list[str]) -> None: ...
    async def remove(self, db: Db, *, app_id: str, id: str, permissions: list[str]) -> None: ...


STORES: Final[dict[Kind, Store]] = {"application": roles, "organization": organization_roles}


async def list_(deps: Deps, ctx: Context, request: ListRoles) -> Roles:
    of = f"roles {request.kind}"
    (after,) = deps.cursors.read(ctx.app_id, of, request.cursor, 1)
    async with deps.db.reading(ctx) as db:
        found = await STORES[request.kind].page(
            db, app_id=ctx.app_id, after=after, limit=request.limit + 1
        )
    shown, next = deps.cursors.page(ctx.app_id, of, found, request.limit, lambda role: (role.id,))
    return Roles(roles=shown, next=next)


async def get(deps: Deps, ctx: Context, request: GetRole) -> Role:
    async with deps.db.reading(ctx) as db:
        return await _found(db, ctx, request.kind, request.role_id)


async def holders(deps: Deps, ctx: Context, request: ListHolders) -> Holders:
    of = f"holders {request.role_id}"
    before = deps.cursors.read(ctx.app_id, of, request.cursor, 3)
    async with deps.db.reading(ctx) as db:
        await _found(db, ctx, "application", request.role_id)
        found = await roles.holders(
            db,
            app_id=ctx.app_id,
            id=request.role_id,
            before=before,
            limit=request.limit + 1,
        )
    shown, next = deps.cursors.page(
        ctx.app_id,
        of,
        found,
        request.limit,
        lambda held: (held.granted_at, held.user_id, held.org_id or keyset.LOWEST_ID),
    )
    return Holders(users=shown, next=next)


async def create(deps: Deps, ctx: Context, new: CreateRole) -> Role:
    id = new.id or _readable(new.name)
    given = sorted(set(new.permissions))
    store = STORES[new.kind]
    async with _writing(deps, ctx) as tx:
        await _may_give(tx, ctx, new.kind, given)
        await store.insert(tx, app_id=ctx.app_id, id=id, name=new.name, description=new.description)
        await store.add(tx, app_id=ctx.app_id, id=id, permissions=given)
        await audit.record(tx, ctx, RoleCreated(role_id=id, kind=new.kind, permissions=given))
        return await _found(tx, ctx, new.kind, id)


async def update(deps: Deps, ctx: Context, request: UpdateRole) -> Role:
    return await _change(deps, ctx, request.kind, request.role_id, request.changes)


async def add_permission(deps: Deps, ctx: Context, request: AddPermission) -> Role:
    """Adding what it holds already changes nothing."""
    return await _change(
        deps, ctx, request.kind, request.role_id, RoleChanges(), add={request.permission_id}
    )


async def remove_permission(deps: Deps, ctx: Context, request: RemovePermission) -> Role:
    """Removing what it does not hold changes nothing."""
    return await _change(
        deps, ctx, request.kind, request.role_id, RoleChanges(), remove={request.permission_id}
    )


async def delete(deps: Deps, ctx: Context, request: DeleteRole) -> Done:
    store = STORES[request.kind]
    async with _writing(deps, ctx) as tx:
        role = await _locked(tx, ctx, request.kind, request.role_id)
        if role.is_system:
            raise SystemRole(f"{role.id} came with the application")
        await delegation.must_hold(tx, ctx, role.permissions)
        await store.delete(tx, app_id=ctx.app_id, id=role.id)
        await audit.record(tx, ctx, RoleDeleted(role_id=role.id, kind=request.kind))
    await deps.invalidation.publish(ctx, "rights")
    return Done()


async def _change(
    deps: Deps,
    ctx: Context,
    kind: Kind,
    id: str,
    changes: RoleChanges,
    *,
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
) -> Role:
    store, sent = STORES[kind], changes.model_fields_set
    async with _writing(deps, ctx) as tx:
        role = await _locked(tx, ctx, kind, id)
        _may_change(kind, role, sent)
        before = set(role.permissions)
        after = (
            set(changes.permissions) if "permissions" in sent else (before | set(add)) - set(remove)
        )
        added, removed = sorted(after - before), sorted(before - after)
        await _may_give(tx, ctx, kind, added)
        await delegation.must_hold(tx, ctx, removed)
        name = changes.name if "name" in sent else role.name
        description = changes.description if "description" in sent else role.description
        if (name, description, before) == (role.name, role.description, after):
            return role
        await store.update(tx, app_id=ctx.app_id, id=id, name=name, description=description)
        await store.add(tx, app_id=ctx.app_id, id=id, permissions=added)
        await store.remove(tx, app_id=ctx.app_id, id=id, permissions=removed)
        event = RoleUpdated(
            role_id=id, kind=kind, fields=sorted(sent), added=added, removed=removed
        )
        await audit.record(tx, ctx, event)
        changed = await _found(tx, ctx, kind, id)
    if added or removed:
        await deps.invalidation.publish(ctx, "rights")
    return changed


def _may_change(kind: Kind, role: Role, sent: set[str]) -> None:
    """What members of organizations may do is the application's to say, also of `admin` and
    `member`; only their names are fixed."""
    if role.is_system and (kind == "application" or sent - {"permissions"}):
        raise SystemRole(f"{role.id} came with the application")


async def _may_give(tx: Db, ctx: Context, kind: Kind, given: list[str]) -> None:
    await delegation.must_hold(tx, ctx, given)
    if kind == "organization":
        builtin = await permissions.builtin(tx, app_id=ctx.app_id, among=given)
        if builtin:
            raise NotForOrganizations(permissions=builtin)


async def _found(db: Db, ctx: Context, kind: Kind, id: str) -> Role:
    role = await STORES[kind].by_id(db, app_id=ctx.app_id, id=id)
    if role is None:
        raise RoleNotFound
    return role


async def _locked(tx: Db, ctx: Context, kind: Kind, id: str) -> Role:
    if not await STORES[kind].lock(tx, app_id=ctx.app_id, id=id):
        raise RoleNotFound
    return await _found(tx, ctx, kind, id)


@asynccontextmanager
async def _writing(deps: Deps, ctx: Context) -> AsyncIterator[Db]:
    """A transaction whose violated constraints are told in our words."""
    try:
        async with deps.db.transaction(ctx) as tx:
            yield tx
    except asyncpg.UniqueViolationError:
        raise RoleTaken from None
    except asyncpg.ForeignKeyViolationError as error:
        if "permission_id_fkey" in violated_constraint(error):
            raise PermissionNotFound from None
        raise RoleInUse from None


def _readable(name: str) -> str:
    """`Billing clerk` becomes `billing-clerk`; a name without Latin letters gets a random id."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    id = re.sub(r"[^a-z0-9]+", "-", plain).lstrip("-0123456789")[:63].rstrip("-")
    return id or f"role-{secrets.token_hex(4)}"
