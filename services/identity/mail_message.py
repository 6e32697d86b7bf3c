"""The message that goes to the SMTP server: a mail of the outbox, rendered, with its headers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parseaddr
from typing import Any

import orjson

from common import logs
from common.context import Context, system_context
from common.contracts.mail_templates import RenderedMail, TemplateInvalid
from common.contracts.tenants import Tenant
from common.db import Database
from common.homes import HomeOf
from common.sealing import Sealer
from common.tenants import Tenants
from common.worker_processes import TookTooLong, WorkerFailed, WorkerProcesses
from identity import mail_rendering
from identity.mail_languages import Locale, closest
from identity.mail_texts import built_in_source
from identity.outgoing_mail import (
    OutgoingMail,
    address_header,
    alternatives,
    header,
    sender_header,
    with_ascii_domain,
)
from identity.queries import mail_templates
from identity.queries.mails import Leased

log = logs.get(__name__)


@dataclass
class MessageWriter:
    """Writes the messages of mails. `db` opens one application's mail."""

    db: Database
    sealer: Sealer
    tenants: Tenants
    workers: WorkerProcesses
    home_of: HomeOf

    async def message(self, leased: Leased, mail_from: str, from_name: str | None) -> OutgoingMail:
        """Opens a mail, renders it, and returns the message."""
        ctx = system_context(leased.app_id, home=await self.home_of(leased.app_id))
        tenant = await self.tenants.get(ctx)
        locale = closest(leased.locale)
        place = ("mail_outbox", "sealed", leased.id)
        async with self.db.reader(ctx) as db:
            letter = orjson.loads(await self.sealer.open(db, leased.app_id, place, leased.sealed))
        return compose(
            mail_from,
            tenant,
            letter["to"],
            leased.id,
            locale=locale,
            rendered=await self.render(ctx, tenant, leased.kind, locale, data=letter["data"]),
            from_name=from_name,
        )

    async def render(
        self, ctx: Context, tenant: Tenant, kind: str, locale: Locale, *, data: dict[str, Any]
    ) -> RenderedMail:
        """Returns the mail from the application's own template. The built-in template is used if there
        is none, or if it does not render in time, so no retry meets the same fault again."""
        async with self.db.reader(ctx) as db:
            custom = await mail_templates.get(db, app_id=ctx.app_id, kind=kind, locale=locale)
        if custom is not None:
            try:
                return await mail_rendering.render_in_worker(
                    self.workers, ctx.app_id, kind, locale, tenant=tenant, data=data, source=custom
                )
            except (TemplateInvalid, TookTooLong, WorkerFailed):
                log.warning("custom mail does not render", app_id=ctx.app_id, kind=kind)
        source = built_in_source(kind, locale)
        return mail_rendering.render(kind, locale, tenant, data=data, source=source)


def compose(
    mail_from: str,
    tenant: Tenant,
    to: str,
    id: str,
    *,
    locale: str,
    rendered: RenderedMail,
    from_name: str | None = None,
) -> OutgoingMail:
    """Returns a message with both parts. No text from outside can add a header. Raises ValueError if an
    address has a control character."""
    _, address = parseaddr(mail_from)
    domain = address.rpartition("@")[2]
    to, reply_to = with_ascii_domain(to), with_ascii_domain(tenant.branding.support_email or "")
    is_international = not (address + to).isascii()
    has_reply_to = reply_to and (is_international or reply_to.isascii())
    headers = (
        sender_header(_one_line(from_name or tenant.name), address),
        address_header("To", to),
        address_header("Reply-To", reply_to) if has_reply_to else b"",
        header("Subject", rendered.subject),
        header("Date", format_datetime(datetime.now(UTC))),
        header("Message-ID", f"<{id}@{domain}>"),
        header("Content-Language", locale),
        b"Auto-Submitted: auto-generated\r\n",
        b"X-Auto-Response-Suppress: All\r\n",
        alternatives(id, rendered.text, rendered.html),
    )
    return OutgoingMail(address, to, b"".join(headers), is_international)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:100]
