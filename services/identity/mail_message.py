"""The message that goes to the SMTP server: a mail of the outbox, rendered, with its headers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any

import orjson

from common import logs
from common.context import Context, system_context
from common.contracts.mail_templates import RenderedMail, TemplateInvalid, TemplateText
from common.contracts.tenants import Tenant
from common.db import Database
from common.sealing import Sealer
from common.tenants import Tenants
from common.worker_processes import TookTooLong, WorkerFailed, WorkerProcesses
from identity import mail_rendering
from identity.mail_languages import Locale, closest
from identity.mail_texts import built_in_source
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

    async def message(self, leased: Leased, mail_from: str, from_name: str | None) -> EmailMessage:
        """Opens a mail, renders it, and returns the message."""
        ctx = system_context(leased.app_id)
        tenant = await self.tenants.get(ctx)
        locale = closest(leased.locale)
        place = ("mail_outbox", "sealed", leased.id)
        async with self.db.reader(ctx) as db:
            sealed = await self.sealer.open(db, leased.app_id, place, leased.sealed)
            custom = await mail_templates.get(
                db, app_id=leased.app_id, kind=leased.kind, locale=locale
            )
        letter = orjson.loads(sealed)
        data = letter["data"]
        rendered = None
        if custom is not None:
            rendered = await self._custom(
                ctx, tenant, leased.kind, locale, data=data, source=custom
            )
        if rendered is None:
            source = built_in_source(leased.kind, locale)
            rendered = mail_rendering.render(leased.kind, locale, tenant, data=data, source=source)
        return compose(
            mail_from,
            tenant,
            letter["to"],
            leased.id,
            locale=locale,
            rendered=rendered,
            from_name=from_name,
        )

    async def _custom(
        self,
        ctx: Context,
        tenant: Tenant,
        kind: str,
        locale: Locale,
        *,
        data: dict[str, Any],
        source: TemplateText,
    ) -> RenderedMail | None:
        """Returns the mail from the application's own template, or None if that does not render in
        time. The built-in template is used then, so no retry meets the same fault again."""
        try:
            return await mail_rendering.render_in_worker(
                self.workers, ctx.app_id, kind, locale, tenant=tenant, data=data, source=source
            )
        except (TemplateInvalid, TookTooLong, WorkerFailed):
            log.warning("custom mail does not render", app_id=ctx.app_id, kind=kind)
            return None


def compose(
    mail_from: str,
    tenant: Tenant,
    to: str,
    id: str,
    *,
    locale: str,
    rendered: RenderedMail,
    from_name: str | None = None,
) -> EmailMessage:
    """Returns a message with both parts. No text from outside can add a header."""
    _, address = parseaddr(mail_from)
    user, _, domain = address.rpartition("@")
    message = EmailMessage()
    message["From"] = Address(_one_line(from_name or tenant.name), user, domain)
    message["To"] = to
    if tenant.branding.support_email:
        message["Reply-To"] = tenant.branding.support_email
    message["Subject"] = rendered.subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{id}@{domain}>"
    message["Content-Language"] = locale
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(rendered.text)
    message.add_alternative(rendered.html, subtype="html")
    return message


def _one_line(text: str) -> str:
    return " ".join(text.split())[:100]
