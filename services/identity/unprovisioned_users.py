"""Users who still lack what new users get: a first role, a team, the organizations of their domain.

Other services give these after the user is committed, and `provisioned_at` records it. Users without
that time are provisioned here: those who came while a service was away, and imported ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common.context import system_context
from common.periodic import run_periodically
from identity import user_provisioning
from identity.deps import Deps
from identity.queries import accounts, unprovisioned_users

EVERY: Final = 60.0
"""Seconds."""
MOST_FAILURES: Final = 10
"""Failures in a row: a service that is needed is away."""
WITHIN: Final = 15.0
"""Seconds for one user."""


@dataclass
class Sweep:
    """Continues where the last round ended, so that users who cannot be provisioned delay
    nobody."""

    deps: Deps
    last: unprovisioned_users.UnprovisionedUser | None = None

    async def run_once(self) -> int:
        """Provisions users of all applications. Returns how many succeeded. It ends when all were
        tried, or if too many fail in a row."""
        count = failures = 0
        while failures < MOST_FAILURES:
            async with self.deps.sweep_db.unbound_transaction() as db:
                users = await unprovisioned_users.page(db, after=self.last)
            for user in users:
                self.last = user
                if await _provision(self.deps, user):
                    count, failures = count + 1, 0
                else:
                    failures += 1
                if failures >= MOST_FAILURES:
                    return count
            if len(users) < unprovisioned_users.PAGE:
                self.last = None
                return count
        return count


async def provision_periodically(deps: Deps) -> None:
    """Provisions such users every minute, for as long as the service runs."""
    await run_periodically(Sweep(deps).run_once, every=EVERY, name="unprovisioned users")


async def _provision(deps: Deps, user: unprovisioned_users.UnprovisionedUser) -> bool:
    ctx = system_context(user.app_id, within=WITHIN, home=deps.db.home)
    async with deps.db.reader(ctx) as db:
        account = await accounts.by_id(db, app_id=ctx.app_id, id=user.id)
    if account is None or account.provisioned_at is not None:
        return True
    return await user_provisioning.provision_new_user(
        deps,
        ctx,
        account.id,
        email=account.email,
        verified=account.email_verified,
        name=account.name,
    )
