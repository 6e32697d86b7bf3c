"""Users who still lack what new users get: a first role, a team, the organizations of their domain.

Other services give these after the user is committed. `settled_at` is the record of it; whoever
has none is settled here: users who came while a service was away, and imported ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common.context import system_context
from common.periodic import again
from identity import session_start
from identity.deps import Deps
from identity.queries import accounts, unsettled

EVERY: Final = 60.0
"""Seconds."""
MOST_FAILURES: Final = 10
"""In a row: the service that is needed is away."""
WITHIN: Final = 15.0
"""Seconds for one user."""


@dataclass
class Sweep:
    """Goes on where the last round ended, so that users who can't be settled hold up nobody."""

    deps: Deps
    last: unsettled.Unsettled | None = None

    async def round(self) -> int:
        """Returns how many were settled, over all applications. Ends where all were seen, or
        nobody can be settled."""
        count = failures = 0
        while failures < MOST_FAILURES:
            async with self.deps.sweep_db.everywhere() as db:
                users = await unsettled.page(db, after=self.last)
            for user in users:
                self.last = user
                if await _settle(self.deps, user):
                    count, failures = count + 1, 0
                else:
                    failures += 1
                if failures >= MOST_FAILURES:
                    return count
            if len(users) < unsettled.PAGE:
                self.last = None
                return count
        return count


async def settling(deps: Deps) -> None:
    await again(Sweep(deps).round, every=EVERY, name="unsettled users")


async def _settle(deps: Deps, user: unsettled.Unsettled) -> bool:
    ctx = system_context(user.app_id, within=WITHIN)
    async with deps.db.reading(ctx) as db:
        account = await accounts.by_id(db, app_id=ctx.app_id, id=user.id)
    if account is None or account.settled_at is not None:
        return True
    return await session_start.provision_new_user(
        deps,
        ctx,
        account.id,
        email=account.email,
        verified=account.email_verified,
        name=account.name,
    )
