"""Carries events to the logs of applications in other clusters (docs/adr/0032).

Such an event was committed with its work, in `audit_transfers` of the cluster of the work. It is written to
the log and the outbox at home, and then its transfer is deleted. If the process dies in between, the log
still has it once, and the stream may get it twice: readers compare the ids of events.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Final

import orjson

from common import logs
from common.context import system_context
from common.db import Database, Db, many, run
from common.periodic import FAULTS, run_periodically

log = logs.get(__name__)

EVERY: Final = 5.0
"""Seconds between looks for events that were not carried at once."""
BATCH: Final = 100


@dataclass(frozen=True)
class Transfer:
    """An event on its way."""

    app_id: str
    event_id: str
    home: str
    payload: bytes


@dataclass
class AuditCarrier:
    """Carries the events that one service has written in one cluster."""

    service: str
    db: Database
    """With the service's own role, in all clusters."""
    relay_db: Database
    """With the role of the relay, in this one."""
    _carrying: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def carry(self, _: Database) -> None:
        """Carries what waits, after a commit. What cannot be carried now stays for later."""
        try:
            await self.carry_all()
        except FAULTS as error:
            log.info("events wait", home=self.relay_db.home, error=type(error).__name__)

    async def run(self) -> None:
        """Carries what was left, for the life of the process."""
        await run_periodically(
            partial(self.carry, self.relay_db),
            every=EVERY,
            name="audit transfers",
            immediately=True,
        )

    async def carry_all(self) -> int:
        """Carries the events that wait, at most BATCH, each application's together. One that cannot be
        reached does not hold up the others. Returns how many were carried."""
        carried = 0
        async with self._carrying, self.relay_db.unbound_transaction() as tx:
            waiting = await _claim(tx, service=self.service, limit=BATCH)
            for (app_id, home), group in groupby(waiting, lambda each: (each.app_id, each.home)):
                events = list(group)
                try:
                    await self._write(app_id, home, events)
                except FAULTS as error:
                    log.info("events wait", home=home, app_id=app_id, error=type(error).__name__)
                    continue
                await _delete(tx, app_id=app_id, ids=[each.event_id for each in events])
                carried += len(events)
        return carried

    async def _write(self, app_id: str, home: str, events: list[Transfer]) -> None:
        async with self.db.transaction(system_context(app_id, home=home)) as tx:
            for each in events:
                await _log(tx, each)


async def _claim(db: Db, *, service: str, limit: int) -> list[Transfer]:
    """Returns the oldest events that no other replica carries at this moment."""
    return await many(
        db,
        Transfer,
        """
        WITH waiting AS (
            SELECT app_id, event_id, home, payload FROM audit_transfers
            WHERE service = $1 ORDER BY created_at, event_id LIMIT $2 FOR UPDATE SKIP LOCKED
        )
        SELECT app_id, event_id, home, payload FROM waiting ORDER BY app_id, home, event_id
        """,
        service,
        limit,
    )


async def _log(db: Db, transfer: Transfer) -> None:
    event = orjson.loads(transfer.payload)
    await run(
        db,
        """
        WITH logged AS (
            INSERT INTO audit_logs (app_id, id, user_id, event_type, event_data, data_version,
                                    actor_kind, actor_id, session_id, org_id, ip_address,
                                    user_agent, created_at, trace)
            SELECT $1, id, user_id, event_type, event_data, version, actor_kind, actor_id,
                   session_id, org_id, ip_address, user_agent, created_at, trace
            FROM jsonb_to_record($3) AS event (
                id uuid, user_id uuid, event_type text, event_data jsonb, version integer,
                actor_kind text, actor_id text, session_id uuid, org_id uuid, ip_address text,
                user_agent text, created_at timestamptz, trace text)
            ON CONFLICT DO NOTHING
        )
        INSERT INTO audit_outbox (app_id, event_id, event_type, payload) VALUES ($1, $2, $4, $5)
        """,
        transfer.app_id,
        transfer.event_id,
        event,
        event["event_type"],
        transfer.payload,
    )


async def _delete(db: Db, *, app_id: str, ids: list[str]) -> None:
    await run(
        db,
        "DELETE FROM audit_transfers WHERE app_id = $1 AND event_id = ANY($2::uuid[])",
        app_id,
        ids,
    )
