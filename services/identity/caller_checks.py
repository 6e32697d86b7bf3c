"""Checks of the caller, for calls that only a user of this application may make."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from common.context import Context
from common.contracts.sessions import FreshSignInNeeded
from common.db import Db
from common.problems import Forbidden
from identity.queries import sessions

FRESH: Final = timedelta(minutes=15)
"""How long after a sign-in a user may make sensitive changes."""


def the_user(ctx: Context) -> str:
    """Returns the id of the calling user. A developer who acts in another application is not a user
    of it. Raises Forbidden."""
    user_id = ctx.caller.user_id
    if user_id is None:
        raise Forbidden("only a user of this application may do this")
    return user_id


async def fresh(db: Db, ctx: Context) -> None:
    """Checks that the caller signed in or proved who they are at most 15 minutes ago. Raises
    FreshSignInNeeded, also for a call without a session (an access token)."""
    proven = ctx.caller.session_id and await sessions.proven_at(
        db, app_id=ctx.app_id, id=ctx.caller.session_id, user_id=the_user(ctx)
    )
    if not proven or datetime.now(UTC) - proven > FRESH:
        raise FreshSignInNeeded
