"""Revokes what users granted a client: consents, codes under way, and tokens (docs/adr/0019)."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from common import audit, logs
from common.context import Context
from common.contracts.consents import RevokedGrants
from common.events.consents import GrantRevoked
from common.ids import new_id
from oidc.deps import Deps
from oidc.queries import consents, revoked_grants, token_families

log = logs.get(__name__)

LONGEST_WAIT: Final = 3.0
"""Seconds to wait for statements of other requests. They take milliseconds."""
POLL: Final = 0.01
"""Seconds."""


async def revoke(
    deps: Deps, ctx: Context, client_id: str, *, user_id: str | None, reason: str
) -> RevokedGrants:
    """Deletes the consents of one user, or of all, and revokes all codes and tokens of the client.

    Users of first-party clients have tokens without a consent, and lose them too.
    """
    async with deps.db.transaction(ctx) as tx:
        consent_count = await consents.delete(
            tx, app_id=ctx.app_id, client_id=client_id, user_id=user_id
        )
        await revoked_grants.put(
            tx, app_id=ctx.app_id, id=new_id(), client_id=client_id, user_id=user_id
        )
        family_ids = await token_families.revoke_of_client(
            tx, app_id=ctx.app_id, client_id=client_id, user_id=user_id, reason=reason
        )
        count = max(consent_count, len(family_ids))
        if count:
            event = GrantRevoked(client_id=client_id, reason=reason, count=count)
            await audit.record(tx, ctx, event, user_id=user_id)
    family_ids += await _revoke_just_started(deps, ctx, client_id, user_id=user_id, reason=reason)
    if user_id is None:
        await deps.invalidate(ctx, "client", client_id)
    else:
        for family_id in family_ids:
            await deps.invalidate(ctx, "token", family_id)
        await deps.invalidate(ctx, "consent", user_id)
    return RevokedGrants(revoked_count=count)


async def _revoke_just_started(
    deps: Deps, ctx: Context, client_id: str, *, user_id: str | None, reason: str
) -> list[str]:
    """Revokes token families of codes that were being redeemed during the revocation.

    A redemption that began before the revocation was committed does not see it, and its family was
    not there to be revoked. Once those redemptions have ended, their families are.
    """
    await _wait_for_transactions(deps, ctx)
    async with deps.db.transaction(ctx) as tx:
        return await token_families.revoke_of_client(
            tx, app_id=ctx.app_id, client_id=client_id, user_id=user_id, reason=reason
        )


async def _wait_for_transactions(deps: Deps, ctx: Context) -> None:
    """Waits until the present transactions of all replicas of this service have ended."""
    deadline = time.monotonic() + LONGEST_WAIT
    async with deps.db.reader(ctx) as db:
        running = waited_for = await revoked_grants.list_transactions(db)
        while running and time.monotonic() < deadline:
            await asyncio.sleep(POLL)
            running = waited_for & await revoked_grants.list_transactions(db)
    if running:
        log.warning("transactions outlast a revocation", count=len(running))
