"""Sends events of the log to the stream again: for a stream that was lost and created again.

The stream is transport, and the log in Postgres is the truth. Activity is on the stream only, so a lost stream
loses it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from common.audit import STREAM, SUBJECTS, Entry, subjects_of
from common.audit_lines import read_lines
from common.context import Context, new_trace
from common.db import Database
from common.outbox_batches import waiting_ids
from tenancy.queries import applications, audit_chain, outbox
from tenancy.queries.audit_chain import LoggedEvent

PAGE: Final = 500
"""Events that one transaction queues."""


@dataclass(frozen=True)
class Refilled:
    """The events of one application, counted."""

    app_id: str
    logged: int
    missing: int
    """Events that were neither on the stream nor on their way to it. They are queued now."""


@dataclass(frozen=True)
class StreamRefill:
    """Queues what is missing on the stream. The relays send it.

    `database` is connected as tenancy, which reads the log, `relay_database` as aero2_relay, which sees what
    all services have queued. The ids of one application's events are in memory at a time.
    """

    database: Database
    relay_database: Database
    js: JetStreamContext

    async def run(self, since: datetime) -> AsyncIterator[Refilled]:
        """Yields each application with events since then. Run it again as often as you like: what is on the
        stream, or on its way, is not queued again.

        Raises what asyncpg and nats-py raise; what was yielded stays done.
        """
        first = await self._first_message(since)
        async with self.database.unbound_transaction() as db:
            app_ids = await applications.ids_at(db, home=self.database.home)
        for app_id in app_ids:
            if (done := await self._refill(app_id, since, first)) is not None:
                yield done

    async def _refill(self, app_id: str, since: datetime, first: int) -> Refilled | None:
        """An event goes from the log, with its commit, through the outbox to the stream. Looked up in this order,
        it cannot slip through, however fast the relays are."""
        ctx = Context(app_id, trace=new_trace(), home=self.database.home).as_system()
        async with self.database.transaction(ctx) as db:
            logged = await outbox.logged_ids(db, app_id=app_id, since=since)
        if not logged:
            return None
        async with self.relay_database.unbound_transaction() as db:
            missing = set(logged) - set(await waiting_ids(db, app_id=app_id))
        if missing:
            async for message in self._messages(app_id, first):
                missing -= {line.id for line in read_lines(message.data or b"", app_id)}
        ids = [id for id in logged if id in missing]
        for start in range(0, len(ids), PAGE):
            async with self.database.transaction(ctx) as db:
                events = await audit_chain.by_ids(db, app_id=app_id, ids=ids[start : start + PAGE])
                await outbox.insert(
                    db, app_id=app_id, entries=[_entry(app_id, event) for event in events]
                )
        return Refilled(app_id, len(logged), len(ids))

    async def _messages(self, app_id: str, first: int) -> AsyncIterator[RawStreamMsg]:
        """Yields the messages with events of the application, from a sequence number on."""
        while (message := await self._next(first, subjects_of(app_id))) is not None:
            yield message
            first = (message.seq or first) + 1

    async def _next(self, seq: int, subjects: str) -> RawStreamMsg | None:
        """Returns the first message with one of these subjects from `seq` on, or None."""
        try:
            return await self.js.get_msg(STREAM, seq=seq, subject=subjects, next=True)
        except NotFoundError:
            return None

    async def _first_message(self, since: datetime) -> int:
        """Returns the sequence number of the first message that came since then: an event never comes before
        it was logged, as far as the clocks agree."""
        state = (await self.js.stream_info(STREAM)).state
        low, high = max(state.first_seq, 1), state.last_seq + 1
        while low < high:
            middle = (low + high) // 2
            message = await self._next(middle, SUBJECTS[0])
            if message is None or message.seq is None:
                high = middle
            elif _time(message) < since:
                low = message.seq + 1
            else:
                high = middle
        return low


def _time(message: RawStreamMsg) -> datetime:
    return message.time or datetime.fromtimestamp(0, UTC)


def _entry(app_id: str, event: LoggedEvent) -> Entry:
    """Returns the event as it went to the stream the first time, but for the order of members that are
    stored as jsonb."""
    return Entry(
        id=event.id,
        app_id=app_id,
        event_type=event.event_type,
        version=event.version,
        event_data=event.event_data,
        user_id=event.user_id,
        actor_kind=event.actor_kind or "",
        actor_id=event.actor_id,
        session_id=event.session_id,
        org_id=event.org_id,
        ip_address=event.ip_address,
        user_agent=event.user_agent,
        created_at=event.created_at,
        trace=event.trace or "",
    )
