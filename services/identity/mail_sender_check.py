"""The test of a mail server: one mail to the caller's own address, and which step failed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any, Final

from common.context import Context
from common.contracts.mail_sender import (
    CheckMailSender,
    MailSenderCheck,
    MailSenderFields,
    SenderStep,
)
from common.ids import new_id
from identity.deps import Deps
from identity.limits import SENDER_TEST_BY_CALLER
from identity.mail_languages import closest
from identity.mail_message import MessageWriter, compose
from identity.mail_sender import check_tls, new_password, stored, values_of
from identity.mail_variables import sample_data
from identity.outgoing_mail import OutgoingMail
from identity.own_address import own_address
from identity.own_sender import OwnSenders, server_of
from identity.queries import mail_senders
from identity.queries.accounts import Account
from identity.queries.mail_senders import SenderRow
from identity.smtp import (
    CONNECT_WITHIN,
    SenderFailed,
    Smtp,
    TryLater,
    Undeliverable,
    hand_over,
    leave,
)

KIND: Final = "mail_sender_test"
WITHIN: Final = 12.0
"""Seconds for the whole conversation: somebody waits for it."""
FOR_REPLY: Final = 1.0
"""Seconds before the deadline in which the test ends, so that its caller learns which step failed."""


@dataclass
class _Sender:
    """The sender to test. `row` is the stored sender if no other one was sent."""

    server: Smtp
    from_address: str
    from_name: str | None
    row: SenderRow | None


async def check(deps: Deps, ctx: Context, request: CheckMailSender) -> MailSenderCheck:
    """Sends a test mail to the caller, and to nobody else. Raises MailSenderNotFound, Invalid,
    OwnAddressUnverified, RateLimited."""
    recipient, to = await own_address(deps, ctx)
    await deps.limits.count(ctx, (SENDER_TEST_BY_CALLER, recipient.id))
    sender = await _sender(deps, ctx, request.sender)
    message = await _message(deps, ctx, sender, recipient=recipient, to=to)
    passed: list[SenderStep] = []
    within = min(WITHIN, ctx.remaining() - FOR_REPLY)
    failed = await _failed_step(sender.server, message, passed, within=within)
    if failed is None and sender.row is not None:
        await OwnSenders(deps.db, deps.mail_db, deps.home_of).recovered(sender.row)
    return MailSenderCheck(passed=passed, failed=failed, to=to)


async def _sender(deps: Deps, ctx: Context, fields: MailSenderFields | None) -> _Sender:
    """Returns the stored sender, or the one that was sent. The stored password goes to the stored
    server only."""
    async with deps.db.reader(ctx) as db:
        if fields is None:
            row = await stored(db, ctx)
            server = await server_of(deps.sealer, deps.http, db, row)
            return _Sender(server, row.from_address, row.from_name, row)
        check_tls(fields, deps.http.egress)
        before = await mail_senders.get(db, app_id=ctx.app_id)
        password = new_password(fields, before)
        values: dict[str, Any] = values_of(fields)
        server = Smtp(
            values["host"],
            values["port"],
            fields.tls,
            fields.user,
            password,
            resolve=deps.http.resolve,
            name=fields.from_address.rpartition("@")[2],
        )
        if password is None and fields.user is not None and before is not None:
            kept = await server_of(deps.sealer, deps.http, db, before)
            server = replace(server, password=kept.password)
    return _Sender(server, fields.from_address, fields.from_name, None)


async def _failed_step(
    server: Smtp, message: OutgoingMail, passed: list[SenderStep], *, within: float
) -> SenderStep | None:
    """Returns the step that failed, or None. It takes the same time whyever a server cannot be
    connected to, so nobody learns which addresses exist inside."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(within):
            client = await server.open(passed)
            try:
                await hand_over(client, message)
            finally:
                await leave(client)
    except SenderFailed as error:
        if error.step == "connect":
            await asyncio.sleep(began + CONNECT_WITHIN - time.monotonic())
        return _after(passed, error.step)
    except (TryLater, Undeliverable):
        return _after(passed, "message")
    except TimeoutError:
        return server.following(passed)
    passed += ["sender", "message"]
    return None


def _after(passed: list[SenderStep], step: SenderStep) -> SenderStep:
    """Returns the failed step. A message that was refused had its sender accepted. A server may ask
    to sign in although it took the sign-in."""
    if step in passed:
        passed.remove(step)
    if step == "message" and passed:
        passed.append("sender")
    return step


async def _message(
    deps: Deps, ctx: Context, sender: _Sender, *, recipient: Account, to: str
) -> OutgoingMail:
    tenant = await deps.tenants.get(ctx)
    locale = closest(recipient.locale or tenant.settings.default_locale)
    data = sample_data(KIND, tenant) | {"name": recipient.name or ""}
    writer = MessageWriter(deps.db, deps.sealer, deps.tenants, deps.workers, deps.home_of)
    return compose(
        sender.from_address,
        tenant,
        to,
        new_id(),
        locale=locale,
        rendered=await writer.render(ctx, tenant, KIND, locale, data=data),
        from_name=sender.from_name,
    )
