"""The end of impersonations: with the actor's session or rights, or when the time is over.

Each lookup of such a session checks its actor (`check`). A job checks all of them every few seconds, so
that tokens end, too, and the log says when.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common import audit, logs
from common.context import Context, system_context
from common.contracts.impersonation import ImpersonationOff, ImpersonationRefused
from common.contracts.sessions import NoSession
from common.db import Db
from common.events.sessions import ImpersonationEnded
from common.ids import DASHBOARD
from common.periodic import FAULTS, run_periodically
from identity import impersonation_checks
from identity.deps import Deps
from identity.queries import impersonations, session_ends
from identity.queries.impersonations import ImpersonationKey
from identity.queries.session_ends import EndedSession
from identity.queries.sessions import LiveSession

log = logs.get(__name__)

EVERY: Final = 10.0
"""Seconds."""
WITHIN: Final = 5.0
"""Seconds for one impersonation."""


async def check(deps: Deps, ctx: Context, live: LiveSession) -> None:
    """Checks that the actor of this session may still act as its user. Otherwise ends the session, and
    raises NoSession."""
    assert live.actor is not None
    try:
        await impersonation_checks.check(
            deps,
            ctx,
            user_id=live.user_id,
            actor_id=live.actor.id,
            actor_app_id=ctx.app_id if live.actor.kind == "user" else DASHBOARD,
            actor_session=live.actor.session_id,
        )
    except (ImpersonationOff, ImpersonationRefused):
        await _end(deps, ctx, live.id, reason="refused")
        raise NoSession from None


async def record(ctx: Context, tx: Db, ended: EndedSession, *, reason: str = "ended") -> bool:
    """Records the end of an impersonation. Returns False, and does nothing, for another session."""
    if ended.actor_id is None:
        return False
    event = ImpersonationEnded(
        session_id=ended.id, user_id=ended.user_id, actor_id=ended.actor_id, reason=reason
    )
    await audit.record(tx, ctx, event, user_id=ended.user_id)
    return True


async def _end(deps: Deps, ctx: Context, session_id: str, *, reason: str) -> bool:
    """Ends the session and its tokens. Returns False if it has ended already."""
    async with deps.db.transaction(ctx) as tx:
        ended = await session_ends.revoke(
            tx, app_id=ctx.app_id, id=session_id, user_id=None, reason=f"impersonation_{reason}"
        )
        if ended is not None:
            await record(ctx, tx, ended, reason=reason)
    if ended is None:
        return False
    await deps.invalidation.publish(ctx, "session", ended.id)
    return True


@dataclass
class ImpersonationSweep:
    """Checks every impersonation of all applications."""

    deps: Deps

    async def run_once(self) -> int:
        """Ends impersonations whose time, session or rights are over. Returns how many."""
        count, last = 0, None
        while True:
            async with self.deps.sweep_db.unbound_transaction() as db:
                page = await impersonations.page(db, after=last)
            for key in page:
                last = key
                count += await _end_if_over(self.deps, key)
            if len(page) < impersonations.PAGE:
                return count


async def end_periodically(deps: Deps) -> None:
    """Ends such impersonations every few seconds, for as long as the service runs."""
    await run_periodically(ImpersonationSweep(deps).run_once, every=EVERY, name="impersonations")


async def _end_if_over(deps: Deps, key: ImpersonationKey) -> bool:
    ctx = system_context(key.app_id, within=WITHIN, home=deps.db.home)
    try:
        async with deps.db.reader(ctx) as db:
            session = await impersonations.get(db, app_id=ctx.app_id, id=key.id)
        if session is None:
            return False
        if session.expired:
            return await _end(deps, ctx, session.id, reason="expired")
        try:
            await impersonation_checks.check(
                deps,
                ctx,
                user_id=session.user_id,
                actor_id=session.actor_id,
                actor_app_id=session.actor_app_id,
                actor_session=session.actor_session,
            )
        except (ImpersonationOff, ImpersonationRefused):
            return await _end(deps, ctx, session.id, reason="refused")
    except FAULTS as error:
        log.warning("impersonation not checked", error=type(error).__name__, session_id=key.id)
    return False
