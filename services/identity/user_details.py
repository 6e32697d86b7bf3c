"""One user, as administrators see them, and which users a caller sees."""

from __future__ import annotations

from common.context import Context
from common.contracts.profiles import User
from common.contracts.users import FindUser, GetUser, UserDetails
from common.db import Db
from common.ids import DASHBOARD
from identity import lockout
from identity.deps import Deps
from identity.queries import users
from identity.user_changes import existing


def visible_teams(ctx: Context) -> list[str] | None:
    """Returns the teams whose members the caller sees, or None if the caller sees every user."""
    if ctx.app_id != DASHBOARD or ctx.caller.may("developers:read"):
        return None
    return sorted(ctx.caller.teams)


async def get(deps: Deps, ctx: Context, request: GetUser) -> UserDetails:
    """Returns a user by id. Raises UserNotFound."""
    async with deps.db.reader(ctx) as db:
        user = existing(
            await users.get(db, app_id=ctx.app_id, id=request.user_id, teams=visible_teams(ctx))
        )
        return await _details(deps, ctx, db, user)


async def get_by_email(deps: Deps, ctx: Context, request: FindUser) -> UserDetails:
    """Returns a user by address. Raises UserNotFound."""
    async with deps.db.reader(ctx) as db:
        user = existing(
            await users.get_by_email(
                db, app_id=ctx.app_id, email=request.email, teams=visible_teams(ctx)
            )
        )
        return await _details(deps, ctx, db, user)


async def _details(deps: Deps, ctx: Context, db: Db, user: User) -> UserDetails:
    locked_until = await lockout.locked_until(deps, ctx, db, user.email or user.id)
    return UserDetails(**dict(user), locked_until=locked_until)
