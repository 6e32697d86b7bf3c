"""The passkeys of a user: listing, renaming and removing them."""

from __future__ import annotations

import dataclasses
from urllib.parse import urlsplit

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.passkeys import (
    ListMyPasskeys,
    ListUserPasskeys,
    NotePasskeyOffer,
    Passkey,
    PasskeyNotFound,
    Passkeys,
    RemovePasskey,
    RemoveUserPasskey,
    RenamePasskey,
)
from common.contracts.tenants import Tenant
from common.contracts.users import UserNotFound
from common.crypto import b64url
from common.db import Db
from common.events.passkeys import PasskeyRemoved, PasskeyRenamed
from identity import delegation_checks, notices, totp, ways_in
from identity.caller_checks import the_user
from identity.deps import Deps
from identity.limits import FACTOR_CHANGE_BY_USER
from identity.passkey_entries import entry
from identity.queries import accounts, passkeys


async def list_own(deps: Deps, ctx: Context, request: ListMyPasskeys) -> Passkeys:
    """Lists the caller's passkeys, with what the browser's Signal API needs. Raises UserNotFound."""
    user_id = the_user(ctx)
    async with deps.db.reader(ctx) as db:
        account = await accounts.by_id(db, app_id=ctx.app_id, id=user_id)
        if account is None:
            raise UserNotFound
        mine = await passkeys.of_user(db, app_id=ctx.app_id, user_id=user_id)
        handle = await passkeys.get_handle(db, app_id=ctx.app_id, user_id=user_id)
    tenant = await deps.tenants.get(ctx)
    return Passkeys(
        passkeys=[entry(one) for one in mine],
        user_handle=b64url(handle) if handle else None,
        user_name=account.email or account.name or tenant.name,
        display_name=account.name or account.email or "",
        rp_id=urlsplit(ctx.origin).hostname or "",
    )


async def list_of_user(deps: Deps, ctx: Context, request: ListUserPasskeys) -> Passkeys:
    """Lists the passkeys of any user. Raises UserNotFound."""
    async with deps.db.reader(ctx) as db:
        if await accounts.by_id(db, app_id=ctx.app_id, id=request.user_id) is None:
            raise UserNotFound
        listed = await passkeys.of_user(db, app_id=ctx.app_id, user_id=request.user_id)
    return Passkeys(passkeys=[entry(one) for one in listed])


async def rename(deps: Deps, ctx: Context, request: RenamePasskey) -> Passkey:
    """Renames one of the caller's passkeys. Raises PasskeyNotFound."""
    user_id, passkey_id = the_user(ctx), request.passkey_id
    async with deps.db.transaction(ctx) as tx:
        stored = await passkeys.get(tx, app_id=ctx.app_id, id=passkey_id, user_id=user_id)
        if stored is None or not await passkeys.rename(
            tx, app_id=ctx.app_id, id=passkey_id, user_id=user_id, name=request.name
        ):
            raise PasskeyNotFound
        if stored.name != request.name:
            event = PasskeyRenamed(user_id=user_id, passkey_id=passkey_id, name=request.name)
            await audit.record(tx, ctx, event, user_id=user_id)
    return entry(dataclasses.replace(stored, name=request.name))


async def remove(deps: Deps, ctx: Context, request: RemovePasskey) -> Done:
    """Removes one of the caller's passkeys. Raises PasskeyNotFound, LastWayIn, LastSecondFactor,
    RateLimited."""
    user_id = the_user(ctx)
    await deps.limits.count(ctx, (FACTOR_CHANGE_BY_USER, user_id))
    tenant = await deps.tenants.get(ctx)
    async with deps.db.transaction(ctx) as tx:
        await _remove(
            deps, ctx, tx, tenant, user_id=user_id, passkey_id=request.passkey_id, keep_one=True
        )
    await deps.invalidation.publish(ctx, "user", user_id)
    return Done()


async def remove_of_user(deps: Deps, ctx: Context, request: RemoveUserPasskey) -> Done:
    """Removes a passkey of any user. Raises NotHeld, UserNotFound, PasskeyNotFound."""
    await delegation_checks.over_user(deps, ctx, request.user_id)
    tenant = await deps.tenants.get(ctx)
    async with deps.db.transaction(ctx) as tx:
        await _remove(
            deps, ctx, tx, tenant,
            user_id=request.user_id, passkey_id=request.passkey_id, keep_one=False,
        )  # fmt: skip
    await deps.invalidation.publish(ctx, "user", request.user_id)
    return Done()


async def _remove(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    *,
    user_id: str,
    passkey_id: str,
    keep_one: bool,
) -> None:
    """Removes a passkey and tells the user. `keep_one`: the last way to sign in stays, and so does a
    second factor that the application requires. Raises UserNotFound, PasskeyNotFound, LastWayIn,
    LastSecondFactor."""
    if not await accounts.lock(tx, app_id=ctx.app_id, id=user_id):
        raise UserNotFound
    stored = await passkeys.get(tx, app_id=ctx.app_id, id=passkey_id, user_id=user_id)
    if stored is None:
        raise PasskeyNotFound
    if keep_one:
        await ways_in.keep_one(ctx, tx, tenant, user_id, without=passkey_id)
    await passkeys.delete(tx, app_id=ctx.app_id, id=passkey_id, user_id=user_id)
    await totp.end_last_factor(ctx, tx, tenant, user_id, forced=not keep_one)
    name = entry(stored).name
    event = PasskeyRemoved(user_id=user_id, passkey_id=passkey_id, name=name)
    await audit.record(tx, ctx, event, user_id=user_id)
    owner = await accounts.by_id(tx, app_id=ctx.app_id, id=user_id)
    if owner is not None:
        await notices.send(
            deps, ctx, tx, tenant, owner=owner, kind="passkey_removed", passkey=name, ip=ctx.ip
        )


async def note_offer(deps: Deps, ctx: Context, request: NotePasskeyOffer) -> Done:
    """Records that the caller was offered a passkey."""
    async with deps.db.transaction(ctx) as tx:
        await passkeys.note_offer(tx, app_id=ctx.app_id, user_id=the_user(ctx))
    return Done()
