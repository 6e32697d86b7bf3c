"""The end of a user's sessions, with everything that depends on them."""

from __future__ import annotations

from common.context import Context
from common.db import Db
from identity.deps import Deps
from identity.queries import codes, session_ends


async def end_codes(ctx: Context, tx: Db, user_id: str) -> None:
    """Ends all codes and links that were mailed to the user before."""
    await codes.end_of_user(tx, app_id=ctx.app_id, user_id=user_id)


async def end_all(
    ctx: Context, tx: Db, user_id: str, *, reason: str, spare: str | None = None
) -> list[str]:
    """Ends a user's sessions in the transaction, with their tokens and with all mailed codes and
    links. Returns the ids of the sessions for `publish_revocations`."""
    ended = await session_ends.revoke_all(
        tx, app_id=ctx.app_id, user_id=user_id, spare=spare, reason=reason
    )
    await end_codes(ctx, tx, user_id)
    return [session.id for session in ended]


async def publish_revocations(deps: Deps, ctx: Context, user_id: str, ended: list[str]) -> None:
    """Tells every cache to forget the user and these sessions: after the commit, before the
    reply."""
    for session_id in ended:
        await deps.invalidation.publish(ctx, "session", session_id)
    await deps.invalidation.publish(ctx, "user", user_id)
