"""The audit log and its way to the stream.

A record is written in the transaction of the work it describes: it exists if and only if the work
was committed. The same transaction writes a row of the outbox, which the relay sends to JetStream.
Activity goes to the stream directly and costs the request nothing. A message on the stream has the
events of one application, one a line. `audit_lines` reads them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol, TypedDict, Unpack

import nats.errors
import orjson
from nats.aio.client import Client

from common import audit_transfers, logs
from common.bound_transaction import BoundTransaction
from common.context import Context
from common.db import Db, defer
from common.events.base import Event
from common.ids import DASHBOARD, new_id

log = logs.get(__name__)

STREAM: Final = "AUDIT"
SUBJECTS: Final = ["audit.>"]
RECORDS: Final = "batch"
"""The last part of the subject of a message with records."""
ACTIVITY: Final = "activity"
"""The same for activity."""
MESSAGE_ID: Final = "Nats-Msg-Id"
"""The header by which the stream drops a second copy of a message."""
BATCH: Final = 500
"""Events in one message of activity, at most."""
LARGEST: Final = 256 * 1024
"""Bytes in one message, at most, unless it has only one event: far below the largest message of the
bus."""
AGENT: Final = 500
"""Characters kept of what a client says of itself."""


def subject_of(service: str, app_id: str, kind: str) -> str:
    """Returns the subject on which records or activity are published. Each service may publish below
    its own name only, so a reader knows which service vouches for the events."""
    return f"audit.{service}.{app_id}.{kind}"


def subjects_of(app_id: str) -> str:
    """Returns the filter for all events of one application, of all services."""
    return f"audit.*.{app_id}.>"


@dataclass
class Entry:
    """An event ready to be written: for statements that write it together with the work. Nobody changes
    it. It is not frozen because that would take three times as long to make."""

    id: str
    app_id: str
    event_type: str
    version: int
    event_data: dict[str, object]
    user_id: str | None
    actor_kind: str
    actor_id: str | None
    session_id: str | None
    org_id: str | None
    ip_address: str | None
    user_agent: str | None
    created_at: datetime
    trace: str

    def payload(self) -> bytes:
        """Returns the JSON of the event as it stands in the outbox and on the stream."""
        return orjson.dumps(self.__dict__)


class About(TypedDict, total=False):
    """The user that an event is about or who caused it. By default this is the calling user, with
    the session and organization of the call."""

    user_id: str | None
    session_id: str | None
    org_id: str | None


entered: ContextVar[bool] = ContextVar("entered", default=False)
"""Whether the request has made an entry. It stays set: another commit of the request may come before that
of the entry."""


def entry(ctx: Context, event: Event, **about: Unpack[About]) -> Entry:
    """Returns an event ready to be written, with what the context knows of its caller. Commits of the
    request wake the relay from now on."""
    entered.set(True)
    return _entry(ctx, event, about)


def _entry(ctx: Context, event: Event, about: About) -> Entry:
    who = ctx.caller
    kind, id = (who.actor_kind, who.actor_id) if who.actor_id else (who.kind, who.id)
    return Entry(
        id=new_id(),
        app_id=ctx.app_id,
        event_type=event.type,
        version=event.version,
        event_data=event.model_dump(mode="json"),
        user_id=about.get("user_id") or who.user_id,
        actor_kind=kind,
        actor_id=id,
        session_id=about.get("session_id") or who.session_id,
        org_id=about.get("org_id") or who.org_id,
        ip_address=ctx.ip,
        user_agent=ctx.agent[:AGENT] if ctx.agent else None,
        created_at=datetime.now(UTC),
        trace=ctx.trace,
    )


async def record(db: Db, ctx: Context, event: Event, *, user_id: str | None = None) -> None:
    """Writes an event and its outbox row. `db` is the transaction of the work itself, which writes them
    with its next statement or with COMMIT; after it, they are carried to another cluster's log."""
    row = entry(ctx, event, user_id=user_id)
    if isinstance(db, BoundTransaction) and _is_carried(db, ctx):
        await audit_transfers.insert(db, row.app_id, row.id, ctx.home, payload=row.payload())
        return
    await defer(
        db,
        """
        WITH logged AS (
            INSERT INTO audit_logs (app_id, id, user_id, event_type, event_data, data_version,
                                    actor_kind, actor_id, session_id, org_id, ip_address,
                                    user_agent, created_at, trace)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $15)
        )
        INSERT INTO audit_outbox (app_id, event_id, event_type, payload)
        VALUES ($1, $2, $4, $14)
        """,
        row.app_id,
        row.id,
        row.user_id,
        row.event_type,
        row.event_data,
        row.version,
        row.actor_kind,
        row.actor_id,
        row.session_id,
        row.org_id,
        row.ip_address,
        row.user_agent,
        row.created_at,
        row.payload(),
        row.trace,
    )


def _is_carried(db: BoundTransaction, ctx: Context) -> bool:
    """Returns whether the event goes to its log after the commit. In the registry no fence stops a transaction
    while the application is moved away, so nothing is written into its log there directly. The Dashboard is
    never moved."""
    return db.home != ctx.home or (db.is_registry and ctx.app_id != DASHBOARD)


class ActivityRecorder(Protocol):
    """Takes activity: events that go to the stream without a transaction of their own."""

    def note(self, ctx: Context, event: Event, **about: Unpack[About]) -> None:
        """Takes an event and returns at once."""
        ...


@dataclass
class Activity:
    """Batched publishing of activity. At most `size` events wait; beyond that the oldest go, and
    the loss is counted in the log."""

    nc: Client
    service: str
    size: int = 10_000
    every: float = 0.05
    _waiting: deque[Entry] = field(default_factory=deque)
    _lost: int = 0
    _noted: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, ctx: Context, event: Event, **about: Unpack[About]) -> None:
        """Takes an event and returns at once. It is published a moment later."""
        if len(self._waiting) >= self.size:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(_entry(ctx, event, about))
        self._noted.set()

    async def run(self) -> None:
        """Sleeps until the first event, then sends what gathered. Runs until cancelled."""
        try:
            while True:
                await self._noted.wait()
                await asyncio.sleep(self.every)
                self._noted.clear()
                await self.flush()
                if self._waiting:  # the bus did not take it: try again
                    self._noted.set()
        finally:
            await self.flush()

    async def flush(self) -> None:
        """Publishes the events of each application together, with a line for each event. The stream
        syncs every message to disk, so a message for each event would cost more than the work that
        it describes."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            groups: dict[str, list[Entry]] = {}
            for event in batch:
                groups.setdefault(event.app_id, []).append(event)
            while groups:
                app_id, group = next(iter(groups.items()))
                size, body = _packed(group)
                subject = subject_of(self.service, app_id, ACTIVITY)
                try:
                    await self.nc.publish(subject, body, headers={MESSAGE_ID: group[0].id})
                except (nats.errors.Error, OSError):  # kept, and tried again
                    left = [event for kept in groups.values() for event in kept]
                    self._waiting.extendleft(reversed(left))
                    return
                groups[app_id] = group[size:]
                if not groups[app_id]:
                    del groups[app_id]
        if self._lost:
            log.warning("activity dropped", count=self._lost)
            self._lost = 0


def _packed(events: list[Entry]) -> tuple[int, bytes]:
    """Returns how many of the events fit into one message, and the message. It has at least one."""
    lines: list[bytes] = []
    size = 0
    for event in events:
        line = event.payload()
        size += len(line) + 1
        if lines and size > LARGEST:
            break
        lines.append(line)
    return len(lines), b"\n".join(lines)
