"""The sweep that deletes guests without activity for 30 days.

The job's database role reads ids only. Identity deletes each guest in the context of the guest's
application, after a second look at the locked row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common import logs
from common.context import system_context
from common.periodic import FAULTS, run_periodically
from identity import users
from identity.deps import Deps
from identity.queries import guests

log = logs.get(__name__)

EVERY: Final = 600.0
"""Seconds."""
MOST: Final = 2000
"""Guests that one round looks at. The next round continues with those behind them."""
REASON: Final = "guest_expired"
WITHIN: Final = 15.0
"""Seconds for one guest."""


@dataclass
class GuestSweep:
    """Continues where the last round ended, so that a guest who cannot be deleted delays nobody."""

    deps: Deps
    last: guests.ExpiredGuest | None = None

    async def run_once(self) -> int:
        """Deletes expired guests of all applications, at most MOST. Returns how many were deleted."""
        count = seen = 0
        while seen < MOST:
            async with self.deps.sweep_db.unbound_transaction() as db:
                page = await guests.page_of_expired(db, after=self.last)
            for guest in page:
                self.last = guest
                count += await _delete(self.deps, guest)
            seen += len(page)
            if len(page) < guests.PAGE:
                self.last = None
                return count
        return count


async def delete_periodically(deps: Deps) -> None:
    """Deletes expired guests from time to time, for as long as the service runs."""
    await run_periodically(GuestSweep(deps).run_once, every=EVERY, name="expired guests")


async def _delete(deps: Deps, guest: guests.ExpiredGuest) -> bool:
    """Returns whether the guest was deleted: not if they came back in the meantime."""
    ctx = system_context(guest.app_id, within=WITHIN, home=deps.db.home)
    try:
        return await users.remove_expired_guest(deps, ctx, guest.id, reason=REASON)
    except FAULTS as error:
        log.warning("guest not deleted", error=type(error).__name__, user_id=guest.id)
        return False
