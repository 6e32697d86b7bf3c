"""Users, as administrators see them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import asyncpg

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.members import LeaveOrganizations
from common.contracts.profiles import MyChanges, User
from common.contracts.users import (
    CreateUser,
    DeleteUser,
    DisableUser,
    EmailTaken,
    EnableUser,
    FindUser,
    ForceReset,
    GetUser,
    UnlockUser,
    UpdateUser,
    UserNotFound,
)
from common.events.passwords import PasswordResetForced
from common.events.users import (
    UserCreated,
    UserDeleted,
    UserDisabled,
    UserEnabled,
    UserUnlocked,
    UserUpdated,
)
from common.ids import DASHBOARD, new_id
from common.problems import Invalid
from common.same_json import same_json
from identity import delegation, flows, lockout, metadata, notices, passwords, policy, session_start
from identity.deps import Deps
from identity.queries import accounts, users


async def create(deps: Deps, ctx: Context, request: CreateUser) -> User:
    tenant = await deps.tenants.get(ctx)
    given_metadata = request.model_dump(include=set(metadata.KINDS), exclude_unset=True)
    await metadata.check(deps.workers, ctx.app_id, tenant.settings, given_metadata)
    if request.phone_number_verified and request.profile.phone_number is None:
        raise Invalid(
            errors=[{"field": "phone_number_verified", "message": "there is no number to verify"}]
        )
    if request.email_verified and request.email is None:
        raise Invalid(
            errors=[{"field": "email_verified", "message": "there is no address to verify"}]
        )
    phc = None
    if request.password is not None:
        await policy.check(
            deps, ctx, tenant, request.password, email=request.email, name=request.profile.name
        )
        phc = await deps.hashing.hash(ctx.app_id, request.password)
    id = new_id()
    try:
        async with deps.db.transaction(ctx) as tx:
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
                await users.change(tx, app_id=ctx.app_id, id=id, changes=profile)
            if phc is not None:
                await accounts.set_password(tx, app_id=ctx.app_id, user_id=id, phc=phc)
            await audit.record(tx, ctx, UserCreated(user_id=id, by="administrator"), user_id=id)
            made = await users.get(tx, app_id=ctx.app_id, id=id)
    except asyncpg.UniqueViolationError:
        raise EmailTaken from None
    assert made is not None
    await session_start.provision_new_user(
        deps, ctx, id, email=made.email, verified=made.email_verified, name=made.name
    )
    return made


def visible_teams(ctx: Context) -> list[str] | None:
    """The teams whose members the caller sees; None where the caller sees every user."""
    if ctx.app_id != DASHBOARD or ctx.caller.may("developers:read"):
        return None
    return sorted(ctx.caller.teams)


async def get(deps: Deps, ctx: Context, request: GetUser) -> User:
    async with deps.db.reading(ctx) as db:
        return _there(
            await users.get(db, app_id=ctx.app_id, id=request.user_id, teams=visible_teams(ctx))
        )


async def find(deps: Deps, ctx: Context, request: FindUser) -> User:
    async with deps.db.reading(ctx) as db:
        return _there(
            await users.find(db, app_id=ctx.app_id, email=request.email, teams=visible_teams(ctx))
        )


def _there(user: User | None) -> User:
    if user is None:
        raise UserNotFound
    return user


async def update(deps: Deps, ctx: Context, request: UpdateUser) -> User:
    await delegation.over_user(deps, ctx, request.user_id)
    tenant = await deps.tenants.get(ctx)
    changes = given(request.changes)
    await metadata.check(deps.workers, ctx.app_id, tenant.settings, changes)
    return await apply(deps, ctx, request.user_id, changes)


def given(changes: MyChanges) -> dict[str, Any]:
    """Returns the fields that were sent. Null clears: a flag becomes false, metadata empty."""
    empty: dict[str, Any] = {"email_verified": False, "phone_number_verified": False}
    empty |= {kind: {} for kind in metadata.KINDS}
    sent = changes.model_dump(exclude_unset=True)
    return {name: empty.get(name) if value is None else value for name, value in sent.items()}


def _verifies_nothing(before: User, changes: dict[str, Any]) -> None:
    """Raises Invalid for a verified address or number that is not there."""
    errors = [
        {"field": f"{name}_verified", "message": f"there is no {what} to verify"}
        for name, what in (("email", "address"), ("phone_number", "number"))
        if changes.get(f"{name}_verified") and changes.get(name, getattr(before, name)) is None
    ]
    if errors:
        raise Invalid(errors=errors)


async def apply(deps: Deps, ctx: Context, user_id: str, changes: dict[str, Any]) -> User:
    """Change the user's columns. A new address ends what was mailed to the old one, and tells it.
    Raises UserNotFound, EmailTaken."""
    tenant = await deps.tenants.get(ctx)
    try:
        async with deps.db.transaction(ctx) as tx:
            if not await accounts.lock(tx, app_id=ctx.app_id, id=user_id):
                raise UserNotFound
            before = _there(await users.get(tx, app_id=ctx.app_id, id=user_id))
            _verifies_nothing(before, changes)
            now = before.model_dump(include=set(changes))
            if not same_json(now, changes):
                await users.change(tx, app_id=ctx.app_id, id=user_id, changes=changes)
                event = UserUpdated(user_id=user_id, fields=sorted(changes))
                await audit.record(tx, ctx, event, user_id=user_id)
            after = _there(await users.get(tx, app_id=ctx.app_id, id=user_id))
            if "email" in changes and after.email != before.email:
                await session_start.end_codes(ctx, tx, user_id)
                await notices.tell(
                    deps, ctx, tx, tenant, before, "email_changed", email=after.email
                )
            proven_before = before.email_verified and before.email == after.email
            proven = after.email_verified and not proven_before
            if proven:
                await accounts.unsettle(tx, app_id=ctx.app_id, id=user_id)
    except asyncpg.UniqueViolationError:
        raise EmailTaken from None
    await deps.invalidation.publish(ctx, "user", user_id)
    if proven:
        await session_start.provision_new_user(
            deps,
            ctx,
            user_id,
            email=after.email,
            verified=True,
            name=after.name,
            personal_team=False,
        )
    return after


async def delete(deps: Deps, ctx: Context, request: DeleteUser) -> Done:
    """An administrator is not held up by organizations: what they lose stands in the log."""
    await delegation.over_user(deps, ctx, request.user_id)
    await remove(deps, ctx, request.user_id, forced=True)
    return Done()


async def remove(deps: Deps, ctx: Context, user_id: str, *, forced: bool) -> None:
    """Out of his organizations, then foreign keys delete what is his; sessions end first, so that
    every cache hears of it. Raises UserNotFound and, unless `forced`, LastAdmin,
    TeamOwnsApplications."""
    leaving = LeaveOrganizations(user_id=user_id, forced=forced)
    await deps.bus.call(ctx.as_system(), leaving)
    async with deps.db.transaction(ctx) as tx:
        if not await accounts.lock(tx, app_id=ctx.app_id, id=user_id):
            raise UserNotFound
        ended = await session_start.end_all(ctx, tx, user_id, reason="user_deleted")
        await audit.record(tx, ctx, UserDeleted(user_id=user_id), user_id=user_id)
        await users.delete(tx, app_id=ctx.app_id, id=user_id)
    await session_start.publish_revocations(deps, ctx, user_id, ended)


async def disable(deps: Deps, ctx: Context, request: DisableUser) -> User:
    await delegation.over_user(deps, ctx, request.user_id)
    async with deps.db.transaction(ctx) as tx:
        was = await users.set_disabled(tx, app_id=ctx.app_id, id=request.user_id, disabled=True)
        if was is None:
            raise UserNotFound
        ended = await session_start.end_all(ctx, tx, request.user_id, reason="user_disabled")
        if not was:
            event = UserDisabled(user_id=request.user_id)
            await audit.record(tx, ctx, event, user_id=request.user_id)
        user = _there(await users.get(tx, app_id=ctx.app_id, id=request.user_id))
    await session_start.publish_revocations(deps, ctx, request.user_id, ended)
    return user


async def enable(deps: Deps, ctx: Context, request: EnableUser) -> User:
    await delegation.over_user(deps, ctx, request.user_id)
    async with deps.db.transaction(ctx) as tx:
        was = await users.set_disabled(tx, app_id=ctx.app_id, id=request.user_id, disabled=False)
        if was is None:
            raise UserNotFound
        if was:
            event = UserEnabled(user_id=request.user_id)
            await audit.record(tx, ctx, event, user_id=request.user_id)
        user = _there(await users.get(tx, app_id=ctx.app_id, id=request.user_id))
    await deps.invalidation.publish(ctx, "user", request.user_id)
    return user


async def force_reset(deps: Deps, ctx: Context, request: ForceReset) -> Done:
    """The password works no more until it is chosen anew by mail; where there is no address, at
    the next sign-in."""
    await delegation.over_user(deps, ctx, request.user_id)
    tenant = await deps.tenants.get(ctx)
    async with deps.db.transaction(ctx) as tx:
        if not await accounts.lock(tx, app_id=ctx.app_id, id=request.user_id):
            raise UserNotFound
        account = await accounts.by_id(tx, app_id=ctx.app_id, id=request.user_id)
        assert account is not None
        await accounts.must_change_password(tx, app_id=ctx.app_id, user_id=account.id)
        ended = await session_start.end_all(ctx, tx, account.id, reason="password_reset_forced")
        event = PasswordResetForced(user_id=account.id)
        await audit.record(tx, ctx, event, user_id=account.id)
        if account.email:
            letter = passwords.reset_letter(account, account.email, account.locale)
            await flows.start(deps, ctx, tx, tenant, replace(letter, bound=False), None)
    await session_start.publish_revocations(deps, ctx, request.user_id, ended)
    return Done()


async def unlock(deps: Deps, ctx: Context, request: UnlockUser) -> Done:
    await delegation.over_user(deps, ctx, request.user_id)
    async with deps.db.transaction(ctx) as tx:
        account = await accounts.by_id(tx, app_id=ctx.app_id, id=request.user_id)
        if account is None:
            raise UserNotFound
        if await lockout.forget(deps, ctx, tx, account.email or account.id):
            event = UserUnlocked(user_id=account.id)
            await audit.record(tx, ctx, event, user_id=account.id)
    return Done()
