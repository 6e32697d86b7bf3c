"""The application's own mail server: show, set, delete."""

from __future__ import annotations

from typing import Any

from common import audit, conditions
from common.captcha_secret import HIDDEN
from common.context import Context
from common.contracts.base import Done
from common.contracts.mail_sender import (
    DeleteMailSender,
    GetMailSender,
    MailSender,
    MailSenderFields,
    MailSenderNotFound,
    MailSenderState,
    PutMailSender,
)
from common.contracts.versioned import ChangedMeanwhile
from common.db import Db
from common.egress import Egress
from common.events.mail_senders import MailSenderChanged, MailSenderDeleted
from common.field_errors import field_error
from common.problems import Invalid
from identity import delegation_checks
from identity.deps import Deps
from identity.own_sender import password_place
from identity.queries import mail_senders
from identity.queries.mail_senders import SenderRow
from identity.smtp import PORTS


async def get(deps: Deps, ctx: Context, _: GetMailSender) -> MailSender:
    """Returns the mail server with its state. Raises MailSenderNotFound."""
    async with deps.db.reader(ctx) as db:
        return await _reply(db, await stored(db, ctx))


async def stored(db: Db, ctx: Context) -> SenderRow:
    """Returns the row of the mail server. Raises MailSenderNotFound."""
    row = await mail_senders.get(db, app_id=ctx.app_id)
    if row is None:
        raise MailSenderNotFound
    return row


async def put(deps: Deps, ctx: Context, request: PutMailSender) -> MailSender:
    """Sets the mail server, and makes the waiting mails due. The codes and links of every user go
    through this server, so the caller must hold what any user can hold. Raises Invalid, NotHeld."""
    await delegation_checks.over_everybody(deps, ctx)
    fields = request.sender
    check_tls(fields, deps.http.egress)
    async with deps.db.transaction(ctx) as tx:
        before = await mail_senders.lock(tx, app_id=ctx.app_id)
        await _check_condition(tx, before)
        password = new_password(fields, before)
        values = values_of(fields)
        changed = _changed(before, values) + (["password"] if password else [])
        if before is not None and not changed:
            return await _reply(tx, before)
        sealed = before.password_sealed if before and fields.user else None
        if password:
            place = password_place(ctx.app_id)
            sealed = await deps.sealer.seal(tx, ctx.app_id, place, password.encode())
        # No row means that nothing is locked: somebody may store the first one at the same moment.
        only_new = before is None and conditions.is_conditional()
        row = await mail_senders.put(
            tx, app_id=ctx.app_id, sealed=sealed, fields=values, only_new=only_new
        )
        if row is None:
            raise ChangedMeanwhile(etag=(await _reply(tx, await stored(tx, ctx))).etag)
        await mail_senders.resume(tx, app_id=ctx.app_id)
        await audit.record(tx, ctx, MailSenderChanged(fields=sorted(changed)))
        return await _reply(tx, row)


async def delete(deps: Deps, ctx: Context, _: DeleteMailSender) -> Done:
    """Deletes the mail server. The waiting mails go out through the platform's, as the caller chose.
    Raises MailSenderNotFound."""
    async with deps.db.transaction(ctx) as tx:
        if conditions.is_conditional():
            before = await mail_senders.lock(tx, app_id=ctx.app_id)
            if before is None:
                raise MailSenderNotFound
            await _check_condition(tx, before)
        if not await mail_senders.delete(tx, app_id=ctx.app_id):
            raise MailSenderNotFound
        await mail_senders.resume(tx, app_id=ctx.app_id)
        await audit.record(tx, ctx, MailSenderDeleted())
    return Done()


async def _check_condition(tx: Db, before: SenderRow | None) -> None:
    """Raises ChangedMeanwhile if a condition of the request does not hold for the locked row."""
    if conditions.is_conditional():
        conditions.check(await _reply(tx, before) if before else None)


def check_tls(fields: MailSenderFields, egress: Egress) -> None:
    """Raises Invalid if the mail would go without encryption, except in development."""
    if fields.tls == "none" and not egress.private:
        raise Invalid(errors=[field_error("tls", "mail_tls_required")])


def values_of(fields: MailSenderFields) -> dict[str, Any]:
    """Returns the settings to store, without the password and with a port."""
    values = fields.model_dump(exclude={"password"})
    return values | {"port": fields.port or PORTS[fields.tls]}


def new_password(fields: MailSenderFields, before: SenderRow | None) -> str | None:
    """Returns the password that was sent, or None to keep the stored one. Raises Invalid if the
    stored one would go to another server, or sign somebody else in."""
    sent = None if fields.password in (None, "", HIDDEN) else fields.password
    if fields.user is None:
        if sent is not None:
            raise Invalid(errors=[field_error("user", "required")])
        return None
    if sent is not None:
        return sent
    if before is None or before.password_sealed is None:
        raise Invalid(errors=[field_error("password", "required")])
    values = values_of(fields)
    if _changed(before, {name: values[name] for name in ("host", "port", "tls", "user")}):
        raise Invalid(errors=[field_error("password", "password_required_again")])
    return None


def _changed(before: SenderRow | None, values: dict[str, Any]) -> list[str]:
    """Returns the names of the settings that differ."""
    earlier = _settings(before) if before else {}
    return [name for name, value in values.items() if before is None or earlier[name] != value]


def _settings(row: SenderRow) -> dict[str, Any]:
    names = ("host", "port", "tls", "from_address", "from_name")
    return {name: getattr(row, name) for name in names} | {"user": row.username}


async def _reply(db: Db, row: SenderRow) -> MailSender:
    """Returns the mail server as the API shows it."""
    mails = await mail_senders.waiting(db, app_id=row.app_id)
    state = MailSenderState(
        failing_since=row.failing_since,
        last_error=row.last_error,
        waiting=mails.waiting,
        waiting_since=mails.since,
    )
    hidden = HIDDEN if row.password_sealed else None
    return MailSender(**_settings(row), password=hidden, updated_at=row.updated_at, state=state)
