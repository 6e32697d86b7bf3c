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

from common import audit_transfers, logs
from common.audit_transfers import AuditTransfer
from common.context import system_context
from common.db import Database
from common.homes import HomeOf
from common.periodic import FAULTS, run_periodically
from common.problems import Problem

log = logs.get(__name__)

EVERY: Final = 5.0
"""Seconds between looks for events that were not carried at once."""
BATCH: Final = 100


@dataclass
class AuditCarrier:
    """Carries the events that one service has written in one cluster."""

    service: str
    db: Database
    """With the service's own role, in all clusters."""
    relay_db: Database
    """With the role of the relay, in this one."""
    home_of: HomeOf | None = None
    """Says where an application lives now, if it was moved."""
    _carrying: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def carry(self, _: Database) -> None:
        """Carries what waits, after a commit. Events whose home is away stay for later."""
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
        carried, waiting_still = 0, list[tuple[str, str]]()
        async with self._carrying, self.relay_db.unbound_transaction() as tx:
            waiting = await audit_transfers.claim(tx, service=self.service, limit=BATCH)
            for (app_id, home), group in groupby(waiting, lambda each: (each.app_id, each.home)):
                events = list(group)
                try:
                    await self._write(app_id, home, events)
                except FAULTS as error:
                    log.info("events wait", home=home, app_id=app_id, error=type(error).__name__)
                    waiting_still.append((app_id, home))
                    continue
                await audit_transfers.delete(
                    tx, app_id=app_id, ids=[each.event_id for each in events]
                )
                carried += len(events)
        for app_id, home in waiting_still:
            await self._follow(app_id, home)
        return carried

    async def _follow(self, app_id: str, home: str) -> None:
        """Notes the new home of an application that was moved. The next round carries its events there."""
        if self.home_of is None:
            return
        try:
            current = await self.home_of(app_id)
        except (Problem, TimeoutError):
            return
        if current != home:
            async with self.relay_db.unbound_transaction() as tx:
                await audit_transfers.reroute(tx, app_id=app_id, old=home, home=current)

    async def _write(self, app_id: str, home: str, events: list[AuditTransfer]) -> None:
        async with self.db.transaction(system_context(app_id, home=home)) as tx:
            for each in events:
                await audit_transfers.write(tx, each)
