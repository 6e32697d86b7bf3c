"""Delivers the mail outbox over SMTP. No request waits for it, and no mail is lost.

A mail is leased for a minute, because several replicas may deliver at once. It is rendered, sent,
and only then deleted; if a mailer dies in between, the next one sends the mail. The Message-ID
stays the same, so a receiver recognises the rare duplicate. A mail is kept and marked as failed if
the server refuses it for good, or if its code or link expires before it is delivered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any, Final, Protocol

import orjson

from common import logs, mail, metrics
from common.context import Context, system_context, traced
from common.contracts.mail_templates import (
    RenderedMail,
    TemplateInvalid,
    TemplateNotFound,
    TemplateText,
)
from common.contracts.tenants import Tenant
from common.db import Database
from common.periodic import FAULTS
from common.problems import NotFound
from common.sealing import Sealer, Unsealable
from common.tenants import Tenants
from common.worker import WakeableWorker
from common.worker_processes import TookTooLong, WorkerFailed, WorkerProcesses
from identity import mail_rendering
from identity.mail_languages import Locale, closest
from identity.mail_texts import built_in_source
from identity.queries import mail_templates, mails
from identity.queries.mails import Leased
from identity.smtp import TryLater, Undeliverable

log = logs.get(__name__)

BATCH: Final = 10
IDLE: Final = 1.0
"""Seconds between looks when nobody woke us: other services put mail into the outbox too."""
PAUSES: Final = (5, 20, 60, 300, 900, 1800, 3600)
"""Seconds until the next try; the last one again and again."""
GIVE_UP: Final = 72
"""Tries: about three days."""


class Sender(Protocol):
    async def send(self, message: EmailMessage) -> None:
        """Sends the message. Raises Undeliverable or TryLater."""
        ...


@dataclass
class Mailer:
    """`mail_db` sees the outbox of every application; `db` opens one application's mail."""

    db: Database
    mail_db: Database
    sealer: Sealer
    tenants: Tenants
    sender: Sender
    mail_from: str
    workers: WorkerProcesses = field(default_factory=lambda: WorkerProcesses("identity.jobs"))
    worker: WakeableWorker = field(default_factory=lambda: WakeableWorker(IDLE))

    def waking(self, also: Callable[[], None]) -> Callable[[], None]:
        """Returns a function to call after every commit. It calls `also`, and wakes the mailer if
        the commit queued mail. A mail that is committed a moment after the mailer looked waits a
        second at most."""
        seen = mail.ENQUEUED.count

        def both() -> None:
            nonlocal seen
            also()
            if mail.ENQUEUED.count != seen:
                seen = mail.ENQUEUED.count
                self.worker.wake()

        return both

    async def run(self) -> None:
        """Delivers mail for as long as the service runs."""
        metrics.maintain(metrics.MAIL)
        await self.worker.run(self._work, name="mail")

    async def _work(self) -> bool:
        """Returns whether there is more."""
        return await self.deliver_batch() == BATCH

    async def deliver_batch(self) -> int:
        """Delivers the mails that are due, at most BATCH at once. Returns how many were leased."""
        async with self.mail_db.unbound_transaction() as db:
            leased = await mails.lease(db, limit=BATCH)
        await asyncio.gather(*(self._traced(one) for one in leased))
        return len(leased)

    async def _traced(self, leased: Leased) -> None:
        """Delivers one mail under a trace of its own."""
        with traced():
            await self._deliver(leased)

    async def _deliver(self, leased: Leased) -> None:
        if leased.expired:
            await self._failed(leased, "its code or link has expired")
            return
        try:
            message = await self.message(leased)
            await self.sender.send(message)
        except (Undeliverable, Unsealable, TemplateNotFound) as error:
            await self._failed(leased, f"{type(error).__name__}: {error}")
        except TryLater as error:
            await self._later(leased, str(error))
        except NotFound:
            await self._failed(leased, "the application is gone")
        except FAULTS as error:
            await self._later(leased, type(error).__name__)
        except Exception as error:
            log.exception("mail not delivered", mail=leased.id)
            await self._later(leased, type(error).__name__)
        else:
            metrics.MAIL.labels("sent").inc()
            async with self.mail_db.unbound_transaction() as db:
                await mails.delete(db, seq=leased.seq)

    async def _failed(self, leased: Leased, reason: str) -> None:
        metrics.MAIL.labels("failed").inc()
        log.warning("mail failed", mail=leased.id, kind=leased.kind, reason=reason)
        async with self.mail_db.unbound_transaction() as db:
            await mails.fail(db, seq=leased.seq, reason=reason[:300])

    async def _later(self, leased: Leased, reason: str) -> None:
        if leased.attempts >= GIVE_UP:
            await self._failed(leased, f"given up: {reason}")
            return
        metrics.MAIL.labels("retried").inc()
        log.warning("mail waits", mail=leased.id, tries=leased.attempts, reason=reason)
        pause = PAUSES[min(leased.attempts, len(PAUSES)) - 1]
        async with self.mail_db.unbound_transaction() as db:
            await mails.postpone(db, seq=leased.seq, seconds=pause, reason=reason[:300])

    async def message(self, leased: Leased) -> EmailMessage:
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
            self.mail_from, tenant, letter["to"], leased.id, locale=locale, rendered=rendered
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
    mail_from: str, tenant: Tenant, to: str, id: str, *, locale: str, rendered: RenderedMail
) -> EmailMessage:
    """Returns a message with both parts. No text from outside can add a header."""
    _, address = parseaddr(mail_from)
    user, _, domain = address.rpartition("@")
    message = EmailMessage()
    message["From"] = Address(_one_line(tenant.name), user, domain)
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
