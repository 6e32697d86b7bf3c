"""A user's own account."""

from __future__ import annotations

from typing import Final

import asyncpg

from common import audit
from common.address_keys import address_key
from common.context import Context
from common.contracts.base import Done
from common.contracts.me import (
    ChangeEmail,
    ConfirmEmail,
    DeleteMe,
    GetMe,
    UpdateMe,
    VerifyEmail,
)
from common.contracts.profiles import Me, User
from common.contracts.sign_in import Flow, LinkSpent, OtherBrowser, WrongCode
from common.contracts.tenants import Tenant
from common.contracts.users import EmailTaken, UserNotFound
from common.db import Db
from common.events.users import EmailChanged, UserVerified
from identity import (
    email_rules,
    flows,
    guests,
    lockout,
    metadata,
    notices,
    passwords,
    session_end,
    user_changes,
    user_provisioning,
)
from identity import users as administration
from identity.caller_checks import the_user
from identity.deps import Deps
from identity.queries import accounts, users
from identity.queries.codes import ConsumedEmailCode

CHANGE: Final = ["email_change"]


def _me(user: User | None) -> Me:
    if user is None:
        raise UserNotFound
    return Me(**user.model_dump(include=set(Me.model_fields)))


async def get(deps: Deps, ctx: Context, request: GetMe) -> Me:
    """Returns the calling user. Raises UserNotFound."""
    async with deps.db.reader(ctx) as db:
        return _me(await users.get(db, app_id=ctx.app_id, id=the_user(ctx)))


async def update(deps: Deps, ctx: Context, request: UpdateMe) -> Me:
    """Changes the calling user's own profile. Raises Invalid, MetadataInvalid."""
    tenant = await deps.tenants.get(ctx)
    changes = user_changes.sent_fields(request.changes)
    await metadata.check(deps.workers, ctx.app_id, tenant.settings, changes)
    user = await user_changes.apply_changes(deps, ctx, the_user(ctx), changes, view=_me)
    return _me(user)


async def change_email(deps: Deps, ctx: Context, request: ChangeEmail) -> Flow:
    """Mails a code to the new address. The answer does not tell whether another user has it: that
    user is then told by mail. Raises Invalid, RateLimited, MailsSent."""
    tenant = await deps.tenants.get(ctx)
    user_id = the_user(ctx)
    email_rules.allow_domain(tenant.settings, request.email)
    await flows.count_mail(deps, ctx, request.email, None, purpose="email_change")
    async with deps.db.transaction(ctx) as tx:
        account = await accounts.by_id(tx, app_id=ctx.app_id, id=user_id)
        if account is None:
            raise UserNotFound
        other = await accounts.by_email(tx, app_id=ctx.app_id, email=request.email)
        owner = other if other is not None and other.id != user_id else None
        is_taken, receiver = owner is not None, owner or account
        letter = flows.Letter(
            to=request.email,
            type="email_change",
            kind="sign_up_known" if is_taken else "email_change",
            purpose="email_change",
            link="" if is_taken else "verify_email",
            user_id=user_id,
            name=receiver.name,
            locale=receiver.locale,
            real=not is_taken,
            code=not is_taken,
            bound=False,
            payload={"email": request.email},
        )
        return await flows.start(deps, ctx, tx, tenant, letter=letter, browser=None)


async def confirm_email(deps: Deps, ctx: Context, request: ConfirmEmail) -> Me:
    """Changes the address by the code in the mail. Raises WrongCode, CodeSpent, EmailTaken."""
    user_id = the_user(ctx)
    consumed_code = await flows.consume_code(deps, ctx, request.flow, request.code, types=CHANGE)
    if consumed_code.user_id != user_id:
        raise WrongCode
    return await _change_email(deps, ctx, consumed_code)


async def verify_email(deps: Deps, ctx: Context, request: VerifyEmail) -> Done:
    """Changes the address by the link in the mail. The link is valid only for the user who
    requested the change: a stranger who follows it must not give their address to that account.
    Raises LinkSpent, OtherBrowser, EmailTaken."""
    async with deps.db.transaction(ctx) as tx:
        consumed_code = await flows.consume_link(
            deps, ctx, tx, request.token, browser=None, types=CHANGE
        )
        if consumed_code.user_id != ctx.caller.user_id:
            raise OtherBrowser
    await _change_email(deps, ctx, consumed_code)
    return Done()


async def _change_email(deps: Deps, ctx: Context, consumed_code: ConsumedEmailCode) -> Me:
    tenant = await deps.tenants.get(ctx)
    if consumed_code.user_id is None:
        raise LinkSpent
    try:
        async with deps.db.transaction(ctx) as tx:
            me, upgraded = await _set_email(deps, ctx, tx, tenant, consumed_code=consumed_code)
            await accounts.mark_unprovisioned(tx, app_id=ctx.app_id, id=me.id)
            # A guest has shown no factor. Where two are required, they sign in with the address.
            ends = upgraded and tenant.settings.mfa_policy == "required"
            ended = await session_end.end_all(
                ctx,
                tx,
                me.id,
                reason="email_changed",
                spare=None if ends else ctx.caller.session_id,
            )
    except asyncpg.UniqueViolationError:
        raise EmailTaken from None
    await session_end.publish_revocations(deps, ctx, me.id, ended)
    await user_provisioning.provision_new_user(
        deps,
        ctx,
        me.id,
        email=me.email,
        verified=me.email_verified,
        name=me.name,
        personal_team=False,
    )
    return me


async def _set_email(
    deps: Deps, ctx: Context, tx: Db, tenant: Tenant, *, consumed_code: ConsumedEmailCode
) -> tuple[Me, bool]:
    """Returns the user with the new address, and whether they were a guest until now."""
    assert consumed_code.user_id is not None
    await accounts.lock(tx, app_id=ctx.app_id, id=consumed_code.user_id)
    before = _me(await users.get(tx, app_id=ctx.app_id, id=consumed_code.user_id))
    email = consumed_code.payload.get("email") or consumed_code.email
    changes = {"email": email, "email_verified": True}
    await users.update(tx, app_id=ctx.app_id, id=before.id, changes=changes)
    await accounts.raise_factor_epoch(tx, app_id=ctx.app_id, user_id=before.id)
    upgraded = await guests.upgrade(ctx, tx, before.id, method="email")
    await session_end.end_codes(ctx, tx, before.id)
    same = before.email is not None and address_key(before.email) == consumed_code.email
    event = UserVerified(user_id=before.id) if same else EmailChanged(user_id=before.id)
    await audit.record(tx, ctx, event, user_id=before.id)
    if not same:
        await notices.send(deps, ctx, tx, tenant, owner=before, kind="email_changed", email=email)
    return _me(await users.get(tx, app_id=ctx.app_id, id=before.id)), upgraded


async def delete(deps: Deps, ctx: Context, request: DeleteMe) -> Done:
    """Deletes the calling user. Raises WrongCredentials, LastAdmin, TeamOwnsApplications."""
    async with deps.db.reader(ctx) as db:
        account = await accounts.by_id(db, app_id=ctx.app_id, id=the_user(ctx))
        if account is None:
            raise UserNotFound
    if request.password is not None:
        await passwords.confirm_current(deps, ctx, account, request.password, method="delete")
        async with deps.db.transaction(ctx) as tx:
            await lockout.forget(deps, ctx, tx, account.email or account.id)
    await administration.remove(deps, ctx, account.id, forced=False)
    return Done()
