"""Mails of applications with a mail server of their own.

Each application has its own bound, its own connections and its own circuit breaker, so a server that
fails or is slow delays no mail of another application. While it fails, the mails of its application
wait: they never go out through the platform's server.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from common import audit, logs
from common.context import Context, system_context
from common.db import Database, Db
from common.events.mail_senders import MailSenderFailed, MailSenderRecovered
from common.homes import HomeOf
from common.outgoing_http import OutgoingHttp
from common.sealing import Sealer
from identity.kept_sender import CONVERSATION, KeptSender
from identity.queries import mail_senders, mails
from identity.queries.mail_senders import SenderRow
from identity.queries.mails import Leased
from identity.sender_connections import SenderConnections
from identity.smtp import Smtp

log = logs.get(__name__)

MOST_AT_ONCE: Final = 4
"""Mails of one application that are on their way at the same time, in one process."""
MOST_IN_ALL: Final = 100
"""Mails of all applications of a cluster with a server of their own, in one process."""


def password_place(app_id: str) -> tuple[str, str, str]:
    """Returns where the password of a sender is sealed for."""
    return ("mail_senders", "password", app_id)


async def server_of(sealer: Sealer, http: OutgoingHttp, db: Db, row: SenderRow) -> Smtp:
    """Returns the server, with its password. Raises Unsealable."""
    password = None
    if row.password_sealed is not None:
        place = password_place(row.app_id)
        password = (await sealer.open(db, row.app_id, place, row.password_sealed)).decode()
    return Smtp(
        row.host,
        row.port,
        row.tls,
        row.username,
        password,
        resolve=http.resolve,
        name=row.from_address.rpartition("@")[2],
    )


@dataclass
class OwnSender(KeptSender):
    """Sends one application's mails through its own server."""

    row: SenderRow = field(kw_only=True)


@dataclass
class OwnSenders:
    """The bounds and the circuit breakers. `db` is bound to one application at a time."""

    db: Database
    mail_db: Database
    home_of: HomeOf
    connections: SenderConnections = field(default_factory=SenderConnections)
    _under_way: Counter[str] = field(default_factory=Counter)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def busy(self) -> list[str]:
        """Returns the applications that have as many mails under way as they may."""
        return [app_id for app_id, count in self._under_way.items() if count >= MOST_AT_ONCE]

    async def admit(self, leased: Leased, row: SenderRow) -> bool:
        """Returns whether to send a mail now. Otherwise it waits, and does not count as tried."""
        if row.pause_left:
            await self._hold(row, leased)
            return False
        if self._under_way[row.app_id] >= MOST_AT_ONCE or self._under_way.total() >= MOST_IN_ALL:
            await self.release(leased, 1.0)
            return False
        if row.failures and not await self._claimed(row):
            await self.release(leased, 1.0)
            return False
        return True

    def start(self, app_id: str, work: Coroutine[Any, Any, None]) -> None:
        """Sends beside the mails of others, which do not wait for it."""
        self._under_way[app_id] += 1
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._finished(app_id, done))

    def _finished(self, app_id: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._under_way[app_id] -= 1
        if not self._under_way[app_id]:
            del self._under_way[app_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("mail not delivered", app_id=app_id, error=type(error).__name__)

    async def settled(self) -> None:
        """Waits until no mail is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def failed(self, row: SenderRow, step: str) -> float:
        """Pauses the sender and holds the mails of its application. Tells the developer once. Returns
        the seconds of the pause."""
        ctx = await self._context(row)
        async with self.db.transaction(ctx) as tx:
            paused = await mail_senders.fail(tx, row=row, step=step)
            if paused is not None and paused.failures == 1:
                await audit.record(tx, ctx, MailSenderFailed(step=step))
            if paused is not None:
                await mail_senders.give_up(tx, app_id=row.app_id)
            now = paused or await mail_senders.get(tx, app_id=row.app_id) or row
            await mail_senders.hold(tx, app_id=row.app_id, seconds=now.pause_left)
        return now.pause_left

    async def recovered(self, row: SenderRow) -> None:
        """Ends the pause of a sender that works again, and makes the waiting mails due."""
        ctx = await self._context(row)
        async with self.db.transaction(ctx) as tx:
            if await mail_senders.recover(tx, row=row):
                await audit.record(tx, ctx, MailSenderRecovered())
                await mail_senders.resume(tx, app_id=row.app_id)

    async def _context(self, row: SenderRow) -> Context:
        return system_context(row.app_id, home=await self.home_of(row.app_id))

    async def _claimed(self, row: SenderRow) -> bool:
        """Returns whether this mail may try. The others wait for what happens to it."""
        async with self.db.transaction(await self._context(row)) as tx:
            claimed = await mail_senders.claim(tx, row=row, seconds=CONVERSATION)
            await mail_senders.hold(tx, app_id=row.app_id, seconds=CONVERSATION)
        return claimed

    async def _hold(self, row: SenderRow, leased: Leased) -> None:
        """Holds all mails of the application until its pause ends."""
        async with self.db.transaction(await self._context(row)) as tx:
            await mail_senders.hold(tx, app_id=row.app_id, seconds=row.pause_left)
        await self.release(leased, row.pause_left + 1.0)

    async def release(self, leased: Leased, seconds: float) -> None:
        """Gives a mail back that was not sent. It tries after the others that wait."""
        async with self.mail_db.unbound_transaction() as db:
            await mails.release(db, seq=leased.seq, seconds=seconds)
