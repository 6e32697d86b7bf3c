"""The accounts at providers that are connected to a user: listing and disconnecting them."""

from __future__ import annotations

from common.context import Context
from common.contracts.base import Done
from common.contracts.identities import (
    Identities,
    IdentityNotFound,
    ListMyIdentities,
    ListUserIdentities,
    UnlinkMyIdentity,
    UnlinkUserIdentity,
)
from common.contracts.users import UserNotFound
from identity import delegation_checks, identity_linking, ways_in
from identity.caller_checks import the_user
from identity.deps import Deps
from identity.queries import accounts, identity_links


async def list_own(deps: Deps, ctx: Context, request: ListMyIdentities) -> Identities:
    """Lists the calling user's connected accounts."""
    async with deps.db.reader(ctx) as db:
        listed = await identity_links.list_of_user(db, app_id=ctx.app_id, user_id=the_user(ctx))
    return Identities(identities=listed)


async def remove_own(deps: Deps, ctx: Context, request: UnlinkMyIdentity) -> Done:
    """Disconnects an account from the calling user. Raises IdentityNotFound, LastWayIn."""
    return await _remove(deps, ctx, the_user(ctx), request.link_id, by="user")


async def list_of_user(deps: Deps, ctx: Context, request: ListUserIdentities) -> Identities:
    """Lists a user's connected accounts. Raises UserNotFound."""
    async with deps.db.reader(ctx) as db:
        if await accounts.by_id(db, app_id=ctx.app_id, id=request.user_id) is None:
            raise UserNotFound
        listed = await identity_links.list_of_user(db, app_id=ctx.app_id, user_id=request.user_id)
    return Identities(identities=listed)


async def remove_of_user(deps: Deps, ctx: Context, request: UnlinkUserIdentity) -> Done:
    """Disconnects an account from a user. Raises NotHeld, UserNotFound, IdentityNotFound,
    LastWayIn."""
    await delegation_checks.over_user(deps, ctx, request.user_id)
    return await _remove(deps, ctx, request.user_id, request.link_id, by="administrator")


async def _remove(deps: Deps, ctx: Context, user_id: str, link_id: str, *, by: str) -> Done:
    tenant = await deps.tenants.get(ctx)
    async with deps.db.transaction(ctx) as tx:
        if not await accounts.lock(tx, app_id=ctx.app_id, id=user_id):
            raise UserNotFound
        await ways_in.keep_one(ctx, tx, tenant, user_id, without=link_id)
        removed = await identity_linking.disconnect(
            ctx, tx, user_id=user_id, link_id=link_id, by=by
        )
        if removed is None:
            raise IdentityNotFound
    await deps.invalidation.publish(ctx, "user", user_id)
    return Done()
