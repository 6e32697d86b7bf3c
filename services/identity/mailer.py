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
from typing import Final

from common import logs, mail, metrics
from common.context import system_context, traced
from common.contracts.mail_templates import TemplateNotFound
from common.db import Database
from common.outgoing_http import OutgoingHttp
from common.periodic import FAULTS
from common.problems import NotFound
from common.sealing import Sealer, Unsealable
from common.tenants import Tenants
from common.worker import WakeableWorker
from common.worker_processes import WorkerProcesses
from identity.kept_sender import KeptSender
from identity.mail_message import MessageWriter
from identity.own_sender import OwnSender, OwnSenders, server_of
from identity.queries import mail_senders, mails
from identity.queries.mails import Leased
from identity.sender_connections import SenderConnections
from identity.smtp import SenderFailed, Smtp, TryLater, Undeliverable

log = logs.get(__name__)

BATCH: Final = 10
IDLE: Final = 5.0
"""Seconds between looks when nobody woke us: a mail may be due again, or the message of another service
that put mail into the outbox was lost."""
PAUSES: Final = (5, 20, 60, 300, 900, 1800, 3600)
"""Seconds until the next try; the last one again and again."""
GIVE_UP: Final = 72
"""Tries: about three days."""
UNSENDABLE: Final = 60.0
"""Seconds until the next look at a mail if the platform has no mail server."""
PLATFORM: Final = ("", "")
"""The key of connections to the platform's server."""


@dataclass
class Mailer:
    """`mail_db` sees the outbox of every application of a cluster; `db` opens one application's mail. Without the
    platform's `server`, only applications with a mail server of their own send."""

    db: Database
    mail_db: Database
    sealer: Sealer
    tenants: Tenants
    server: Smtp | None
    mail_from: str
    workers: WorkerProcesses = field(default_factory=lambda: WorkerProcesses("identity.jobs"))
    http: OutgoingHttp = field(default_factory=OutgoingHttp)
    """Checks the addresses of servers that applications chose."""
    worker: WakeableWorker = field(default_factory=lambda: WakeableWorker(IDLE))
    own: OwnSenders = field(init=False)
    connections: SenderConnections = field(default_factory=SenderConnections)
    """To the platform's server."""
    _writer: MessageWriter = field(init=False)

    def __post_init__(self) -> None:
        self.own = OwnSenders(self.db, self.mail_db, self.home_of)
        self._writer = MessageWriter(self.db, self.sealer, self.tenants, self.workers, self.home_of)

    async def home_of(self, app_id: str) -> str:
        """Returns the cluster of an application: another than that of its mail if it was moved since. Raises
        ApplicationNotFound."""
        if len(self.db.members) < 2:
            return self.mail_db.home
        return await self.tenants.home_of(app_id)

    def waking(self, also: Callable[[], None]) -> Callable[[], None]:
        """Returns a function to call after every commit. It calls `also`, and wakes the mailer if
        the request has queued mail."""

        def both() -> None:
            also()
            if mail.enqueued.get():
                mail.enqueued.set(False)
                self.worker.wake()

        return both

    def on_invalidation(self, app_id: str, noun: str, id: str) -> None:
        """Looks for mail that another service has put into the outbox."""
        if noun == mail.NOUN:
            self.worker.wake()

    async def run(self) -> None:
        """Delivers mail for as long as the service runs."""
        metrics.maintain(metrics.MAIL)
        await self.worker.run(self._work, name="mail")

    async def _work(self) -> bool:
        """Returns whether there is more."""
        return await self._round() == BATCH

    async def deliver_batch(self) -> int:
        """Delivers the mails that are due, at most BATCH at once. Returns how many were leased."""
        count = await self._round()
        await self.own.settled()
        return count

    async def _round(self) -> int:
        """Delivers mails as `deliver_batch` does, but does not wait for servers of applications."""
        async with self.mail_db.unbound_autocommit() as db:
            leased = await mails.lease(db, limit=BATCH, busy=self.own.busy())
        await asyncio.gather(*(self._traced(one) for one in leased))
        return len(leased)

    async def _traced(self, leased: Leased) -> None:
        """Delivers one mail under a trace of its own."""
        with traced("mail"):
            await self._deliver(leased)

    async def _deliver(self, leased: Leased) -> None:
        if leased.expired:
            await self._failed(leased, "its code or link has expired")
            return
        try:
            own = await self._own_sender(leased)
            is_admitted = own is None or await self.own.admit(leased, own.row)
        except (*FAULTS, Unsealable) as error:
            await self._later(leased, type(error).__name__)
            return
        if own is None:
            await self._by_platform(leased)
        elif is_admitted:
            self.own.start(leased.app_id, self._by_own(leased, own))

    async def _by_platform(self, leased: Leased) -> None:
        if self.server is None:
            async with self.mail_db.unbound_autocommit() as db:
                await mails.release(db, seq=leased.seq, seconds=UNSENDABLE)
            return
        sender = KeptSender(self.server, self.connections, PLATFORM)
        await self._send(leased, sender, self.mail_from)

    async def _by_own(self, leased: Leased, own: OwnSender) -> None:
        """Sends by the application's own server. A failure of the server pauses this sender alone."""
        row = own.row
        try:
            await self._send(leased, own, row.from_address, from_name=row.from_name)
        except SenderFailed as error:
            log.warning("mail server failed", app_id=row.app_id, step=error.step)
            pause = await self.own.failed(row, error.step)
            if (
                error.step == "message"
            ):  # perhaps the server only dislikes this mail: its try counts
                await self._later(leased, str(error), at_least=pause + 1.0)
            else:
                metrics.MAIL.labels("retried").inc()
                await self.own.release(leased, pause + 1.0)
        else:
            if row.failures and own.reached:
                await self.own.recovered(row)
        if row.app_id in self.own.busy():
            self.worker.wake()

    async def _send(
        self, leased: Leased, sender: KeptSender, mail_from: str, *, from_name: str | None = None
    ) -> None:
        """Sends a mail, or records why not. Raises SenderFailed if the sender is the application's
        own."""
        try:
            message = await self._writer.message(leased, mail_from, from_name)
            await sender.send(message)
        except (Undeliverable, Unsealable, TemplateNotFound) as error:
            await self._failed(leased, f"{type(error).__name__}: {error}")
        except TryLater as error:
            if isinstance(error, SenderFailed) and isinstance(sender, OwnSender):
                raise
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
            async with self.mail_db.unbound_autocommit() as db:
                await mails.delete(db, seq=leased.seq)

    async def _failed(self, leased: Leased, reason: str) -> None:
        metrics.MAIL.labels("failed").inc()
        log.warning("mail failed", mail=leased.id, kind=leased.kind, reason=reason)
        async with self.mail_db.unbound_autocommit() as db:
            await mails.fail(db, seq=leased.seq, reason=reason[:300])

    async def _later(self, leased: Leased, reason: str, *, at_least: float = 0.0) -> None:
        """Postpones the next try, by `at_least` seconds. Gives the mail up after too many tries."""
        if leased.attempts >= GIVE_UP:
            await self._failed(leased, f"given up: {reason}")
            return
        metrics.MAIL.labels("retried").inc()
        log.warning("mail waits", mail=leased.id, tries=leased.attempts, reason=reason)
        pause = max(at_least, PAUSES[min(leased.attempts, len(PAUSES)) - 1])
        async with self.mail_db.unbound_autocommit() as db:
            await mails.postpone(db, seq=leased.seq, seconds=pause, reason=reason[:300])

    async def _own_sender(self, leased: Leased) -> OwnSender | None:
        """Returns the mail server of the application, if it has one of its own. Raises Unsealable."""
        home = await self.home_of(leased.app_id)
        async with self.db.reader(system_context(leased.app_id, home=home)) as db:
            row = await mail_senders.get(db, app_id=leased.app_id)
            if row is None:
                return None
            server = await server_of(self.sealer, self.http, db, row)
        key = (row.app_id, row.version)
        return OwnSender(server, self.own.connections, key, row=row)
