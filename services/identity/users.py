"""Users, as administrators see them."""

from __future__ import annotations

from dataclasses import replace

import asyncpg

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.members import LeaveOrganizations
from common.contracts.profiles import User
from common.contracts.users import (
    CreateUser,
    DeleteUser,
    EmailTaken,
    ForceReset,
    UnlockUser,
    UpdateUser,
    UserNotFound,
)
from common.db import Db
from common.events.passwords import PasswordResetForced
from common.events.users import (
    UserCreated,
    UserDeleted,
    UserUnlocked,
)
from common.field_errors import field_error
from common.ids import new_id
from common.problems import Invalid
from identity import (
    delegation_checks,
    flows,
    last_operator,
    lockout,
    metadata,
    operators,
    password_policy,
    password_reset,
    session_end,
    user_lock,
    user_provisioning,
)
from identity.deps import Deps
from identity.queries import accounts, guests, users
from identity.user_changes import apply_changes, existing, sent_fields


async def create(deps: Deps, ctx: Context, request: CreateUser) -> User:
    """Creates a user. Raises EmailTaken, WeakPassword, MetadataInvalid, Invalid, and NotHeld or
    FreshSignInNeeded for an address that becomes operator."""
    await operators.check_naming(deps, ctx, [request.email])
    tenant = await deps.tenants.get(ctx)
    sent_metadata = request.model_dump(include=set(metadata.KINDS), exclude_unset=True)
    await metadata.check(deps.workers, ctx.app_id, tenant.settings, sent_metadata)
    if request.phone_number_verified and request.profile.phone_number is None:
        raise Invalid(errors=[field_error("phone_number_verified", "no_phone_number_to_verify")])
    if request.email_verified and request.email is None:
        raise Invalid(errors=[field_error("email_verified", "no_email_to_verify")])
    phc = None
    if request.password is not None:
        await password_policy.check(
            deps, ctx, tenant, request.password, email=request.email, name=request.profile.name
        )
        phc = await deps.hashing.hash(ctx.app_id, request.password)
    try:
        async with deps.db.transaction(ctx) as tx:
            user = await _insert(ctx, tx, request, phc)
    except asyncpg.UniqueViolationError:
        raise EmailTaken from None
    await user_provisioning.provision_new_user(
        deps, ctx, user.id, email=user.email, verified=user.email_verified, name=user.name
    )
    return user


async def _insert(ctx: Context, tx: Db, request: CreateUser, phc: str | None) -> User:
    id = new_id()
    await users.insert(
        tx,
        app_id=ctx.app_id,
        id=id,
        email=request.email,
        email_verified=request.email_verified,
        public_metadata=request.public_metadata,
        private_metadata=request.private_metadata,
        user_metadata=request.user_metadata,
    )
    profile = request.profile.model_dump(exclude_unset=True)
    if request.phone_number_verified:
        profile["phone_number_verified"] = True
    if profile:
        await users.update(tx, app_id=ctx.app_id, id=id, changes=profile)
    if phc is not None:
        await accounts.set_password(tx, app_id=ctx.app_id, user_id=id, phc=phc)
    await audit.record(tx, ctx, UserCreated(user_id=id, by="administrator"), user_id=id)
    return existing(await users.get(tx, app_id=ctx.app_id, id=id))


async def update(deps: Deps, ctx: Context, request: UpdateUser) -> User:
    """Changes a user's profile, address or metadata. Raises NotHeld, UserNotFound, EmailTaken,
    MetadataInvalid, and FreshSignInNeeded for the address of an operator."""
    await delegation_checks.over_user(deps, ctx, request.user_id)
    tenant = await deps.tenants.get(ctx)
    changes = sent_fields(request.changes)
    await operators.check_change(deps, ctx, request.user_id, changes)
    await metadata.check(deps.workers, ctx.app_id, tenant.settings, changes)
    return await apply_changes(deps, ctx, request.user_id, changes)


async def delete(deps: Deps, ctx: Context, request: DeleteUser) -> Done:
    """Deletes a user. Organizations do not prevent an administrator from this: the log says what
    they lose. Raises NotHeld, UserNotFound, LastHolder."""
    await delegation_checks.over_user(deps, ctx, request.user_id)
    await user_lock.check_condition(deps, ctx, request.user_id)
    await remove(deps, ctx, request.user_id, forced=True)
    return Done()


async def remove(deps: Deps, ctx: Context, user_id: str, *, forced: bool) -> None:
    """Removes the user from their organizations, ends their sessions, and deletes the user with all
    their data. Raises UserNotFound, LastHolder for the last operator and, unless `forced`, LastAdmin,
    TeamOwnsApplications."""
    async with deps.db.transaction(ctx) as tx:  # before they leave their organizations
        await last_operator.keep(tx, ctx, user_id)
    leaving = LeaveOrganizations(user_id=user_id, forced=forced)
    await deps.bus.call(ctx.as_system(), leaving)
    async with deps.db.transaction(ctx) as tx:
        await user_lock.lock(tx, ctx, user_id)
        ended = await _delete_locked(ctx, tx, user_id)
    await session_end.publish_revocations(deps, ctx, user_id, ended)


async def remove_expired_guest(deps: Deps, ctx: Context, user_id: str, *, reason: str) -> bool:
    """Deletes a guest as `remove` does, if they are one and were not active for 30 days. Returns
    whether they were deleted."""
    async with deps.db.transaction(ctx) as tx:
        await accounts.lock(tx, app_id=ctx.app_id, id=user_id)
        if not await guests.is_expired(tx, app_id=ctx.app_id, id=user_id):
            return False
        ended = await _delete_locked(ctx, tx, user_id, reason=reason)
    await session_end.publish_revocations(deps, ctx, user_id, ended)
    return True


async def _delete_locked(
    ctx: Context, tx: Db, user_id: str, *, reason: str | None = None
) -> list[str]:
    """Deletes a user whose row is locked. Returns the ids of the sessions that ended. Raises
    LastHolder."""
    await last_operator.keep(tx, ctx, user_id)
    ended = await session_end.end_all(ctx, tx, user_id, reason="user_deleted")
    await audit.record(tx, ctx, UserDeleted(user_id=user_id, reason=reason), user_id=user_id)
    await users.delete(tx, app_id=ctx.app_id, id=user_id)
    return ended


async def force_reset(deps: Deps, ctx: Context, request: ForceReset) -> Done:
    """Ends the user's password and sessions, and mails a link to choose a new password. A user
    without an address must choose one at the next sign-in. Raises NotHeld, UserNotFound."""
    await delegation_checks.over_user(deps, ctx, request.user_id)
    tenant = await deps.tenants.get(ctx)
    async with deps.db.transaction(ctx) as tx:
        await user_lock.lock(tx, ctx, request.user_id)
        account = await accounts.by_id(tx, app_id=ctx.app_id, id=request.user_id)
        assert account is not None
        await accounts.must_change_password(tx, app_id=ctx.app_id, user_id=account.id)
        ended = await session_end.end_all(ctx, tx, account.id, reason="password_reset_forced")
        event = PasswordResetForced(user_id=account.id)
        await audit.record(tx, ctx, event, user_id=account.id)
        if account.email:
            letter = password_reset.reset_letter(account, account.email, account.locale)
            await flows.start(
                deps,
                ctx,
                tx,
                tenant,
                letter=replace(letter, bound=False, required=True),
                browser=None,
            )
    await session_end.publish_revocations(deps, ctx, request.user_id, ended)
    return Done()


async def unlock(deps: Deps, ctx: Context, request: UnlockUser) -> Done:
    """Ends the lockout of a user's address. Raises NotHeld, UserNotFound."""
    await delegation_checks.over_user(deps, ctx, request.user_id)
    async with deps.db.transaction(ctx) as tx:
        account = await accounts.by_id(tx, app_id=ctx.app_id, id=request.user_id)
        if account is None:
            raise UserNotFound
        if await lockout.unlock(deps, ctx, tx, account.email or account.id):
            event = UserUnlocked(user_id=account.id)
            await audit.record(tx, ctx, event, user_id=account.id)
    return Done()
