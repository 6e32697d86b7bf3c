"""A user's own account."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg

from common import audit
from common.addresses import address_key
from common.context import Context
from common.contracts.audit_log import ListAudit
from common.contracts.base import Done
from common.contracts.me import (
    ChangeEmail,
    ConfirmEmail,
    DeleteMe,
    Export,
    ExportMe,
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
from identity import email_rules, flows, lockout, metadata, notices, passwords, session_start
from identity import users as administration
from identity.callers import fresh, the_user
from identity.deps import Deps
from identity.queries import accounts, sessions, users
from identity.queries.codes import Taken

CHANGE: Final = ["email_change"]
MOST_EVENTS: Final = 1000
"""In an export: the answer has to fit into a message."""


def _mine(user: User | None) -> Me:
    if user is None:
        raise UserNotFound
    return Me(**user.model_dump(include=set(Me.model_fields)))


async def get(deps: Deps, ctx: Context, request: GetMe) -> Me:
    async with deps.db.reading(ctx) as db:
        return _mine(await users.get(db, app_id=ctx.app_id, id=the_user(ctx)))


async def update(deps: Deps, ctx: Context, request: UpdateMe) -> Me:
    tenant = await deps.tenants.get(ctx)
    changes = administration.given(request.changes)
    await metadata.check(deps.workers, ctx.app_id, tenant.settings, changes)
    return _mine(await administration.apply(deps, ctx, the_user(ctx), changes))


async def change_email(deps: Deps, ctx: Context, request: ChangeEmail) -> Flow:
    """The answer does not tell whether somebody else has the address: he gets a mail then."""
    tenant = await deps.tenants.get(ctx)
    user_id = the_user(ctx)
    async with deps.db.reading(ctx) as db:
        await fresh(db, ctx)
    email_rules.allow_domain(tenant.settings, request.email)
    await flows.count(deps, ctx, request.email, None, purpose="email_change")
    async with deps.db.transaction(ctx) as tx:
        account = await accounts.by_id(tx, app_id=ctx.app_id, id=user_id)
        if account is None:
            raise UserNotFound
        other = await accounts.by_email(tx, app_id=ctx.app_id, email=request.email)
        owner = other if other is not None and other.id != user_id else None
        taken, receiver = owner is not None, owner or account
        letter = flows.Letter(
            to=request.email,
            type="email_change",
            kind="sign_up_known" if taken else "email_change",
            purpose="email_change",
            link="" if taken else "verify_email",
            user_id=user_id,
            name=receiver.name,
            locale=receiver.locale,
            real=not taken,
            code=not taken,
            bound=False,
            payload={"email": request.email},
        )
        return await flows.start(deps, ctx, tx, tenant, letter, None)


async def confirm_email(deps: Deps, ctx: Context, request: ConfirmEmail) -> Me:
    user_id = the_user(ctx)
    taken = await flows.take_code(deps, ctx, request.flow, request.code, CHANGE)
    if taken.user_id != user_id:
        raise WrongCode
    return await _changed(deps, ctx, taken)


async def verify_email(deps: Deps, ctx: Context, request: VerifyEmail) -> Done:
    """The link of the mail to the new address. It holds only for the user who wanted the change:
    a stranger who follows the link must not give their address to that account."""
    async with deps.db.transaction(ctx) as tx:
        taken = await flows.take_link(deps, ctx, tx, request.token, None, CHANGE)
        if taken.user_id != ctx.caller.user_id:
            raise OtherBrowser
    await _changed(deps, ctx, taken)
    return Done()


async def _changed(deps: Deps, ctx: Context, taken: Taken) -> Me:
    tenant = await deps.tenants.get(ctx)
    if taken.user_id is None:
        raise LinkSpent
    try:
        async with deps.db.transaction(ctx) as tx:
            me = await _set_email(deps, ctx, tx, tenant, taken)
            await accounts.unsettle(tx, app_id=ctx.app_id, id=me.id)
            ended = await session_start.end_all(
                ctx, tx, me.id, reason="email_changed", spare=ctx.caller.session_id
            )
    except asyncpg.UniqueViolationError:
        raise EmailTaken from None
    await session_start.publish_revocations(deps, ctx, me.id, ended)
    await session_start.provision_new_user(
        deps,
        ctx,
        me.id,
        email=me.email,
        verified=me.email_verified,
        name=me.name,
        personal_team=False,
    )
    return me


async def _set_email(deps: Deps, ctx: Context, tx: Db, tenant: Tenant, taken: Taken) -> Me:
    assert taken.user_id is not None
    await accounts.lock(tx, app_id=ctx.app_id, id=taken.user_id)
    before = _mine(await users.get(tx, app_id=ctx.app_id, id=taken.user_id))
    email = taken.payload.get("email") or taken.email
    changes = {"email": email, "email_verified": True}
    await users.change(tx, app_id=ctx.app_id, id=before.id, changes=changes)
    await session_start.end_codes(ctx, tx, before.id)
    same = before.email is not None and address_key(before.email) == taken.email
    event = UserVerified(user_id=before.id) if same else EmailChanged(user_id=before.id)
    await audit.record(tx, ctx, event, user_id=before.id)
    if not same:
        await notices.tell(deps, ctx, tx, tenant, before, "email_changed", email=email)
    return _mine(await users.get(tx, app_id=ctx.app_id, id=before.id))


async def export(deps: Deps, ctx: Context, request: ExportMe) -> Export:
    user_id = the_user(ctx)
    async with deps.db.reading(ctx) as db:
        user = await users.get(db, app_id=ctx.app_id, id=user_id)
        if user is None:
            raise UserNotFound
        listed = await sessions.of_user(
            db, app_id=ctx.app_id, user_id=user_id, current=ctx.caller.session_id, limit=1000
        )
        devices = await sessions.devices(db, app_id=ctx.app_id, user_id=user_id)
    events = await _events(deps, ctx, user_id)
    hidden = user.model_copy(update={"private_metadata": {}})  # the application's own notes
    return Export(
        user=hidden,
        sessions=listed,
        devices=[asdict(device) for device in devices],
        events=events,
        exported_at=datetime.now(UTC),
    )


async def _events(deps: Deps, ctx: Context, user_id: str) -> list[dict[str, Any]]:
    """What the log says that he did himself, or that befell him: the latest."""
    told = {"event_type", "created_at", "ip_address", "user_agent"}
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while len(found) < MOST_EVENTS:
        request = ListAudit(user_id=user_id, limit=100, cursor=cursor)
        page = await deps.bus.call(ctx.as_system(), request)
        found += [record.model_dump(mode="json", include=told) for record in page.audit_logs]
        cursor = page.next
        if cursor is None:
            break
    return found


async def delete(deps: Deps, ctx: Context, request: DeleteMe) -> Done:
    async with deps.db.reading(ctx) as db:
        account = await accounts.by_id(db, app_id=ctx.app_id, id=the_user(ctx))
        if account is None:
            raise UserNotFound
        if request.password is None:
            await fresh(db, ctx)
    if request.password is not None:
        await passwords.prove(deps, ctx, account, request.password, method="delete")
        async with deps.db.transaction(ctx) as tx:
            await lockout.forget(deps, ctx, tx, account.email or account.id)
    await administration.remove(deps, ctx, account.id, forced=False)
    return Done()
