"""The application's own scopes: what administrators do with them."""

from __future__ import annotations

from typing import Any

import asyncpg

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.resources import ResourceNotFound
from common.contracts.scopes import (
    CreateScope,
    DeleteScope,
    ListScopes,
    Scope,
    ScopeNotFound,
    Scopes,
    ScopeTaken,
    UnknownPermission,
)
from common.db_errors import violated_constraint
from common.events.resources import ScopeChanged
from common.field_errors import field_error
from common.ids import new_id
from common.problems import Forbidden, Invalid
from oidc import scope_catalogue
from oidc.claims import STANDARD
from oidc.deps import Deps
from oidc.queries import scopes
from oidc.scope_catalogue import CLAIMS


async def create(deps: Deps, ctx: Context, request: CreateScope) -> Scope:
    """Creates a scope. Raises Forbidden for a permission that the caller does not have.

    Without this rule the caller could give themselves the permission through a client.
    """
    if request.name in CLAIMS:
        raise ScopeTaken("OpenID Connect defines this scope")
    unknown = sorted(set(request.claims) - STANDARD)
    if unknown:
        raise Invalid(errors=[field_error("claims", "claim_not_standard", claim=unknown[0][:60])])
    if request.permission_id is not None:
        _check_permission(ctx, request.permission_id)
        if ":" in request.name and request.name != request.permission_id:
            raise Invalid(errors=[field_error("permission_id", "scope_named_like_permission")])
    try:
        scope = await _insert(deps, ctx, request)
    except asyncpg.UniqueViolationError:
        raise ScopeTaken from None
    except asyncpg.ForeignKeyViolationError as error:
        if violated_constraint(error) == "scopes_resource_id_fkey":
            raise ResourceNotFound from None
        raise UnknownPermission from None
    await scope_catalogue.publish_change(deps, ctx)
    return scope


async def _insert(deps: Deps, ctx: Context, request: CreateScope) -> Scope:
    """Stores the scope. A scope named like a permission is bound to it.

    An unbound scope of that name would need no permission. Raises Forbidden if the caller does not
    have the permission.
    """
    if request.permission_id is not None or ":" not in request.name:
        return await _insert_bound(deps, ctx, request, request.permission_id)
    try:
        return await _insert_bound(deps, ctx, request, request.name)
    except asyncpg.ForeignKeyViolationError as error:
        if violated_constraint(error) != "scopes_permission_id_fkey":
            raise
    return await _insert_bound(deps, ctx, request, None)


async def _insert_bound(
    deps: Deps, ctx: Context, request: CreateScope, permission_id: str | None
) -> Scope:
    fields: dict[str, Any] = request.model_dump() | {"permission_id": permission_id}
    async with deps.db.transaction(ctx) as tx:
        scope = await scopes.insert(tx, app_id=ctx.app_id, id=new_id(), **fields)
        if permission_id is not None:
            _check_permission(ctx, permission_id)
        await audit.record(tx, ctx, ScopeChanged(name=request.name, change="created"))
    return scope


def _check_permission(ctx: Context, permission: str) -> None:
    if not ctx.caller.may(permission):
        raise Forbidden(f"you do not hold {permission} yourself", needs=permission)


async def list_(deps: Deps, ctx: Context, _: ListScopes) -> Scopes:
    """Lists the application's own scopes."""
    async with deps.db.reader(ctx) as db:
        return Scopes(scopes=await scopes.list_(db, app_id=ctx.app_id))


async def delete(deps: Deps, ctx: Context, request: DeleteScope) -> Done:
    """Deletes a scope and removes it from all clients."""
    async with deps.db.transaction(ctx) as tx:
        name = await scopes.delete(tx, app_id=ctx.app_id, id=request.id)
        if name is None:
            raise ScopeNotFound
        client_ids = await scopes.remove_from_clients(tx, app_id=ctx.app_id, names=[name])
        await audit.record(tx, ctx, ScopeChanged(name=request.id, change="deleted"))
    await scope_catalogue.publish_change(deps, ctx, client_ids)
    return Done()
