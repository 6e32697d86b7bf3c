"""A fake of the service that keeps the mail server, for the Dashboard's page."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.kit.fake_services import FakeServices

from common.context import Context
from common.contracts.base import Done, Request
from common.contracts.mail_sender import (
    CheckMailSender,
    DeleteMailSender,
    GetMailSender,
    MailSender,
    MailSenderCheck,
    MailSenderNotFound,
    MailSenderState,
    PutMailSender,
)
from common.problems import Problem

STORED = MailSender(
    host="smtp.example.com",
    port=587,
    tls="starttls",
    user="shop",
    password="********",
    from_address="hello@shop.example",
    from_name="Blue Mail",
    updated_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    state=MailSenderState(),
)


@dataclass
class MailService:
    """`problem` is raised in place of each write. `calls` are the writes, with their Context."""

    stored: MailSender | None = None
    checked: MailSenderCheck = field(
        default_factory=lambda: MailSenderCheck(
            passed=["connect"], failed="tls", to="d@example.com"
        )
    )
    problem: Problem | None = None
    calls: list[tuple[Context, Request[Any]]] = field(default_factory=list)

    def write(self, ctx: Context, request: Request[Any]) -> None:
        ctx.allow(type(request).needs)
        self.calls.append((ctx, request))
        if self.problem is not None:
            raise self.problem


async def _get(mail: MailService, ctx: Context, request: GetMailSender) -> MailSender:
    ctx.allow(GetMailSender.needs)
    if mail.stored is None:
        raise MailSenderNotFound
    return mail.stored


async def _put(mail: MailService, ctx: Context, request: PutMailSender) -> MailSender:
    mail.write(ctx, request)
    mail.stored = STORED
    return STORED


async def _check(mail: MailService, ctx: Context, request: CheckMailSender) -> MailSenderCheck:
    mail.write(ctx, request)
    return mail.checked


async def _delete(mail: MailService, ctx: Context, request: DeleteMailSender) -> Done:
    mail.write(ctx, request)
    mail.stored = None
    return Done()


def mail_service(world: FakeServices) -> MailService:
    """Registers the fake."""
    mail = MailService()
    world.bus.serve(
        mail,
        {
            GetMailSender: _get,
            PutMailSender: _put,
            CheckMailSender: _check,
            DeleteMailSender: _delete,
        },
    )
    return mail
